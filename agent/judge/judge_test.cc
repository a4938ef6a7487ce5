#include "agent/judge/judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "agent/base/sha256.h"
#include "agent/base/utf8.h"
#include "agent/environment/fingerprint.h"
#include "agent/judge/test_world.h"

namespace holdpoint {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using testworld::ConfigureMessage;
using testworld::ExecMessage;
using testworld::IncidentArgv;
using testworld::kToken;

class JudgeTest : public testing::Test {
 protected:
  void SetUp() override { Configure(ConfigureMessage(1)); }

  v1::Configured Configure(const v1::ToJudge& message) {
    const auto answers = judge_.Handle(message);
    EXPECT_THAT(answers, SizeIs(1));
    return answers.at(0).configured();
  }

  // The one answer to a message.
  v1::FromJudge Ask(const v1::ToJudge& message) {
    const auto answers = judge_.Handle(message);
    EXPECT_THAT(answers, SizeIs(1));
    return answers.empty() ? v1::FromJudge() : answers[0];
  }

  // Answers every question of the judge with `facts` until it judges.
  v1::ExecVerdict Judged(const v1::ToJudge& message, const v1::Facts& facts = {}) {
    v1::FromJudge answer = Ask(message);
    for (int i = 0; i < Judge::kMaxRounds && answer.has_facts_wanted(); ++i) {
      v1::ToJudge more;
      more.set_id(message.id());
      *more.mutable_facts() = facts;
      answer = Ask(more);
    }
    EXPECT_TRUE(answer.has_exec()) << answer.ShortDebugString();
    return answer.exec();
  }

  Judge judge_;
};

// The file /usr/bin/rm of a host, as the gate finds it.
v1::KnownFile KnownRm() {
  v1::KnownFile file;
  file.set_name("rm");
  file.set_path("/usr/bin/rm");
  file.set_device(1);
  file.set_inode(100);
  file.set_ctime_ns(7);
  file.set_size(72752);
  file.set_sha256(Hex(Sha256("the content of rm")));
  return file;
}

TEST_F(JudgeTest, TheReferenceIncidentIsHeldWithoutAnyConfiguration) {
  for (const char* host : {"backboard.railway.app", "backboard.railway.com"}) {
    const v1::ExecVerdict verdict = Judged(ExecMessage(2, "/usr/bin/curl", IncidentArgv(host)));
    const v1::Judgement& judgement = verdict.judgement();
    EXPECT_EQ(judgement.verdict(), v1::VERDICT_HOLD);
    EXPECT_EQ(judgement.rule(), "http.railway-volume-delete");
    EXPECT_EQ(judgement.effect(), v1::EFFECT_DESTROY);
    EXPECT_EQ(judgement.recoverability(), v1::RECOVERABILITY_IRREVERSIBLE);
    EXPECT_EQ(judgement.summary(), absl::StrCat("curl POST ", host, " volumeDelete \"3d2c42fb...\""));
    EXPECT_THAT(judgement.reason(), HasSubstr("its backups are on the same volume"));
    EXPECT_EQ(judgement.resource().id(), "3d2c42fb-0000-4000-8000-000000000000");
    EXPECT_EQ(judgement.act_digest().size(), 32u);
    EXPECT_FALSE(judgement.observed_only());
    EXPECT_THAT(judgement.ShortDebugString(), Not(HasSubstr(kToken)));
    EXPECT_THAT(verdict.ShortDebugString(), Not(HasSubstr(kToken)));
  }
}

TEST_F(JudgeTest, TheReasonNamesTheTagOfTheTokenAndOfTheSession) {
  const std::string fingerprint = Fingerprint(std::string(32, 'k'), kToken);
  const v1::Configured configured = Configure(ConfigureMessage(
      3, absl::StrCat("version: 1\ncredentials:\n  - name: railway\n    environment: production\n    fingerprints: [\"",
                      fingerprint, "\"]\n")));
  ASSERT_TRUE(configured.accepted()) << configured.problem();
  const v1::Judgement judgement = Judged(ExecMessage(4, "/usr/bin/curl", IncidentArgv())).judgement();
  EXPECT_EQ(judgement.verdict(), v1::VERDICT_HOLD);
  EXPECT_EQ(judgement.reason(),
            "deletes a volume for good, its backups are on the same volume; the token is tagged production, this "
            "session is staging");
  EXPECT_TRUE(judgement.tags().crossing());
  EXPECT_EQ(judgement.tags().target().environment(), "production");
  ASSERT_GE(judgement.credentials_size(), 1);
  EXPECT_EQ(judgement.credentials(0).fingerprint(), fingerprint);
}

TEST_F(JudgeTest, ReadingWithATokenOfProductionFromStagingIsHeld) {
  const std::string fingerprint = Fingerprint(std::string(32, 'k'), kToken);
  Configure(ConfigureMessage(
      3, absl::StrCat("version: 1\ncredentials:\n  - name: railway\n    environment: production\n    fingerprints: [\"",
                      fingerprint, "\"]\n")));
  const v1::Judgement judgement = Judged(ExecMessage(4, "/usr/bin/curl",
                                                     {"curl", "-H", absl::StrCat("Authorization: Bearer ", kToken),
                                                      "https://api.example.com/v1/projects"}))
                                      .judgement();
  EXPECT_EQ(judgement.verdict(), v1::VERDICT_HOLD);
  EXPECT_EQ(judgement.rule(), "credential.other-environment");
}

TEST_F(JudgeTest, ABadConfigurationIsNamedAndTheLastGoodOneStays) {
  const v1::Configured bad = Configure(ConfigureMessage(3, "version: 1\nenvironments: 7\n"));
  EXPECT_FALSE(bad.accepted());
  EXPECT_THAT(bad.problem(), HasSubstr("holdpoint.yaml:2:"));
  EXPECT_EQ(Judged(ExecMessage(4, "/usr/bin/curl", IncidentArgv())).judgement().verdict(), v1::VERDICT_HOLD);
}

TEST_F(JudgeTest, ABadPackIsNamedByFileLineAndRule) {
  v1::ToJudge message = ConfigureMessage(3);
  v1::Configure::File* file = message.mutable_configure()->add_rules();
  file->set_name("mine.yaml");
  file->set_content(
      "schema: 1\nfamily: mine\nrules:\n  - id: mine.x\n    effect: destroy\n    why: w\n"
      "    recoverability: irreversible\n    when: {tool: rm, operands: {any: {regex: \"(\"}}}\n");
  const v1::Configured bad = Configure(message);
  EXPECT_FALSE(bad.accepted());
  EXPECT_THAT(bad.problem(), HasSubstr("mine.yaml:8:"));
  EXPECT_THAT(bad.problem(), HasSubstr("rule mine.x"));
  EXPECT_THAT(bad.problem(), HasSubstr("regular expression"));
}

// A matcher that tries one way after the other would not come back in a lifetime.
TEST_F(JudgeTest, ARegularExpressionThatCouldGoManyWaysGoesOne) {
  v1::ToJudge message = ConfigureMessage(3);
  v1::Configure::File* file = message.mutable_configure()->add_rules();
  file->set_name("mine.yaml");
  file->set_content(
      "schema: 1\nfamily: mine\nmode: enforce\ntools: [{names: [burn], options: a}]\nrules:\n  - id: mine.burn\n    effect: destroy\n"
      "    why: burns\n    recoverability: irreversible\n    when: {tool: burn, operands: {any: {regex: \"^(x+x+)+y$\"}}}\n"
      "    cases: {fires: [{argv: [burn, xxy]}], passes: [{argv: [burn, xx]}]}\n");
  const v1::Configured configured = Configure(message);
  ASSERT_TRUE(configured.accepted()) << configured.problem();
  const std::string many(100'000, 'x');
  EXPECT_EQ(Judged(ExecMessage(4, "/usr/bin/burn", {"burn", many})).judgement().verdict(), v1::VERDICT_ALLOW);
  EXPECT_EQ(Judged(ExecMessage(5, "/usr/bin/burn", {"burn", many + "y"})).judgement().rule(), "mine.burn");
}

TEST_F(JudgeTest, AProgramThatNothingListsIsHarmlessAtOnce) {
  const v1::FromJudge answer = Ask(ExecMessage(2, "/usr/bin/ls", {"ls", "-la"}));
  ASSERT_TRUE(answer.has_exec());
  EXPECT_EQ(answer.exec().executable_class(), v1::EXECUTABLE_CLASS_HARMLESS);
  EXPECT_EQ(answer.exec().judgement().verdict(), v1::VERDICT_ALLOW);
  EXPECT_EQ(answer.exec().judgement().rule(), "default");
  EXPECT_THAT(answer.exec().argv(), ElementsAre("ls", "-la"));
}

TEST_F(JudgeTest, WhereARuleIsAboutWhatNothingListsOnlyPlainProgramsAreHarmless) {
  v1::ToJudge message = ConfigureMessage(3);
  v1::Configure::File* file = message.mutable_configure()->add_rules();
  file->set_name("unlisted.yaml");
  file->set_content(R"(schema: 1
family: unlisted
mode: enforce
plain: ls
rules:
  - id: unlisted.destroy
    effect: unseen
    why: destroys
    when: {unlisted: {verb: delete}}
    cases: {fires: [{argv: [frob, db, delete]}], passes: [{argv: [frob, db, list]}]}
)");
  ASSERT_TRUE(Configure(message).accepted());
  const auto class_of = [this](uint64_t id, const std::string& path, const std::vector<std::string>& argv) {
    return Judged(ExecMessage(id, path, argv)).executable_class();
  };
  EXPECT_EQ(class_of(4, "/usr/bin/ls", {"ls", "delete"}), v1::EXECUTABLE_CLASS_HARMLESS);
  EXPECT_EQ(class_of(5, "/usr/bin/frob", {"frob", "db", "list"}), v1::EXECUTABLE_CLASS_ARGUMENTS);
  EXPECT_EQ(class_of(6, "/home/dev/ls", {"ls"}), v1::EXECUTABLE_CLASS_ARGUMENTS);
  const v1::ExecVerdict verdict = Judged(ExecMessage(7, "/usr/bin/frob", {"frob", "db", "delete"}));
  EXPECT_EQ(verdict.judgement().verdict(), v1::VERDICT_AUDIT);
  EXPECT_EQ(verdict.judgement().rule(), "unlisted.destroy");
}

// The kernel gives up to 2 MiB of argv, and a session writes it.
TEST_F(JudgeTest, TwoMegabytesOfWordsGetAnAnswerThatIsHardlyLarger) {
  std::vector<std::string> many(300'000, "x\xff");
  many[0] = "rm";
  const std::string long_word(2 << 20, '\xc3');
  uint64_t id = 2;
  for (const std::vector<std::string>& argv :
       {many, std::vector<std::string>{"rm", "-rf", long_word}, std::vector<std::string>{"curl", "-d", long_word, "http://a.example/"},
        std::vector<std::string>{"git", long_word}, std::vector<std::string>{"sh", "-c", long_word},
        std::vector<std::string>{"curl", "-X", "DELETE", "http://a.example/" + long_word}}) {
    const v1::ToJudge question = ExecMessage(id++, "/usr/bin/" + argv[0], argv);
    const v1::FromJudge answer = Ask(question);
    EXPECT_LT(answer.ByteSizeLong(), question.ByteSizeLong() + (64u << 10)) << argv[0];
    EXPECT_TRUE(v1::FromJudge().ParseFromString(answer.SerializeAsString())) << argv[0];
  }
}

TEST_F(JudgeTest, AWrapperPassesAndIsAskedAgain) {
  const v1::FromJudge answer = Ask(ExecMessage(2, "/usr/bin/dash", {"sh", "-c", "rm -rf /srv/data"}));
  ASSERT_TRUE(answer.has_exec());
  EXPECT_EQ(answer.exec().judgement().verdict(), v1::VERDICT_ALLOW);
  EXPECT_EQ(answer.exec().executable_class(), v1::EXECUTABLE_CLASS_ARGUMENTS);
}

TEST_F(JudgeTest, AMultiCallProgramIsTheActWhereItWillHaveNoExecOfItsOwn) {
  const auto verdict = [this](uint64_t id, const std::vector<std::string>& argv) {
    return Judged(ExecMessage(id, "/usr/bin/busybox", argv)).judgement().verdict();
  };
  EXPECT_EQ(verdict(2, {"busybox", "setsid", "-w", "/bin/dash", "-c", "rm -rf /srv/data"}), v1::VERDICT_ALLOW);
  EXPECT_EQ(verdict(3, {"busybox", "sh", "-c", "/bin/rm -rf /srv/data"}), v1::VERDICT_ALLOW);
  EXPECT_EQ(verdict(4, {"busybox", "sh", "-c", "rm -rf /srv/data"}), v1::VERDICT_HOLD);
  EXPECT_EQ(verdict(5, {"busybox", "setsid", "rm", "-rf", "/srv/data"}), v1::VERDICT_HOLD);
}

TEST_F(JudgeTest, AWrapperThatCarriesATokenPassesAndWhatItStartsDoesNot) {
  Configure(ConfigureMessage(
      3, absl::StrCat("version: 1\ncredentials:\n  - name: railway\n    environment: production\n    fingerprints: [\"",
                      Fingerprint(std::string(32, 'k'), kToken), "\"]\n")));
  const std::vector<std::string> curl = {"curl", "-H", absl::StrCat("Authorization: Bearer ", kToken),
                                         "https://api.example.com/v1/projects"};
  const std::string text =
      absl::StrCat("curl -H 'Authorization: Bearer ", kToken, "' https://api.example.com/v1/projects");
  EXPECT_EQ(Judged(ExecMessage(4, "/usr/bin/bash", {"bash", "-c", text})).judgement().verdict(), v1::VERDICT_ALLOW);
  std::vector<std::string> under_env = curl;
  under_env.insert(under_env.begin(), "env");
  EXPECT_EQ(Judged(ExecMessage(5, "/usr/bin/env", under_env)).judgement().verdict(), v1::VERDICT_ALLOW);
  EXPECT_EQ(Judged(ExecMessage(6, "/usr/bin/curl", curl)).judgement().verdict(), v1::VERDICT_HOLD);
}

TEST_F(JudgeTest, RmAsksWhatIsThereAndPassesWhatGitIgnores) {
  const v1::ToJudge message = ExecMessage(2, "/usr/bin/rm", {"rm", "-rf", "build"});
  const v1::FromJudge question = Ask(message);
  ASSERT_TRUE(question.has_facts_wanted());
  EXPECT_THAT(question.facts_wanted().paths(), ElementsAre("/srv/shop/build"));
  v1::ToJudge facts;
  facts.set_id(2);
  v1::PathFact* fact = facts.mutable_facts()->add_paths();
  fact->set_path("/srv/shop/build");
  fact->set_resolved("/srv/shop/build");
  fact->set_exists(true);
  fact->set_kind("directory");
  fact->set_repository("/srv/shop");
  fact->set_ignored(true);
  const v1::FromJudge answer = Ask(facts);
  ASSERT_TRUE(answer.has_exec());
  EXPECT_EQ(answer.exec().judgement().verdict(), v1::VERDICT_ALLOW) << answer.ShortDebugString();
}

// An answer about git takes the place of the one before: what was known of the working tree would be forgotten.
TEST_F(JudgeTest, GitResetAsksForTheWorkingTreeAndWhatIsAskedLaterComesWithIt) {
  v1::ToJudge message = ExecMessage(2, "/usr/bin/git", {"git", "reset", "--hard"});
  v1::StartState* start = message.mutable_exec()->mutable_session()->mutable_start();
  start->set_root("/srv/shop");
  start->set_whole(true);
  const v1::FromJudge first = Ask(message);
  ASSERT_TRUE(first.has_facts_wanted());
  EXPECT_TRUE(first.facts_wanted().git_status());
  EXPECT_FALSE(first.facts_wanted().git_changes());
  v1::ToJudge facts;
  facts.set_id(2);
  v1::GitFact* git = facts.mutable_facts()->mutable_git();
  git->set_root("/srv/shop");
  git->set_status_known(true);
  git->set_dirty(true);
  git->set_dirty_files(3);
  const v1::FromJudge second = Ask(facts);
  ASSERT_TRUE(second.has_facts_wanted());
  EXPECT_TRUE(second.facts_wanted().git_changes());
  EXPECT_TRUE(second.facts_wanted().git_status());
}

// What nobody has gone through is not clean.
TEST_F(JudgeTest, ARepositoryWhoseWorkingTreeWasNotLookedAtIsNotClean) {
  v1::Facts facts;
  facts.mutable_git()->set_root("/srv/shop");
  const v1::ToJudge message = ExecMessage(2, "/usr/bin/git", {"git", "reset", "--hard"});
  EXPECT_EQ(Judged(message, facts).judgement().verdict(), v1::VERDICT_HOLD);
  facts.mutable_git()->set_status_known(true);
  EXPECT_EQ(Judged(message, facts).judgement().verdict(), v1::VERDICT_ALLOW);
}

TEST_F(JudgeTest, AnotherGitCommandLeavesTheWorkingTreeAlone) {
  const v1::FromJudge question = Ask(ExecMessage(2, "/usr/bin/git", {"git", "push", "--force", "origin", "fix"}));
  ASSERT_TRUE(question.has_facts_wanted());
  EXPECT_TRUE(question.facts_wanted().git_state());
  EXPECT_FALSE(question.facts_wanted().git_status());
}

TEST_F(JudgeTest, WhatTheReaderCouldNotSayIsHeldAndSaid) {
  v1::Facts nothing;
  nothing.set_problem("reader: timed out after 150 ms");
  const v1::Judgement judgement = Judged(ExecMessage(2, "/usr/bin/rm", {"rm", "-rf", "build"}), nothing).judgement();
  EXPECT_EQ(judgement.verdict(), v1::VERDICT_HOLD);
  EXPECT_THAT(judgement.blind_spots(), testing::Contains(HasSubstr("timed out")));
}

TEST_F(JudgeTest, AConsultThatWaitsStandsInNobodysWay) {
  ASSERT_TRUE(Ask(ExecMessage(2, "/usr/bin/rm", {"rm", "x"})).has_facts_wanted());
  EXPECT_TRUE(Ask(ExecMessage(3, "/usr/bin/ls", {"ls"})).has_exec());
  v1::ToJudge facts;
  facts.set_id(2);
  facts.mutable_facts()->set_problem("gone");
  EXPECT_TRUE(Ask(facts).has_exec());
  EXPECT_THAT(judge_.Handle(facts), testing::IsEmpty()) << "facts for a consult that was answered";
}

TEST_F(JudgeTest, TooManyWaitingConsultsAnswersTheOldestWithTheFailMode) {
  for (uint64_t id = 10; id < 10 + Judge::kMaxWaiting; ++id) {
    ASSERT_TRUE(Ask(ExecMessage(id, "/usr/bin/rm", {"rm", "x"})).has_facts_wanted());
  }
  const auto answers = judge_.Handle(ExecMessage(9999, "/usr/bin/rm", {"rm", "x"}));
  ASSERT_THAT(answers, SizeIs(2));
  EXPECT_EQ(answers[0].id(), 10u);
  EXPECT_EQ(answers[0].exec().judgement().rule(), "fail-mode");
  EXPECT_TRUE(answers[1].has_facts_wanted());
}

// A copy, a renamed copy and a hard link of a listed tool are that tool.
TEST_F(JudgeTest, ARenamedCopyOfRmIsKnownByItsContent) {
  v1::ToJudge configure = ConfigureMessage(1);
  *configure.mutable_configure()->add_known_files() = KnownRm();
  ASSERT_TRUE(Configure(configure).accepted());
  v1::ToJudge message = ExecMessage(2, "/tmp/innocent", {"ls", "-rf", "/srv/data"});
  message.mutable_exec()->mutable_process()->set_inode(555);
  message.mutable_exec()->set_executable_size(KnownRm().size());
  const v1::FromJudge question = Ask(message);
  ASSERT_TRUE(question.has_facts_wanted());
  EXPECT_TRUE(question.facts_wanted().executable_sha256());
  v1::Facts facts;
  facts.set_executable_sha256(KnownRm().sha256());
  const v1::ExecVerdict verdict = Judged(message, facts);
  EXPECT_EQ(verdict.judgement().verdict(), v1::VERDICT_HOLD);
  EXPECT_EQ(verdict.judgement().rule(), "files.rm");
  EXPECT_EQ(verdict.executable_class(), v1::EXECUTABLE_CLASS_ARGUMENTS);
}

TEST_F(JudgeTest, AHardLinkOfRmIsKnownByItsInodeWithoutReadingIt) {
  v1::ToJudge configure = ConfigureMessage(1);
  *configure.mutable_configure()->add_known_files() = KnownRm();
  ASSERT_TRUE(Configure(configure).accepted());
  const v1::FromJudge question = Ask(ExecMessage(2, "/tmp/innocent", {"innocent", "-rf", "/srv/data"}));
  ASSERT_TRUE(question.has_facts_wanted());
  EXPECT_FALSE(question.facts_wanted().executable_sha256());
  EXPECT_THAT(question.facts_wanted().paths(), ElementsAre("/srv/data"));
}

TEST_F(JudgeTest, AnotherSizeThanEveryListedFileIsEnoughToBeNoneOfThem) {
  v1::ToJudge configure = ConfigureMessage(1);
  *configure.mutable_configure()->add_known_files() = KnownRm();
  ASSERT_TRUE(Configure(configure).accepted());
  v1::ToJudge message = ExecMessage(2, "/srv/shop/bin/tool", {"tool"});
  message.mutable_exec()->mutable_process()->set_inode(556);
  message.mutable_exec()->set_executable_size(1234);
  const v1::FromJudge answer = Ask(message);
  ASSERT_TRUE(answer.has_exec());
  EXPECT_EQ(answer.exec().executable_class(), v1::EXECUTABLE_CLASS_HARMLESS);
}

// A Sigma rule may be about any program.
TEST_F(JudgeTest, WithASigmaRuleNoProgramIsHarmless) {
  v1::ToJudge message = ExecMessage(2, "/srv/shop/bin/tool", {"tool", "history", "-c"});
  message.mutable_exec()->mutable_process()->set_inode(556);
  message.mutable_exec()->set_executable_size(1234);
  v1::ToJudge configure = ConfigureMessage(1);
  *configure.mutable_configure()->add_known_files() = KnownRm();
  ASSERT_TRUE(Configure(configure).accepted());
  EXPECT_EQ(Judged(message).executable_class(), v1::EXECUTABLE_CLASS_HARMLESS);
  v1::Configure::File* sigma = configure.mutable_configure()->add_rules();
  sigma->set_name("wiped.yml");
  sigma->set_content(
      "title: Wiped\nid: aa-11\nlogsource: {product: linux, category: process_creation}\n"
      "detection:\n  s: {CommandLine|contains: 'history -c'}\n  condition: s\n");
  ASSERT_TRUE(Configure(configure).accepted());
  const v1::ExecVerdict verdict = Judged(message);
  EXPECT_EQ(verdict.executable_class(), v1::EXECUTABLE_CLASS_ARGUMENTS);
  EXPECT_EQ(verdict.judgement().rule(), "sigma.aa-11");
  EXPECT_EQ(verdict.judgement().verdict(), v1::VERDICT_AUDIT);
}

TEST_F(JudgeTest, WhatHandsWorkOnOrSendsRequestsIsAlwaysAsked) {
  EXPECT_EQ(Judged(ExecMessage(2, "/usr/bin/systemd-run", {"systemd-run", "ls"})).triage_state(), 0u);
  EXPECT_EQ(Judged(ExecMessage(3, "/usr/bin/apt-get", {"apt-get", "install", "x"})).triage_state(), 0u);
  EXPECT_EQ(Judged(ExecMessage(4, "/usr/bin/curl", {"curl", "https://example.com"})).triage_state(), 0u);
  // By its name alone: another link to that file may have another name.
  EXPECT_EQ(Judged(ExecMessage(5, "/usr/bin/git", {"git", "status"})).triage_state(), 0u);
  v1::ToJudge configure = ConfigureMessage(6);
  v1::KnownFile git = KnownRm();
  git.set_name("git");
  *configure.mutable_configure()->add_known_files() = git;
  ASSERT_TRUE(Configure(configure).accepted());
  EXPECT_NE(Judged(ExecMessage(7, "/usr/bin/git", {"git", "status"})).triage_state(), 0u);
}

TEST_F(JudgeTest, TheTableComesWithAConfigurationThatKnowsItsFilesAndNotWithASwitch) {
  v1::ToJudge configure = ConfigureMessage(1);
  EXPECT_TRUE(Configure(configure).triage().empty());
  *configure.mutable_configure()->add_known_files() = KnownRm();
  const v1::Configured configured = Configure(configure);
  EXPECT_EQ(configured.triage().size() % 256, 0u);
  EXPECT_GT(configured.triage_states(), 100u);
  EXPECT_THAT(configured.triage_names(), testing::Contains("rm"));
  EXPECT_THAT(configured.triage_names(), testing::Contains("systemd-run"));
  EXPECT_THAT(configured.triage_sizes(), ElementsAre(KnownRm().size()));
  v1::ToJudge rollout;
  rollout.set_id(9);
  rollout.mutable_rollout()->set_promote_all(true);
  const v1::FromJudge switched = Ask(rollout);
  ASSERT_TRUE(switched.configured().accepted());
  EXPECT_TRUE(switched.configured().triage().empty());
  EXPECT_EQ(switched.configured().triage_id(), configured.triage_id());
}

// The same file after a change is another one: its class and its content are looked at again.
TEST_F(JudgeTest, AChangedFileIsIdentifiedAgain) {
  v1::ToJudge configure = ConfigureMessage(1);
  *configure.mutable_configure()->add_known_files() = KnownRm();
  ASSERT_TRUE(Configure(configure).accepted());
  v1::ToJudge message = ExecMessage(2, "/usr/bin/rm", {"rm", "--version"});
  message.mutable_exec()->set_ctime_ns(8);
  const v1::FromJudge question = Ask(message);
  ASSERT_TRUE(question.has_facts_wanted());
  EXPECT_TRUE(question.facts_wanted().executable_sha256());
}

TEST_F(JudgeTest, ABodyFileIsReadAndIsPartOfTheDigest) {
  const std::vector<std::string> argv = {"curl", "-d", "@q.json", "https://backboard.railway.app/graphql/v2"};
  const v1::FromJudge question = Ask(ExecMessage(2, "/usr/bin/curl", argv));
  ASSERT_TRUE(question.has_facts_wanted());
  EXPECT_THAT(question.facts_wanted().content_of(), testing::Contains("/srv/shop/q.json"));
  std::vector<std::string> digests;
  for (const std::string id : {"vol-1", "vol-2"}) {
    v1::Facts facts;
    v1::ContentFact* content = facts.add_contents();
    content->set_path("/srv/shop/q.json");
    content->set_content(absl::StrCat("{\"query\":\"mutation { volumeDelete(volumeId: \\\"", id, "\\\") }\"}"));
    content->set_sha256(Hex(Sha256(content->content())));
    const v1::Judgement judgement = Judged(ExecMessage(digests.size() + 3, "/usr/bin/curl", argv), facts).judgement();
    EXPECT_EQ(judgement.verdict(), v1::VERDICT_HOLD);
    EXPECT_EQ(judgement.resource().id(), id);
    digests.push_back(judgement.act_digest());
  }
  EXPECT_NE(digests[0], digests[1]);
}

TEST_F(JudgeTest, TheSameActHasTheSameDigestAndAnyOtherAnother) {
  const auto digest = [&](const v1::ToJudge& message) { return Judged(message).judgement().act_digest(); };
  const std::string first = digest(ExecMessage(2, "/usr/bin/curl", IncidentArgv()));
  EXPECT_EQ(first, digest(ExecMessage(3, "/usr/bin/curl", IncidentArgv())));
  EXPECT_NE(first, digest(ExecMessage(4, "/usr/local/bin/curl", IncidentArgv())));
  EXPECT_NE(first, digest(ExecMessage(5, "/usr/bin/curl", IncidentArgv("backboard.railway.com"))));
  v1::ToJudge elsewhere = ExecMessage(6, "/usr/bin/curl", IncidentArgv());
  elsewhere.mutable_exec()->set_raw_working_directory("/srv/other");
  EXPECT_NE(first, digest(elsewhere));
  v1::ToJudge other_session = ExecMessage(7, "/usr/bin/curl", IncidentArgv());
  other_session.mutable_exec()->mutable_session()->set_environment("development");
  EXPECT_NE(first, digest(other_session));
  std::vector<std::string> other_token = IncidentArgv();
  other_token[5].back() = '0';
  EXPECT_NE(first, digest(ExecMessage(8, "/usr/bin/curl", other_token)));
}

TEST_F(JudgeTest, DescribeOnlyNeverAsks) {
  v1::ToJudge message = ExecMessage(2, "/usr/bin/rm", {"rm", "-rf", "build"});
  message.mutable_exec()->set_describe_only(true);
  EXPECT_TRUE(Ask(message).has_exec());
}

TEST_F(JudgeTest, DescribeRedactsAndKeepsTheOrder) {
  v1::ToJudge message;
  message.set_id(9);
  message.mutable_describe()->add_raw_argv(std::string("curl\0-H\0", 8) + "Authorization: Bearer " + kToken);
  message.mutable_describe()->add_raw_argv(std::string("ls\0\xff", 4));
  const v1::Described described = Ask(message).described();
  ASSERT_EQ(described.argv_size(), 2);
  EXPECT_THAT(described.ShortDebugString(), Not(HasSubstr(kToken)));
  EXPECT_EQ(described.argv(1).words(0), "ls");
  EXPECT_TRUE(IsValidUtf8(described.argv(1).words(1)));
}

TEST_F(JudgeTest, HostileWordsNeverMakeAnAnswerUnreadable) {
  const std::string bad = "\xff\xfe/\x80";
  for (const char* tool : {"rm", "curl", "git", "find", "mv", "dd", "sh", "xargs"}) {
    v1::ToJudge message = ExecMessage(2, absl::StrCat("/usr/bin/", tool), {tool, bad, absl::StrCat("of=", bad), bad});
    message.mutable_exec()->set_raw_working_directory("/srv/\xff");
    message.mutable_exec()->set_raw_environment(absl::StrCat("A=", bad, std::string(1, '\0')));
    const v1::ExecVerdict verdict = Judged(message);
    v1::ExecVerdict read;
    EXPECT_TRUE(read.ParseFromString(verdict.SerializeAsString())) << tool;
  }
}

TEST_F(JudgeTest, APathThatIsNoUtf8IsHeldBecauseNobodyCanLook) {
  v1::ToJudge message = ExecMessage(2, "/usr/bin/rm", {"rm", "-rf", "build"});
  message.mutable_exec()->set_raw_working_directory("/srv/shop/\xff");
  EXPECT_EQ(Judged(message).judgement().verdict(), v1::VERDICT_HOLD);
}

TEST(JudgeWithoutPolicyTest, AnswersWithTheFailMode) {
  Judge judge;
  const auto answers = judge.Handle(ExecMessage(2, "/usr/bin/rm", {"rm"}));
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_EQ(answers[0].exec().judgement().rule(), "fail-mode");
}

TEST_F(JudgeTest, AConnectIntoProtectedIsRefusedAndAnotherIsNot) {
  const v1::Configured configured = Configure(
      ConfigureMessage(3, "version: 1\ndestinations:\n  - cidr: [\"10.1.0.0/16\"]\n    environment: production\n"));
  ASSERT_TRUE(configured.accepted()) << configured.problem();
  v1::ToJudge message;
  message.set_id(4);
  v1::ConsultConnect* connect = message.mutable_connect();
  connect->mutable_session()->set_environment("staging");
  connect->set_address(std::string("\x0a\x01\x02\x03", 4));
  connect->set_port(5432);
  EXPECT_EQ(Ask(message).connect().judgement().verdict(), v1::VERDICT_REFUSE);
  EXPECT_EQ(Ask(message).connect().judgement().rule(), "destination.crossing");
  connect->set_address(std::string("\x0a\x02\x02\x03", 4));
  EXPECT_LE(Ask(message).connect().judgement().verdict(), v1::VERDICT_AUDIT);
}

}  // namespace
}  // namespace holdpoint
