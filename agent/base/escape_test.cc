#include "agent/base/escape.h"

#include <gtest/gtest.h>

namespace holdpoint {
namespace {

TEST(EscapeTest, TerminalControlAndBidiBytesBecomeVisible) {
  EXPECT_EQ(EscapeForTerminal("a\x1b[31mb\nc"), "a\\x1b[31mb\\nc");
  EXPECT_EQ(EscapeForTerminal("\xe2\x80\xae"), "\\xe2\\x80\\xae");
  EXPECT_EQ(EscapeForTerminal(std::string("a\0b", 3)), "a\\x00b");
}

TEST(EscapeTest, BackslashIsEscapedSoThatNothingCanImitateAnEscape) { EXPECT_EQ(EscapeForTerminal("\\n"), "\\\\n"); }

TEST(EscapeTest, ClippedTextKeepsItsLimitAlsoWhenEscapesGrowIt) {
  const std::string clipped = EscapeAndClip(std::string(100, '\x01'), 20);
  EXPECT_EQ(clipped.size(), 20u);
  EXPECT_EQ(clipped.substr(17), "...");
  EXPECT_EQ(EscapeAndClip("short", 20), "short");
}

TEST(EscapeTest, ArgvIsQuotedWhereAShellWouldNeedIt) {
  EXPECT_EQ(RenderArgv({"rm", "-rf", "a b", ""}, 80), "rm -rf 'a b' ''");
}

}  // namespace
}  // namespace holdpoint
