#include "agent/cli/terminal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/base/fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace holdpoint {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Table, AlignsAndLeavesNoSpaceBehindTheLastColumn) {
  Table table({"TICKET", "STATE", "COMMAND"});
  table.Add({{"HP-1"}, {"held"}, {"rm -rf /data"}}, "why: it is gone for good");
  table.Add({{"HP-22222222"}, {"open"}, {"x"}});
  EXPECT_EQ(table.Render(false, 0),
            "TICKET       STATE  COMMAND\n"
            "HP-1         held   rm -rf /data\n"
            "    why: it is gone for good\n"
            "HP-22222222  open   x\n");
}

TEST(Table, EscapesWhatASessionWrote) {
  Table table({"A", "B"});
  table.Add({{"a\nb"}, {"\x1b]0;owned\x07"}}, "\xe2\x80\xae");
  const std::string text = table.Render(false, 0);
  EXPECT_THAT(text, HasSubstr("a\\nb"));
  for (char c : text) EXPECT_TRUE(c == '\n' || (c >= 0x20 && c < 0x7f)) << static_cast<int>(c);
}

TEST(Table, ColoursDoNotMoveColumnsAndAreOursAlone) {
  Table table({"A", "B"});
  table.Add({{"x", Tone::kBad}, {"y"}});
  const std::string text = table.Render(true, 0);
  EXPECT_THAT(text, HasSubstr("\x1b[1;31mx\x1b[0m  y"));
  EXPECT_THAT(table.Render(false, 0), Not(HasSubstr("\x1b")));
}

TEST(Table, CutsTheLastColumnToTheTerminalAndNeverToNothing) {
  Table table({"A", "B"});
  table.Add({{"x"}, {std::string(200, 'y')}}, std::string(200, 'n'));
  EXPECT_THAT(table.Render(false, 40), HasSubstr("x  " + std::string(34, 'y') + "...\n"));
  EXPECT_THAT(table.Render(false, 3), HasSubstr("x  " + std::string(21, 'y') + "...\n"));
  EXPECT_THAT(table.Render(false, 0), HasSubstr(std::string(200, 'y')));
}

TEST(Safe, KeepsPrintableAsciiAsItIs) {
  EXPECT_EQ(Safe("curl \"x\\n\" {}"), "curl \"x\\n\" {}");
  EXPECT_EQ(Safe("a\x1b[2J\\"), "a\\x1b[2J\\\\");
}

TEST(Human, SecondsAndBytes) {
  EXPECT_EQ(HumanSeconds(-5), "0 s");
  EXPECT_EQ(HumanSeconds(59), "59 s");
  EXPECT_EQ(HumanSeconds(60), "1 min 0 s");
  EXPECT_EQ(HumanSeconds(3600 * 2 + 60 * 7), "2 h 7 min");
  EXPECT_EQ(HumanSeconds(86400 * 4 + 3600), "4 d 1 h");
  EXPECT_EQ(HumanBytes(1023), "1023 B");
  EXPECT_EQ(HumanBytes(4096), "4.0 KiB");
  EXPECT_EQ(HumanBytes(3ull << 29), "1.5 GiB");
}

TEST(WantColor, FollowsFlagThenNoColorThenForceThenTerminal) {
  unsetenv("NO_COLOR");
  unsetenv("CLICOLOR_FORCE");
  EXPECT_TRUE(WantColor("always"));
  EXPECT_FALSE(WantColor("never"));
  setenv("CLICOLOR_FORCE", "1", 1);
  EXPECT_TRUE(WantColor("auto"));
  EXPECT_FALSE(WantColor("never"));
  setenv("NO_COLOR", "1", 1);
  EXPECT_FALSE(WantColor("auto"));
  EXPECT_TRUE(WantColor("always"));
  setenv("NO_COLOR", "", 1);
  setenv("CLICOLOR_FORCE", "0", 1);
  EXPECT_FALSE(WantColor("auto"));
  unsetenv("NO_COLOR");
  unsetenv("CLICOLOR_FORCE");
}

absl::StatusOr<std::string> Through(const std::string& bytes, size_t max) {
  int ends[2];
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  EXPECT_EQ(write(write_end.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  write_end.reset();
  return ReadSecret(read_end.get(), max, "the password");
}

TEST(ReadSecret, LeavesOutOneLineFeedAndRefusesTooMuch) {
  EXPECT_EQ(*Through("secret", 8), "secret");
  EXPECT_EQ(*Through("secret\n", 8), "secret");
  EXPECT_EQ(*Through("two\n\n", 8), "two\n");
  EXPECT_EQ(*Through("12345678\n", 8), "12345678");
  EXPECT_EQ(Through("123456789", 8).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(*Through("", 8), "");
}

}  // namespace
}  // namespace holdpoint
