#include "agent/policy/automaton.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace holdpoint {
namespace {

std::string Raw(const std::vector<std::string>& argv) {
  std::string raw;
  for (const std::string& word : argv) raw.append(word).push_back('\0');
  return raw;
}

class AutomatonTest : public testing::Test {
 protected:
  bool Asks(const ArgvPatterns& patterns, const std::vector<std::string>& argv) {
    const std::optional<uint32_t> state = table_.Add(patterns, 10000, 65536);
    EXPECT_TRUE(state.has_value());
    return table_.Asks(state.value_or(0), Raw(argv));
  }
  AutomatonTable table_;
};

TEST_F(AutomatonTest, AWordIsAWholeOne) {
  ArgvPatterns p;
  p.words = {"push"};
  EXPECT_TRUE(Asks(p, {"git", "push"}));
  EXPECT_TRUE(Asks(p, {"git", "-C", "/x", "push", "origin"}));
  EXPECT_FALSE(Asks(p, {"git", "pushed"}));
  EXPECT_FALSE(Asks(p, {"git", "xpush"}));
  EXPECT_FALSE(Asks(p, {"git", "push=1"}));
  EXPECT_FALSE(Asks(p, {"git"}));
}

TEST_F(AutomatonTest, TheLastWordCountsWithoutItsNul) {
  ArgvPatterns p;
  p.words = {"push"};
  const auto state = table_.Add(p, 100, 1000);
  EXPECT_TRUE(table_.Asks(*state, std::string("git\0push", 8)));
}

TEST_F(AutomatonTest, AnOptionMayHaveItsValueAttached) {
  ArgvPatterns p;
  p.option_words = {"--force"};
  EXPECT_TRUE(Asks(p, {"x", "--force"}));
  EXPECT_TRUE(Asks(p, {"x", "--force=yes"}));
  EXPECT_FALSE(Asks(p, {"x", "--force-with-lease"}));
  EXPECT_FALSE(Asks(p, {"x", "a--force"}));
}

TEST_F(AutomatonTest, ALetterIsLookedForAmongShortOptionsOnly) {
  ArgvPatterns p;
  p.letters = "fD";
  EXPECT_TRUE(Asks(p, {"x", "-f"}));
  EXPECT_TRUE(Asks(p, {"x", "-xzf"}));
  EXPECT_TRUE(Asks(p, {"x", "-D"}));
  EXPECT_FALSE(Asks(p, {"x", "-d"}));
  EXPECT_FALSE(Asks(p, {"x", "--file"}));
  EXPECT_FALSE(Asks(p, {"x", "file"}));
  EXPECT_FALSE(Asks(p, {"x", "a-f"}));
}

TEST_F(AutomatonTest, PartsAreFoundAnywhereInAnyCase) {
  ArgvPatterns p;
  p.parts = {"delete", "elevate"};
  EXPECT_TRUE(Asks(p, {"x", "volumeDelete(id: 1)"}));
  EXPECT_TRUE(Asks(p, {"x", "xDELETEx"}));
  EXPECT_TRUE(Asks(p, {"x", "delevate"}));  // The end of one is the begin of another.
  EXPECT_FALSE(Asks(p, {"x", "del", "ete"}));
  EXPECT_FALSE(Asks(p, {"x", "select"}));
}

TEST_F(AutomatonTest, AVerbIsAWordOfItsOwn) {
  ArgvPatterns p;
  p.verbs = {"rm", "drop", "del"};
  for (const char* word : {"rm", "/bin/rm", "vm_rm", "rm-all", "volumeRm", "RM", "rm -rf x", "DropTable", "a drop b", "dRm"}) {
    EXPECT_TRUE(Asks(p, {"x", word})) << word;
  }
  for (const char* word : {"format", "platform", "--no-rmx", "backdrop", "dropped", "form", "model", "delta"}) {
    EXPECT_FALSE(Asks(p, {"x", word})) << word;
  }
}

TEST_F(AutomatonTest, OnlyAKnownCommandBehindKnownOptionsPasses) {
  ArgvPatterns p;
  p.shape = ArgvPatterns::Shape::kCommand;
  p.allowed = {"status", "log", "sha1"};  // The last one has a digit, which is not told from others.
  p.flags = {"--no-pager", "-p", "--git-dir"};
  p.valued = {"-C", "--work-tree"};
  EXPECT_FALSE(Asks(p, {"git", "status", "anything", "--at", "all"}));
  EXPECT_FALSE(Asks(p, {"/usr/bin/git", "--no-pager", "-C", "/src", "log"}));
  EXPECT_FALSE(Asks(p, {"git", "--git-dir=/x/.git", "--work-tree=/x", "log"}));
  EXPECT_FALSE(Asks(p, {"git", "-p"}));
  EXPECT_FALSE(Asks(p, {"git"}));
  EXPECT_TRUE(Asks(p, {"git", "nuke"}));
  EXPECT_TRUE(Asks(p, {"git", "STATUS"}));
  EXPECT_TRUE(Asks(p, {"git", "-C", "status"}) == false);  // Its value, and no command.
  EXPECT_TRUE(Asks(p, {"git", "-C", "/src", "nuke"}));
  EXPECT_TRUE(Asks(p, {"git", "-x", "status"}));
  EXPECT_TRUE(Asks(p, {"git", "sha1"}));
  EXPECT_TRUE(Asks(p, {"git", "", "status"}));
}

TEST_F(AutomatonTest, TextOnTheCommandLinePassesAndProgramTextFromElsewhereDoesNot) {
  ArgvPatterns p;
  p.shape = ArgvPatterns::Shape::kFlagText;
  p.flag = 'c';
  p.short_flags = "lexu";
  EXPECT_FALSE(Asks(p, {"sh", "-c", "make -j4"}));
  EXPECT_FALSE(Asks(p, {"bash", "-lc", "ls"}));
  EXPECT_TRUE(Asks(p, {"bash"}));
  EXPECT_TRUE(Asks(p, {"bash", "-s"}));
  EXPECT_TRUE(Asks(p, {"bash", "-sc", "x"}));
  EXPECT_TRUE(Asks(p, {"bash", "-l"}));
  EXPECT_TRUE(Asks(p, {"bash", "script.sh"}));
  EXPECT_TRUE(Asks(p, {"bash", "--norc", "-c", "x"}));
}

TEST_F(AutomatonTest, StatesThatNothingTellsApartAreOne) {
  ArgvPatterns p;
  p.words = {"push-force", "pull-force", "post-force"};
  const size_t before = table_.rows().size();
  ASSERT_TRUE(table_.Add(p, 1000, 1000).has_value());
  EXPECT_LT(table_.rows().size() - before, 20u);  // The endings are one.
}

TEST_F(AutomatonTest, OneTableHoldsManyAndABoundLeavesItAsItWas) {
  ArgvPatterns one, two;
  one.words = {"one"};
  two.words = {"two"};
  const auto first = table_.Add(one, 100, 1000);
  const size_t before = table_.rows().size();
  ArgvPatterns large;
  for (const char* word : {"alpha", "beta", "gamma", "delta"}) large.words.insert(word);
  EXPECT_FALSE(table_.Add(large, 5, 1000).has_value());
  EXPECT_FALSE(table_.Add(large, 100, before + 2).has_value());
  EXPECT_FALSE(table_.Add(large, 5, before + 100).has_value());
  EXPECT_EQ(table_.rows().size(), before);
  const auto second = table_.Add(two, 100, 1000);
  EXPECT_TRUE(table_.Asks(*first, Raw({"x", "one"})));
  EXPECT_FALSE(table_.Asks(*first, Raw({"x", "two"})));
  EXPECT_TRUE(table_.Asks(*second, Raw({"x", "two"})));
  EXPECT_TRUE(table_.Asks(AutomatonTable::kAsk, Raw({"x"})));
  EXPECT_TRUE(table_.Asks(999999, Raw({"x"})));
}

}  // namespace
}  // namespace holdpoint
