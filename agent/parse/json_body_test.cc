#include "agent/parse/json_body.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdpoint {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(JsonBodyTest, KeepsOrderAndNumbersAsWritten) {
  const auto parsed = ParseJson("\xef\xbb\xbf {\"b\": [1, -2, 1.50e3, true, null], \"a\": \"\\u0071\\n\"}");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(WriteJson(parsed->root), R"({"b":[1,-2,1.50e3,true,null],"a":"q\u000a"})");
  EXPECT_THAT(parsed->duplicate_keys, IsEmpty());
}

TEST(JsonBodyTest, DuplicateKeysAreBothThereAndSaid) {
  const auto parsed = ParseJson(R"({"query":"a","QUERY":"c","query":"b"})");
  ASSERT_TRUE(parsed.ok());
  EXPECT_THAT(parsed->duplicate_keys, ElementsAre("query"));
  EXPECT_THAT(parsed->root.FindAnyCase("query"), SizeIs(3));
  EXPECT_EQ(parsed->root.Find("query")->text, "a");
}

TEST(JsonBodyTest, SameKeyInTwoObjectsIsNoDuplicate) {
  EXPECT_THAT(ParseJson(R"([{"a":1},{"a":{"a":2}}])")->duplicate_keys, IsEmpty());
}

TEST(JsonBodyTest, BytesThatAreNoUtf8AreReplacedAsServersDo) {
  const auto parsed = ParseJson("{\"query\":\"x\xff\xc3\"}");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_TRUE(parsed->invalid_utf8);
  EXPECT_EQ(parsed->root.Find("query")->text, "x\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_FALSE(ParseJson("\"\xc3\xa9\"")->invalid_utf8);
}

TEST(JsonBodyTest, ErrorsSayWhere) {
  EXPECT_THAT(ParseJson("{\"a\":1,\n  oops}").status().message(), HasSubstr("JSON 2:3"));
  for (const char* text : {"", "{", "{\"a\":1}x", "{\"a\":1,}", "'a'", "query=1", "[1", "\"open", "01", "nul"}) {
    EXPECT_EQ(ParseJson(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(JsonBodyTest, LimitsHold) {
  EXPECT_TRUE(ParseJson(std::string(64, '[') + std::string(64, ']')).ok());
  EXPECT_EQ(ParseJson(std::string(65, '[') + std::string(65, ']')).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(ParseJson(std::string(1 << 20, '[')).ok());
  EXPECT_FALSE(ParseJson(std::string((1 << 20) + 1, ' ')).ok());
  std::string many = "[0";
  for (int i = 0; i < 100'001; ++i) many += ",0";
  EXPECT_EQ(ParseJson(many + "]").status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(JsonBodyTest, NumbersThatOtherReadersTakeDoNotHideTheRest) {
  for (std::string odd : {std::string("1e999999"), std::string("-1E+400"), std::string(400, '9'), std::string("NaN"),
                          std::string("-Infinity")}) {
    const auto parsed = ParseJson("{\"x\":" + odd + ",\"query\":\"1e999999 \\\" NaN\"}");
    ASSERT_TRUE(parsed.ok()) << odd << parsed.status();
    EXPECT_EQ(parsed->root.Find("query")->text, "1e999999 \" NaN");
  }
  EXPECT_EQ(ParseJson("123456789012345678901234")->root.text, "123456789012345678901234");
}

}  // namespace
}  // namespace holdpoint
