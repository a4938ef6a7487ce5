#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "agent/cli/checkouts.h"
#include "agent/cli/init_text.h"
#include "agent/environment/load.h"

namespace holdpoint {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(InitTextTest, TheUsualAnswersMakeAConfigurationWithoutAWarning) {
  const absl::StatusOr<std::string> text = InitText({});
  ASSERT_TRUE(text.ok()) << text.status();
  const ConfigurationReport report = CheckConfiguration("c.yaml", *text);
  EXPECT_TRUE(report.accepted) << report.problem;
  EXPECT_THAT(report.warnings, IsEmpty());
  const Configuration configuration = *LoadConfiguration("c.yaml", *text);
  EXPECT_TRUE(configuration.Find("production")->is_protected);
  EXPECT_EQ(configuration.Find("production")->mode, Mode::kEnforce);
  EXPECT_EQ(configuration.Find("staging")->mode, Mode::kObserve);
  EXPECT_EQ(configuration.sessions.default_environment, "development");
}

TEST(InitTextTest, EveryAnswerIsInIt) {
  InitAnswers answers;
  answers.environments = {"live*", "lab"};
  answers.owners = {"dana", "%ops"};
  answers.workspaces = {{"~/src/\"odd\"", "lab"}, {"/srv/live", "live"}};
  answers.production_hosts = {"*.example.com", "db.internal"};
  answers.mode = "all";
  const absl::StatusOr<std::string> text = InitText(answers);
  ASSERT_TRUE(text.ok()) << text.status();
  const Configuration configuration = *LoadConfiguration("c.yaml", *text);
  EXPECT_EQ(configuration.Find("lab")->mode, Mode::kEnforce);
  EXPECT_THAT(configuration.Find("lab")->owners.approval, ElementsAre("dana", "%ops"));
  EXPECT_EQ(configuration.sessions.default_environment, "lab");
  ASSERT_EQ(configuration.sessions.workspaces.size(), 2u);
  EXPECT_EQ(configuration.sessions.workspaces[0].glob, "~/src/\"odd\"");
  ASSERT_EQ(configuration.destinations.size(), 1u);
  EXPECT_EQ(configuration.destinations[0].environment, "live");
  EXPECT_THAT(configuration.destinations[0].hosts, ElementsAre("*.example.com", "db.internal"));
}

TEST(InitTextTest, AnswersThatNoConfigurationHoldsAreRefused) {
  const auto with = [](auto change) {
    InitAnswers answers;
    change(answers);
    return InitText(answers).ok();
  };
  EXPECT_TRUE(with([](InitAnswers&) {}));
  EXPECT_FALSE(with([](InitAnswers& a) { a.environments = {}; }));
  EXPECT_FALSE(with([](InitAnswers& a) { a.environments = {"UPPER"}; }));
  EXPECT_FALSE(with([](InitAnswers& a) { a.owners = {"not a name"}; }));
  EXPECT_FALSE(with([](InitAnswers& a) { a.workspaces = {{"~/x", "nowhere"}}; }));
  EXPECT_FALSE(with([](InitAnswers& a) { a.workspaces = {{"~/x", "staging}\nkafka: {"}}; }));
  EXPECT_FALSE(with([](InitAnswers& a) { a.mode = "maybe"; }));
  EXPECT_FALSE(with([](InitAnswers& a) {
    a.environments = {"staging"};
    a.production_hosts = {"x"};
  }));
}

TEST(CheckoutsTest, FindsWorkingTreesAndLooksIntoNone) {
  char name[] = "/tmp/checkouts_test.XXXXXX";
  const std::filesystem::path home = mkdtemp(name);
  for (const char* folder : {"src/shop/.git", "src/shop/vendored/.git", "src/deep/a/b/.git", "src/deep/a/b2/c/.git",
                             ".cache/x/.git", "node_modules/y/.git", "plain/z"}) {
    std::filesystem::create_directories(home / folder);
  }
  std::filesystem::create_symlink(home / "src/shop", home / "link");
  EXPECT_THAT(FindCheckouts(home, 10), ElementsAre(home / "src/deep/a/b", home / "src/shop"));
  EXPECT_THAT(FindCheckouts(home, 1), ElementsAre(home / "src/shop"));
  EXPECT_THAT(FindCheckouts(home / "missing", 10), IsEmpty());
  std::filesystem::remove_all(home);
}

}  // namespace
}  // namespace holdpoint
