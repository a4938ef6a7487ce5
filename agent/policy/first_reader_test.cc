#include "agent/policy/first_reader.h"

#include <gtest/gtest.h>

#include "agent/environment/fingerprint.h"
#include "agent/environment/load.h"

namespace holdpoint {
namespace {

constexpr char kKey[] = "0123456789abcdef0123456789abcdef";
constexpr char kToken[] = "9f2c1b7a5d3e4f60718293a4b5c6d7e8f901";
constexpr char kFile[] = "/home/dev/domains/.env";

class FirstReaderTest : public testing::Test {
 protected:
  FirstReaderTest() : configuration_(*LoadConfiguration("empty", "")) {
    v1::SeenCredential& seen = *session_.add_seen_credentials();
    seen.set_file(kFile);
    seen.set_program("/usr/bin/cat");
    seen.set_pid(812);
    seen.set_read(true);
    seen.set_credential("account-token");
    seen.set_seconds_ago(12);
    v1::ContentFact& content = *facts_.add_contents();
    content.set_path(kFile);
    content.set_content(std::string("# domains\nFOO=") + kToken + "\n");
  }

  std::optional<FirstReader> Find(const std::string& value, const std::string& name = "") {
    FactBook book(&facts_);
    FoundCredential used;
    used.kind = "bearer";
    used.fingerprint = Fingerprint(kKey, value);
    used.tag_name = name;
    std::optional<FirstReader> found = FindFirstReader({used}, {configuration_, kKey, session_}, &book);
    EXPECT_TRUE(book.Used().empty());  // no part of the act
    wants_more_ = book.WantsMore();
    return found;
  }

  Configuration configuration_;
  v1::SessionContext session_;
  v1::Facts facts_;
  bool wants_more_ = false;
};

TEST_F(FirstReaderTest, TheFileHoldsWhatTheActCarries) {
  const auto found = Find(kToken);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->sentence, "its token was first read from /home/dev/domains/.env by /usr/bin/cat (pid 812) 12 s ago");
  EXPECT_EQ(found->evidence.source(), kFile);
  EXPECT_EQ(found->evidence.value(), "/usr/bin/cat (pid 812)");
}

TEST_F(FirstReaderTest, AnotherTokenWasNotReadThere) { EXPECT_FALSE(Find("another0token0of0that0length0123456").has_value()); }

TEST_F(FirstReaderTest, TheConfigurationCallsBothByOneName) {
  facts_.Clear();
  const auto found = Find("another0token0of0that0length0123456", "account-token");
  ASSERT_TRUE(found.has_value());
  EXPECT_FALSE(wants_more_);
}

TEST_F(FirstReaderTest, TheFileIsAskedForWhereItIsNotKnown) {
  facts_.Clear();
  EXPECT_FALSE(Find(kToken).has_value());
  EXPECT_TRUE(wants_more_);
}

TEST_F(FirstReaderTest, WhoOnlyOpenedItIsNotSaidToHaveRead) {
  session_.mutable_seen_credentials(0)->set_read(false);
  session_.mutable_seen_credentials(0)->set_own_process(true);
  EXPECT_EQ(Find(kToken)->sentence,
            "the file with its token, /home/dev/domains/.env, was first opened by the coding agent itself, /usr/bin/cat (pid 812) 12 s ago");
}

TEST_F(FirstReaderTest, ASessionThatOpenedNothingAsksForNothing) {
  session_.clear_seen_credentials();
  EXPECT_FALSE(Find(kToken).has_value());
  EXPECT_FALSE(wants_more_);
}

}  // namespace
}  // namespace holdpoint
