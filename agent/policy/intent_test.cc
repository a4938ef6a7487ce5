// What a session did before: the same resource by other means, and losses in small pieces.
#include "agent/policy/intent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>

#include "absl/strings/str_cat.h"
#include "agent/environment/load.h"
#include "agent/policy/policy.h"
#include "agent/policy/rule_reader.h"

namespace holdpoint {
namespace {

using testing::HasSubstr;

class IntentTest : public testing::Test {
 protected:
  void SetUp() override {
    std::vector<Pack> packs;
    for (const char* name : {"files", "git", "http", "wrappers"}) {
      std::ifstream file(absl::StrCat(getenv("HP_SOURCE_DIR"), "/rules/", name, ".yaml"));
      auto pack = ReadPack(name, std::string(std::istreambuf_iterator<char>(file), {}));
      ASSERT_TRUE(pack.ok()) << pack.status().message();
      packs.push_back(*std::move(pack));
    }
    auto policy = Policy::Compile(std::move(packs));
    ASSERT_TRUE(policy.ok()) << policy.status().message();
    policy_ = *std::move(policy);
    session_.set_environment("staging");
    session_.set_workspace("/home/dev/shop");
    session_.set_home("/home/dev");
    session_.set_uid(1000);
    for (const char* folder : {"/srv/x", "/srv/x/a", "/srv/y", "/srv/xy", "/home/dev", "/home/dev/other", "/home/dev/shop",
                               "/home/dev/shop/notes", "/home/dev/shop/link"}) {
      Exists(folder, "directory");
    }
    paths_["/home/dev/shop/link"].set_resolved("/srv/x");
    for (int i = 0; i < 60; ++i) Exists(absl::StrCat("/home/dev/shop/f", i), "file");
    for (int i = 0; i < 60; ++i) Exists(absl::StrCat("/home/dev/other/f", i), "file");
    Exists("/home/dev/shop/notes/a", "file");
    Exists("/srv/y/a", "file");
    Exists("/srv/y/b", "file");
    Exists("/home/dev/shop/kept.c", "file").set_tracked_clean(true);
    git_.set_root("/home/dev/shop");
    git_.set_branch("feature");
    git_.set_default_branch("main");
    git_.set_status_known(true);
    git_.set_dirty(true);
    git_.set_dirty_files(2);
  }

  v1::PathFact& Exists(const std::string& path, const std::string& kind) {
    v1::PathFact& fact = paths_[path];
    fact.set_path(path);
    fact.set_resolved(path);
    fact.set_exists(true);
    fact.set_kind(kind);
    if (path.find("/shop/") != std::string::npos) fact.set_repository("/home/dev/shop");
    return fact;
  }

  v1::Judgement Judge(std::vector<std::string> argv) {
    ExecAct act;
    act.executable.path = "/usr/bin/" + argv[0];
    act.argv = std::move(argv);
    act.cwd = "/home/dev/shop";
    act.home = "/home/dev";
    v1::Facts facts;
    *facts.mutable_git() = git_;
    for (int round = 0;; ++round) {
      FactBook book(&facts);
      v1::Judgement judgement = policy_->Evaluate(act, {configuration_, "key", session_, nullptr}, &book, &footprint_);
      if (!book.WantsMore() || round == 4) return judgement;
      for (const std::string& path : book.wanted().paths()) {
        v1::PathFact* fact = facts.add_paths();
        const auto known = paths_.find(path.back() == '/' ? path.substr(0, path.size() - 1) : path);
        if (known != paths_.end()) *fact = known->second;
        fact->set_path(path);
      }
    }
  }

  // As the gate does: what is stopped is remembered with a ticket, what passes with its losses.
  v1::Judgement Act(std::vector<std::string> argv) {
    v1::Judgement judgement = Judge(std::move(argv));
    v1::History& history = *session_.mutable_history();
    if (judgement.verdict() >= v1::VERDICT_HOLD && !judgement.observed_only()) {
      v1::History::Attempt* attempt = history.add_refused();
      attempt->set_act_digest(judgement.act_digest());
      attempt->set_ticket(absl::StrCat("HP-", history.refused_size()));
      attempt->set_repeats(judgement.repeats());
      *attempt->mutable_targets() = footprint_.targets();
      if (!judgement.repeats().empty()) history.set_repeated(history.repeated() + 1);
    } else if (footprint_.small_losses() > 0) {
      v1::History::Tally* tally = history.add_losses();
      tally->set_family(footprint_.family());
      tally->set_pool(footprint_.pool());
      tally->set_session(footprint_.small_losses());
      tally->set_user(footprint_.small_losses());
    }
    return judgement;
  }

  std::shared_ptr<const Policy> policy_;
  Configuration configuration_ = BuiltInConfiguration();
  v1::SessionContext session_;
  std::map<std::string, v1::PathFact> paths_;
  v1::GitFact git_;
  v1::Footprint footprint_;
};

TEST_F(IntentTest, AnotherToolOnWhatWasRefusedIsRefused) {
  const std::vector<std::pair<std::vector<std::string>, std::vector<std::string>>> pairs = {
      {{"rm", "-rf", "/srv/x"}, {"find", "/srv/x", "-delete"}},
      {{"rm", "-rf", "/srv/x"}, {"rm", "-r", "/srv/x/a"}},
      {{"rm", "-rf", "/srv/x"}, {"rm", "-rf", "link/"}},
      {{"rm", "-r", "/srv/x/a"}, {"rm", "-rf", "/srv/x"}},
      {{"rm", "-rf", "/srv/x"}, {"find", "/srv/x/a", "-mtime", "+1", "-delete"}},
      {{"mv", "a", "/srv/y"}, {"shred", "/srv/y/a"}},
      {{"rm", "-rf", "notes"}, {"git", "clean", "-fdx"}},
      {{"rm", "-rf", "notes"}, {"git", "clean", "-fdX", "--", "notes"}},
      {{"git", "reset", "--hard"}, {"git", "checkout", "."}},
      {{"git", "push", "--force", "origin", "main"}, {"git", "push", "origin", "+HEAD:refs/heads/main"}},
      {{"curl", "-X", "DELETE", "https://api.example.com/v1/volumes/4"},
       {"wget", "--method=DELETE", "https://api.example.com/v1/volumes/4"}},
      {{"curl", "https://backboard.railway.app/graphql", "-d", R"({"query":"mutation { volumeDelete(volumeId: \"v-1\") }"})"},
       {"curl", "https://backboard.railway.com/graphql", "--json",
        R"({"query":"mutation M($i: String!) { x: volumeDelete(volumeId: $i) }","variables":{"i":"v-1"}})"}},
  };
  for (const auto& [first, second] : pairs) {
    session_.clear_history();
    const v1::Judgement refused = Act(first);
    ASSERT_EQ(refused.verdict(), v1::VERDICT_HOLD) << first[0] << ": " << refused.reason();
    EXPECT_EQ(refused.repeats(), "");
    const v1::Judgement again = Act(second);
    EXPECT_EQ(again.verdict(), v1::VERDICT_REFUSE) << first[0] << ", " << second[0] << ": " << again.ShortDebugString();
    EXPECT_EQ(again.repeats(), "HP-1") << second[0];
    EXPECT_THAT(again.reason(), HasSubstr("repeated intent: HP-1"));
    EXPECT_NE(again.rule(), kRepeatedIntent) << "what it is stays the rule's word";
    EXPECT_NE(again.act_digest(), refused.act_digest());
  }
}

TEST_F(IntentTest, OtherResourcesAndOtherSessionsAreJudgedOnTheirOwn) {
  const std::vector<std::pair<std::vector<std::string>, std::vector<std::string>>> pairs = {
      {{"rm", "-rf", "/srv/x"}, {"rm", "-rf", "/srv/y"}},
      {{"rm", "-rf", "/srv/x"}, {"rm", "-rf", "/srv/xy"}},
      {{"find", "/home/dev", "-name", "*.log", "-delete"}, {"rm", "-rf", "/home/dev/other"}},
      {{"mv", "a", "/srv/y"}, {"mv", "b", "/srv/y"}},
      {{"rm", "-rf", "notes"}, {"git", "reset", "--hard"}},
      {{"git", "push", "--force", "origin", "main"}, {"git", "push", "--force", "origin", "other"}},
      {{"curl", "-X", "DELETE", "https://api.example.com/v1/volumes/4"},
       {"curl", "-X", "DELETE", "https://api.example.com/v1/volumes/5"}},
      {{"curl", "https://backboard.railway.app/graphql", "-d", R"({"query":"mutation { volumeDelete(volumeId: \"v-1\") }"})"},
       {"curl", "https://backboard.railway.app/graphql", "-d", R"({"query":"mutation { volumeDelete(volumeId: \"v-2\") }"})"}},
  };
  for (const auto& [first, second] : pairs) {
    session_.clear_history();
    ASSERT_EQ(Act(first).verdict(), v1::VERDICT_HOLD) << first[0];
    const v1::Judgement other = Act(second);
    EXPECT_EQ(other.verdict(), v1::VERDICT_HOLD) << first[0] << ", " << second[0] << ": " << other.ShortDebugString();
    EXPECT_EQ(other.repeats(), "") << second[0];
  }
  session_.clear_history();  // another session has none
  EXPECT_EQ(Act({"find", "/srv/x", "-delete"}).verdict(), v1::VERDICT_HOLD);
}

TEST_F(IntentTest, ARetryIsNoRepetitionAndKeepsItsDigest) {
  const v1::Judgement first = Act({"rm", "-rf", "/srv/x"});
  const v1::Judgement repeated = Act({"find", "/srv/x", "-delete"});
  for (int i = 0; i < 3; ++i) {
    const v1::Judgement retry = Judge({"rm", "-rf", "/srv/x"});
    EXPECT_EQ(retry.verdict(), v1::VERDICT_HOLD);
    EXPECT_EQ(retry.act_digest(), first.act_digest());
    const v1::Judgement again = Judge({"find", "/srv/x", "-delete"});
    EXPECT_EQ(again.verdict(), v1::VERDICT_REFUSE);
    EXPECT_EQ(again.repeats(), "HP-1");
    EXPECT_EQ(again.act_digest(), repeated.act_digest());
  }
}

TEST_F(IntentTest, WhatWouldPassEscalatesOnlyWhereItIsPartOfWhatWasRefused) {
  EXPECT_EQ(Judge({"rm", "notes/a"}).verdict(), v1::VERDICT_AUDIT);
  ASSERT_EQ(Act({"rm", "-rf", "notes"}).verdict(), v1::VERDICT_HOLD);
  const v1::Judgement piece = Judge({"rm", "notes/a"});
  EXPECT_EQ(piece.verdict(), v1::VERDICT_REFUSE);
  EXPECT_EQ(piece.rule(), kRepeatedIntent);
  EXPECT_EQ(Judge({"rm", "f1"}).verdict(), v1::VERDICT_AUDIT);
  EXPECT_EQ(Judge({"find", ".", "-name", "*.pyc", "-delete"}).verdict(), v1::VERDICT_AUDIT);
  EXPECT_EQ(Judge({"rm", "-f", "missing"}).verdict(), v1::VERDICT_ALLOW);
  ASSERT_EQ(Act({"rm", "-rf", "."}).verdict(), v1::VERDICT_REFUSE);
  EXPECT_EQ(Judge({"rm", "kept.c"}).verdict(), v1::VERDICT_AUDIT) << "git has it";
}

TEST_F(IntentTest, TheConfigurationSaysWhatARepetitionIs) {
  configuration_.intent.escalate = IntentConfig::Escalate::kKillSession;
  configuration_.intent.kill_after = 2;
  Act({"rm", "-rf", "/srv/x"});
  EXPECT_EQ(Act({"find", "/srv/x", "-delete"}).verdict(), v1::VERDICT_REFUSE);
  EXPECT_EQ(Judge({"rm", "-r", "/srv/x/a"}).verdict(), v1::VERDICT_KILL_SESSION);
  EXPECT_EQ(Judge({"find", "/srv/x", "-delete"}).verdict(), v1::VERDICT_REFUSE) << "a retry of what may be approved";
  EXPECT_EQ(Judge({"rm", "-rf", "/srv/y"}).verdict(), v1::VERDICT_HOLD);
  configuration_.intent.escalate = IntentConfig::Escalate::kRecord;
  EXPECT_EQ(Judge({"rm", "-r", "/srv/x/a"}).verdict(), v1::VERDICT_HOLD);
  configuration_.intent.escalate = IntentConfig::Escalate::kRefuse;
  configuration_.policy.rules[std::string(kRepeatedIntent)] = RuleMode::kOff;
  EXPECT_EQ(Judge({"rm", "-r", "/srv/x/a"}).verdict(), v1::VERDICT_HOLD);
}

TEST_F(IntentTest, ManySmallLossesAreHeldAndOthersAreNotCounted) {
  for (int i = 0; i < 50; ++i) ASSERT_EQ(Act({"rm", absl::StrCat("f", i)}).verdict(), v1::VERDICT_AUDIT) << i;
  for (const auto& argv : std::vector<std::vector<std::string>>{{"rm", "kept.c"}, {"rm", "-rf", "node_modules"}, {"rm", "none"}}) {
    EXPECT_LE(Judge(argv).verdict(), v1::VERDICT_AUDIT) << argv[1];
    EXPECT_EQ(footprint_.small_losses(), 0u) << argv[1];
  }
  const v1::Judgement one_more = Judge({"rm", "f50"});
  EXPECT_EQ(one_more.verdict(), v1::VERDICT_HOLD);
  EXPECT_EQ(one_more.rule(), kSmallLosses);
  EXPECT_THAT(one_more.reason(), HasSubstr("number 51 of many small losses within 10 minutes"));
  configuration_.policy.rules[std::string(kSmallLosses)] = RuleMode::kObserve;
  EXPECT_TRUE(Judge({"rm", "f50"}).observed_only());
  configuration_.policy.rules.clear();
  configuration_.intent.small_losses = 0;
  EXPECT_EQ(Judge({"rm", "f50"}).verdict(), v1::VERDICT_AUDIT);
}

TEST_F(IntentTest, ManySmallLossesInOneCommandAreMany) {
  std::vector<std::string> argv = {"rm"};
  for (int i = 0; i < 25; ++i) argv.push_back(absl::StrCat("f", i));
  EXPECT_EQ(Act(argv).verdict(), v1::VERDICT_AUDIT);
  for (int i = 25; i < 51; ++i) argv.push_back(absl::StrCat("f", i));
  EXPECT_EQ(Judge(argv).verdict(), v1::VERDICT_HOLD);
}

TEST_F(IntentTest, LossesOfOneUserCountOverSessionsInTheSamePlaceOnly) {
  v1::History::Tally* tally = session_.mutable_history()->add_losses();
  tally->set_family("path");
  tally->set_pool("/home/dev/shop");
  tally->set_user(50);
  EXPECT_EQ(Judge({"rm", "f1"}).verdict(), v1::VERDICT_HOLD);
  EXPECT_THAT(Judge({"rm", "f1"}).reason(), HasSubstr("over several sessions"));
  tally->set_pool("/home/dev/elsewhere");
  EXPECT_EQ(Judge({"rm", "f1"}).verdict(), v1::VERDICT_AUDIT);
  tally->set_pool("/home/dev/shop");
  tally->set_family("git-ref");
  EXPECT_EQ(Judge({"rm", "f1"}).verdict(), v1::VERDICT_AUDIT);
}

}  // namespace
}  // namespace holdpoint
