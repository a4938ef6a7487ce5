#include "agent/cli/watch_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdpoint {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using What = Key::What;

std::vector<Key> Take(std::string& input, bool complete = false) { return TakeKeys(input, complete); }

TEST(WatchKeysTest, LettersArrowsAndControls) {
  std::string input = "a\x1b[A\x1bOB\r\x7f\x03\x15";
  EXPECT_THAT(Take(input), ElementsAre(Key{What::kText, 'a'}, Key{What::kUp}, Key{What::kDown}, Key{What::kEnter},
                                       Key{What::kBackspace}, Key{What::kInterrupt}, Key{What::kErase}));
  EXPECT_EQ(input, "");
}

TEST(WatchKeysTest, ASequenceInPartsIsOneKey) {
  std::string input = "\x1b";
  EXPECT_THAT(Take(input), IsEmpty());
  input += "[";
  EXPECT_THAT(Take(input), IsEmpty());
  input += "5~x";
  EXPECT_THAT(Take(input), ElementsAre(Key{What::kPageUp}, Key{What::kText, 'x'}));
}

TEST(WatchKeysTest, AnEscapeThatNothingFollowsIsTheKey) {
  std::string input = "\x1b";
  EXPECT_THAT(Take(input, true), ElementsAre(Key{What::kEscape}));
}

// No sequence ever becomes a letter that decides something.
TEST(WatchKeysTest, UnknownSequencesAreDropped) {
  std::string input = "\x1b[<0;12;7M\x1b[1;5a\x1b[200~";
  EXPECT_THAT(Take(input), IsEmpty());
  EXPECT_EQ(input, "");
  input = "\x1b[" + std::string(40, '1');
  EXPECT_THAT(Take(input), IsEmpty());
  EXPECT_EQ(input, "");
}

}  // namespace
}  // namespace holdpoint
