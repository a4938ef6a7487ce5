#include "agent/policy/connection_text.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace {

std::string Read(absl::string_view text) {
  const ConnectionText read = ReadConnectionText(text);
  std::string out = read.scheme;
  for (const ConnectionText::Host& host : read.hosts) absl::StrAppend(&out, " ", host.name, ":", host.port);
  absl::StrAppend(&out, " port=", read.port, " db=", read.database, " secret=", read.secret);
  if (!read.problem.empty()) absl::StrAppend(&out, " problem");
  return out;
}

TEST(ConnectionTextTest, Urls) {
  EXPECT_EQ(Read("postgres://u:s%40x@DB1.example.:5433/shop?sslmode=require"),
            "postgres db1.example:5433 port=5433 db=shop secret=s@x");
  EXPECT_EQ(Read("jdbc:postgresql://a:1,b:2,c/shop"), "postgresql a:1 b:2 c:0 port=2 db=shop secret=");
  EXPECT_EQ(Read("mysql://[2001:DB8::1]:3307/shop"), "mysql 2001:db8::1:3307 port=3307 db=shop secret=");
  EXPECT_EQ(Read("postgresql:///shop?host=/run/x&port=6"), "postgresql /run/x:0 port=6 db=shop secret=");
  EXPECT_EQ(Read("postgresql://harmless/a?host=prod&dbname=shop"), "postgresql prod:0 port=0 db=shop secret=");
  // A "#" belongs to the password, not to a fragment: what stands behind it is not to be missed.
  EXPECT_EQ(Read("postgres://u:a#b@prod/shop"), "postgres prod:0 port=0 db=shop secret=a#b");
  EXPECT_EQ(Read("postgres://h:x/shop"), "postgres h:0 port=0 db=shop secret= problem");
}

TEST(ConnectionTextTest, WordsOfLibpq) {
  EXPECT_EQ(Read("host=db1 port=5432 dbname='my shop' password='a\\'b'"), " db1:0 port=5432 db=my shop secret=a'b");
  EXPECT_EQ(Read("dbname = shop  host =  prod"), " prod:0 port=0 db=shop secret=");
  EXPECT_EQ(Read("host=harmless hostaddr=10.0.0.1"), " 10.0.0.1:0 port=0 db= secret=");
  EXPECT_EQ(Read("service=prod"), " port=0 db= secret= problem");
  EXPECT_EQ(Read("stray host=prod"), " prod:0 port=0 db= secret= problem");
  EXPECT_EQ(Read("host=prod stray"), " prod:0 port=0 db= secret= problem");
  EXPECT_EQ(Read("options=-c search_path=x://y host=prod"), " prod:0 port=0 db= secret=");
}

TEST(ConnectionTextTest, WhatIsNoConnectionText) {
  EXPECT_FALSE(IsConnectionText("shop"));
  EXPECT_EQ(Read("shop"), " port=0 db= secret=");
  EXPECT_EQ(Read(""), " port=0 db= secret=");
  EXPECT_EQ(Read(absl::StrCat("postgres://", std::string(20'000, 'a'), "/x")), " port=0 db= secret= problem");
  EXPECT_EQ(Read("x=://"), " port=0 db= secret=");
  EXPECT_EQ(Read("postgres://]:1/"), "postgres ]:1 port=1 db= secret=");
}

}  // namespace
}  // namespace holdpoint
