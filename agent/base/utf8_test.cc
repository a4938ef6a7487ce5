#include "agent/base/utf8.h"

#include <gtest/gtest.h>

namespace holdpoint {
namespace {

TEST(Utf8Test, WellFormedTextStays) {
  for (const std::string text : {"", "plain", "gr\xc3\xbc\xc3\x9f", "\xe2\x82\xac", "\xf0\x9f\x98\x80"}) {
    EXPECT_TRUE(IsValidUtf8(text)) << text;
    EXPECT_EQ(ToValidUtf8(text), text);
  }
}

TEST(Utf8Test, EveryBadByteIsReplacedAndTheRestStays) {
  const struct {
    std::string bad, good;
  } cases[] = {
      {"a\xff", "a?"},               // never a first byte
      {"\xc3", "?"},                 // cut
      {"\xc3(", "?("},               // no continuation
      {"\xc0\xaf", "??"},            // overlong "/"
      {"\xe0\x80\xaf", "???"},       // overlong "/"
      {"\xed\xa0\x80", "???"},       // surrogate
      {"\xf4\x90\x80\x80", "????"},  // past U+10FFFF
      {"x\x80y", "x?y"},             // lone continuation
  };
  for (const auto& [bad, good] : cases) {
    EXPECT_FALSE(IsValidUtf8(bad));
    EXPECT_EQ(ToValidUtf8(bad), good);
  }
}

TEST(Utf8Test, ABadByteIsFoundWhereverItStandsAmongPlainText) {
  for (size_t size = 1; size < 40; ++size) {
    for (size_t at = 0; at < size; ++at) {
      std::string text(size, 'x');
      text[at] = '\xff';
      EXPECT_FALSE(IsValidUtf8(text)) << at << " of " << size;
      text.replace(at, 1, "\xc3\xbc");
      EXPECT_TRUE(IsValidUtf8(text)) << at << " of " << size;
    }
  }
}

}  // namespace
}  // namespace holdpoint
