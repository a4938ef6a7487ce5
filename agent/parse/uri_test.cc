#include "agent/parse/uri.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

struct UrlCase {
  const char* name;
  const char* text;
  const char* want;  // scheme host port path query
};

class UrlTest : public ::testing::TestWithParam<UrlCase> {};

TEST_P(UrlTest, IsDividedAsCurlDoes) {
  const auto url = ParseUrl(GetParam().text);
  ASSERT_TRUE(url.ok()) << url.status();
  EXPECT_EQ(absl::StrCat(url->scheme, " ", url->host, " ", url->port, " ", url->path, " ", url->query),
            GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    Uri, UrlTest,
    ::testing::Values(
        UrlCase{"Whole", "https://backboard.railway.app/graphql/v2?a=1#f",
                "https backboard.railway.app 443 /graphql/v2 a=1"},
        UrlCase{"NoScheme", "backboard.railway.app/graphql/v2", "http backboard.railway.app 80 /graphql/v2 "},
        UrlCase{"NoSchemeWithPort", "localhost:8080/x", "http localhost 8080 /x "},
        UrlCase{"GuessedFtp", "ftp.example.org/x", "ftp ftp.example.org 21 /x "},
        UrlCase{"UpperCaseHost", "HTTPS://BackBoard.Railway.APP/GraphQL", "https backboard.railway.app 443 /GraphQL "},
        UrlCase{"DotAtTheEnd", "https://backboard.railway.app./x", "https backboard.railway.app 443 /x "},
        UrlCase{"EncodedHost", "http://%62ackboard.railway.app/", "http backboard.railway.app 80 / "},
        UrlCase{"OneSlash", "https:/h/x", "https h 443 /x "},
        UrlCase{"ThreeSlashes", "https:///h/x", "https h 443 /x "},
        UrlCase{"LastAtCounts", "http://a@b@c/", "http c 80 / "},
        UrlCase{"AtInPathIsNoUser", "http://h/x@evil.example/", "http h 80 /x@evil.example/ "},
        UrlCase{"QueryWithoutPath", "http://h?q=1", "http h 80 / q=1"},
        UrlCase{"DotSegmentsAndEncoding", "http://h/a/../%67raphql/./v2", "http h 80 /graphql/v2 "},
        UrlCase{"DoubleSlashes", "http://h//graphql///v2", "http h 80 /graphql/v2 "},
        UrlCase{"Ipv6", "http://[::1]:81/x", "http ::1 81 /x "},
        UrlCase{"HexAddress", "http://0x7f.1/", "http 127.0.0.1 80 / "},
        UrlCase{"DecimalAddress", "http://2130706433/", "http 127.0.0.1 80 / "},
        UrlCase{"NameThatStartsLikeAnAddress", "http://10.example.org/", "http 10.example.org 80 / "},
        UrlCase{"File", "file:///etc/passwd", "file  0 /etc/passwd "}),
    [](const auto& test) { return test.param.name; });

TEST(UrlTest, RejectsWhatCurlRejects) {
  for (const char* text : {"", "http://", "http://h:port/", "http://h:70000/", "http://h/a b", "http://[::1/", "\n"}) {
    EXPECT_FALSE(ParseUrl(text).ok()) << text;
  }
  EXPECT_FALSE(ParseUrl(std::string(70'000, 'a')).ok());
}

TEST(UrlTest, UserinfoIsKeptApart) {
  EXPECT_EQ(*ParseUrl("https://u:p%40@h/")->userinfo, "u:p%40");
  EXPECT_FALSE(ParseUrl("https://h/")->userinfo.has_value());
}

TEST(UriTest, FormsAreDecodedInOrder) {
  EXPECT_THAT(DecodeForm("a=1+2&&b=%7B%7d&c&d=x=y&a=3"),
              ElementsAre(Pair("a", "1 2"), Pair("b", "{}"), Pair("c", ""), Pair("d", "x=y"), Pair("a", "3")));
}

TEST(UriTest, BrokenEscapesStay) {
  EXPECT_EQ(PercentDecode("%zz%4", false), "%zz%4");
  EXPECT_EQ(PercentDecode("a+b", false), "a+b");
  EXPECT_EQ(PercentEncode("a b/\xff"), "a%20b%2F%FF");
}

TEST(UriTest, PathsCannotClimbAboveTheRoot) {
  EXPECT_EQ(NormalizePath("/../../x"), "/x");
  EXPECT_EQ(NormalizePath("/a/b/.."), "/a/");
  EXPECT_EQ(NormalizePath(""), "/");
}

}  // namespace
}  // namespace holdpoint
