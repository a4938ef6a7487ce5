// Plan files: as terraform writes them, damaged, of another version, and larger than anybody reads.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdlib>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "agent/reader/plan_facts.h"
#include "agent/reader/zip_member.h"

namespace holdpoint::reader {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

std::string Little(uint64_t number, size_t size) {
  std::string bytes;
  for (size_t i = 0; i < size; ++i, number /= 256) bytes.push_back(static_cast<char>(number));
  return bytes;
}

std::string Varint(uint64_t number) {
  std::string bytes;
  for (; number >= 0x80; number >>= 7) bytes.push_back(static_cast<char>(number | 0x80));
  bytes.push_back(static_cast<char>(number));
  return bytes;
}

std::string Number(int field, uint64_t value) { return Varint(static_cast<uint64_t>(field) << 3) + Varint(value); }
std::string Bytes(int field, const std::string& value) {
  return Varint(static_cast<uint64_t>(field) << 3 | 2) + Varint(value.size()) + value;
}

std::string Change(const std::string& address, uint64_t action) {
  return Bytes(3, Bytes(13, address) + Bytes(8, "provider") + Bytes(9, Number(1, action) + Bytes(2, "values")));
}

std::string Plan(const std::string& changes) {
  return Number(1, 3) + changes + Bytes(13, Bytes(1, "s3") + Bytes(2, "config") + Bytes(3, "sandbox")) + Bytes(14, "1.9.0");
}

std::string Deflated(const std::string& text) {
  std::string out(compressBound(text.size()) + 64, '\0');
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

struct Member {
  std::string name, content;
  bool packed = true;
};

// As Go's archive/zip writes them: sizes stand behind the member and in the directory.
std::string Zip(const std::vector<Member>& members) {
  std::string out, directory;
  for (const Member& member : members) {
    const std::string data = member.packed ? Deflated(member.content) : member.content;
    const std::string common = Little(20, 2) + Little(8, 2) + Little(member.packed ? 8 : 0, 2) + Little(0, 4);
    directory += Little(0x02014b50, 4) + Little(20, 2) + common + Little(0, 4) + Little(data.size(), 4) +
                 Little(member.content.size(), 4) + Little(member.name.size(), 2) + Little(0, 2) + Little(0, 2) + Little(0, 2) +
                 Little(0, 2) + Little(0, 4) + Little(out.size(), 4) + member.name;
    out += Little(0x04034b50, 4) + common + Little(0, 12) + Little(member.name.size(), 2) + Little(0, 2) + member.name + data;
  }
  const size_t start = out.size();
  return out + directory + Little(0x06054b50, 4) + Little(0, 4) + Little(members.size(), 2) + Little(members.size(), 2) +
         Little(directory.size(), 4) + Little(start, 4) + Little(0, 2);
}

class PlanTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/holdpoint-plan-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    path_ = folder_ + "/p.plan";
    own_fds_.reset(open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  void TearDown() override { EXPECT_EQ(system(absl::StrCat("rm -rf ", folder_).c_str()), 0); }

  v1::PlanFact Described(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary) << bytes;
    return Described();
  }
  v1::PlanFact Described() {
    v1::PlanFact fact;
    DescribePlan(SafeFiles(own_fds_.get()), path_, &fact);
    return fact;
  }

  std::string folder_, path_;
  UniqueFd own_fds_;
};

TEST_F(PlanTest, WhatItTakesAwayIsNamedAndCounted) {
  const std::string plan = Plan(Change("aws_db_instance.shop", 5) + Change("aws_s3_bucket.media", 1) + Change("aws_vpc.a", 3) +
                                Change("aws_instance.web", 6) + Change("aws_vpc.b", 0));
  const v1::PlanFact fact = Described(Zip({{"tfstate", "{}"}, {"tfplan", plan}}));
  EXPECT_EQ(fact.problem(), "");
  EXPECT_TRUE(fact.whole());
  ASSERT_THAT(fact.losses(), SizeIs(2));
  EXPECT_EQ(fact.losses(0).address(), "aws_db_instance.shop");
  EXPECT_EQ(fact.losses(1).address(), "aws_instance.web");
  EXPECT_EQ(fact.loss_count(), 2u);
  EXPECT_EQ(fact.change_count(), 4u);
  EXPECT_EQ(fact.backend(), "s3");
  EXPECT_EQ(fact.workspace(), "sandbox");
  EXPECT_NE(fact.sha256(), Described(Zip({{"tfplan", Plan(Change("aws_vpc.a", 1))}})).sha256());
}

TEST_F(PlanTest, OneThatTakesNothingAway) {
  const v1::PlanFact fact = Described(Zip({{"tfplan", Plan(Change("aws_vpc.a", 1)), /*packed=*/false}}));
  EXPECT_TRUE(fact.whole());
  EXPECT_EQ(fact.loss_count(), 0u);
}

TEST_F(PlanTest, MoreLossesThanAreNamedAreCounted) {
  std::string changes;
  for (int i = 0; i < 1000; ++i) changes += Change(absl::StrCat("aws_instance.web[", i, "]"), 5);
  const v1::PlanFact fact = Described(Zip({{"tfplan", Plan(changes)}}));
  EXPECT_EQ(fact.losses_size(), kMaxPlanLosses);
  EXPECT_EQ(fact.loss_count(), 1000u);
}

TEST_F(PlanTest, WhatIsNotUnderstoodIsNeverWhole) {
  const std::string good = Zip({{"tfplan", Plan(Change("aws_vpc.a", 1))}});
  const std::vector<std::string> bad = {"",
                                        "nonsense",
                                        std::string(100'000, 'x'),
                                        good.substr(0, good.size() - 1),
                                        good.substr(10),
                                        Zip({{"other", "x"}}),
                                        Zip({{"tfplan", "nonsense"}}),
                                        Zip({{"tfplan", ""}}),
                                        Zip({{"tfplan", Number(1, 4) + Change("aws_vpc.a", 1)}}),
                                        Zip({{"tfplan", Plan(Number(20, 1))}}),
                                        Zip({{"tfplan", Plan(Number(3, 1))}}),
                                        Zip({{"tfplan", Plan(Bytes(3, Number(9, 5)))}}),
                                        Zip({{"tfplan", Plan(Bytes(3, "\x6a\x7f"))}}),
                                        Zip({{"tfplan", Plan("")}, {"tfplan", Plan("")}})};
  for (size_t i = 0; i < bad.size(); ++i) {
    const v1::PlanFact fact = Described(bad[i]);
    EXPECT_FALSE(fact.whole()) << i;
    EXPECT_NE(fact.problem(), "") << i;
  }
}

TEST_F(PlanTest, EachByteThatIsAnotherOneIsSeenOrHarmless) {
  const std::string plan = Zip({{"tfplan", Plan(Change("aws_db_instance.shop", 5)), /*packed=*/false}});
  for (size_t i = 0; i < plan.size(); ++i) {
    std::string damaged = plan;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x40);
    const v1::PlanFact fact = Described(damaged);  // whatever it says, it ends
    EXPECT_EQ(fact.whole(), fact.problem().empty()) << i;
  }
}

TEST_F(PlanTest, AGigabyteIsNotReadAndAMemberThatGrowsIsGivenUp) {
  Described("");
  ASSERT_EQ(truncate(path_.c_str(), off_t{1} << 30), 0);
  EXPECT_EQ(Described().problem(), "no archive");
  const std::string bomb = Zip({{"tfplan", std::string(kMaxPlanBytes + 1, '\0')}});
  EXPECT_LT(bomb.size(), size_t{1} << 20);
  EXPECT_THAT(Described(bomb).problem(), HasSubstr("more than"));
}

TEST_F(PlanTest, NoRegularFile) {
  EXPECT_NE(Described().problem(), "");
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THAT(Described().problem(), HasSubstr("FIFO"));
}

}  // namespace
}  // namespace holdpoint::reader
