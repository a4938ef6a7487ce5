#include "agent/spool/crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace holdpoint {
namespace {

// The vectors of RFC 3720, appendix B.4, and the usual check value.
TEST(Crc32cTest, GivesTheValuesOfTheStandard) {
  std::string ascending, descending;
  for (int i = 0; i < 32; ++i) {
    ascending += static_cast<char>(i);
    descending += static_cast<char>(31 - i);
  }
  for (const auto crc : {&Crc32c, &Crc32cByTable}) {
    EXPECT_EQ(crc("123456789", 0), 0xe3069283u);
    EXPECT_EQ(crc(std::string(32, '\0'), 0), 0x8a9136aau);
    EXPECT_EQ(crc(std::string(32, '\xff'), 0), 0x62a8ab43u);
    EXPECT_EQ(crc(ascending, 0), 0x46dd794eu);
    EXPECT_EQ(crc(descending, 0), 0x113fdb5cu);
    EXPECT_EQ(crc("", 0), 0u);
  }
}

TEST(Crc32cTest, InstructionAndTableAgreeAtEveryLengthAndAlignment) {
  std::string data;
  uint32_t state = 1;
  for (int i = 0; i < 300; ++i) data += static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  for (size_t from = 0; from < 9; ++from) {
    for (size_t length = 0; length + from <= data.size(); ++length) {
      const absl::string_view part = absl::string_view(data).substr(from, length);
      ASSERT_EQ(Crc32c(part), Crc32cByTable(part)) << from << " " << length;
    }
  }
}

TEST(Crc32cTest, ContinuesFromAnEarlierPart) { EXPECT_EQ(Crc32c("6789", Crc32c("12345")), Crc32c("123456789")); }

}  // namespace
}  // namespace holdpoint
