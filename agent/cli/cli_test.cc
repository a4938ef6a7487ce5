// What every command does: the ways to fail, the views of a running daemon, sessions, doctor.
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "agent/cli/test_cli.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace holdpoint {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

// ---- what every command does

TEST_F(CliTest, WithoutADaemonEveryQuestionIs69WithOneSentence) {
  for (const std::vector<std::string>& args :
       std::vector<std::vector<std::string>>{{"status"},
                                             {"sessions"},
                                             {"holds"},
                                             {"wait", "HP-4K7Q"},
                                             {"kill", "s1"},
                                             {"reload"},
                                             {"sessions", "detach", "7"},
                                             {"approve", "HP-4K7Q", "--once", "--reason", "x", "--password-fd", "0"},
                                             {"deny", "HP-4K7Q", "--password-fd", "0"},
                                             {"run", "--env", "staging", "--", "true"}}) {
    const Ended ended = Run(args, "secret");
    EXPECT_EQ(ended.code, 69) << args[0];
    EXPECT_EQ(ended.out, "") << args[0];
    EXPECT_THAT(ended.err, StartsWith("holdpoint: no daemon answers at " + folder_ + "/control.sock"));
    EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1) << ended.err;
  }
}

TEST_F(CliTest, WrongUseIs2AndNamesWhatIsWrong) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{}, "subcommand"},
      {{"--bogus"}, "--bogus"},
      {{"status", "--bogus"}, "--bogus"},
      {{"nonsense"}, "nonsense"},
      {{"status", "--color", "blue"}, "blue"},
      {{"wait"}, "ticket"},
      {{"wait", "HP-1", "--seconds", "soon"}, "soon"},
      {{"wait", "HP-12345678901234567890"}, "at most 15 bytes"},
      {{"approve", "HP-1", "--reason", "x"}, "--once"},
      {{"approve", "HP-1", "--once"}, "--reason"},
      {{"sessions", "detach", "x"}, "x"},
      {{"sessions", "detach", "-1"}, "-1"},
      {{"run", "--env", "staging"}, "behind --"},
      {{"run", "--env", std::string(64, 'e'), "--", "true"}, "--env"},
      {{"status", "--", "true"}, "--"},
      {{"events", "-n", "0"}, "0"},
  };
  for (const auto& [args, part] : cases) {
    const Ended ended = Run(args);
    EXPECT_EQ(ended.code, 2) << (args.empty() ? "" : args[0]) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr(part));
    EXPECT_THAT(ended.err, StartsWith("holdpoint: "));
  }
}

TEST_F(CliTest, HelpAndVersionAreFine) {
  EXPECT_EQ(Run({"-h"}).code, 0);
  EXPECT_THAT(Run({"-h"}).out, HasSubstr("75 undecided"));
  EXPECT_THAT(Run({"approve", "--help"}).out, HasSubstr("--once"));
  EXPECT_THAT(Run({"--version"}).out, StartsWith("holdpoint "));
}

// The completion knows every command that the program has.
TEST_F(CliTest, CompletionNamesEveryCommand) {
  std::ifstream file(absl::StrCat(getenv("HP_SOURCE_DIR"), "/scripts/completions/holdpoint.bash"));
  const std::string completion((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::string help = Run({"--help"}).out;
  const size_t start = help.find("Subcommands:\n") + 13;
  int commands = 0;
  for (absl::string_view line : absl::StrSplit(help.substr(start, help.find("\n\n", start) - start), '\n')) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words.empty() || !absl::StartsWith(line, "  ") || line[2] == ' ') continue;
    ++commands;
    EXPECT_THAT(completion, ::testing::ContainsRegex(absl::StrCat("\n      ", words[0], "\\)|[' ]", words[0], "[' ]")));
  }
  EXPECT_GT(commands, 14);
}

TEST_F(CliTest, TheDaemonsRefusalIsSaidOnceEscapedWithItsExitCode) {
  ServeReply(77, "not from \x1b[2Jhere");
  const Ended ended = Run({"kill", "s1"});
  EXPECT_EQ(ended.code, 77);
  EXPECT_EQ(ended.err, "holdpoint: not from \\x1b[2Jhere\n");
  EXPECT_STREQ(requests_[0].text1, "s1");
}

TEST_F(CliTest, AnswerThatIsNoJsonIsAnErrorAndNoCrash) {
  ServeReply(0, "", {"{\"holds\":"});
  EXPECT_EQ(Run({"holds"}).code, 70);
  EXPECT_EQ(Run({"status"}).code, 70);
  EXPECT_EQ(Run({"sessions", "--json"}).code, 70);
}

TEST_F(CliTest, AnswerWithOtherTypesIsShownAsFarAsItGoes) {
  ServeReply(0, "", {R"({"holds":[{"ticket":7,"owners":"x","deadline_unix":"soon"},{},[1],null]})"});
  EXPECT_EQ(Run({"holds"}).code, 0);
}

TEST_F(CliTest, OutputThatCannotBeWrittenIsAnError) {
  ServeReply(0, "", HoldBodies({TestHold()}));
  const Ended ended = Run({"holds"}, "", [] { dup2(open("/dev/full", O_WRONLY), 1); });
  EXPECT_EQ(ended.code, 69);
  EXPECT_THAT(ended.err, HasSubstr("cannot be written"));
}

// ---- views

TEST_F(CliTest, HoldsForPeopleAreEscapedAndSayWhoMayApprove) {
  ServeReply(0, "", HoldBodies({TestHold()}));
  const Ended ended = Run({"holds"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_THAT(ended.out, HasSubstr("HP-4K7Q"));
  EXPECT_THAT(ended.out, HasSubstr("dana, %sudo"));
  EXPECT_THAT(ended.out, HasSubstr("curl POST \\x1b[2J volumeDelete"));
  EXPECT_THAT(ended.out, HasSubstr("why: deletes a volume for good"));
  EXPECT_THAT(ended.out, HasSubstr("rollback: lee"));
  EXPECT_THAT(ended.out, Not(HasSubstr("\x1b")));
}

TEST_F(CliTest, HoldsAsJsonAreOneRowPerLineOfAllBodies) {
  std::vector<HoldView> holds(200, TestHold());
  for (HoldView& hold : holds) hold.reason = std::string(1000, 'r');
  const std::vector<std::string> bodies = HoldBodies(holds);
  ASSERT_GT(bodies.size(), 1u);
  ServeReply(0, "", bodies);
  const Ended ended = Run({"holds", "--json"});
  EXPECT_EQ(ended.code, 0);
  const std::vector<json> rows = JsonLines(ended.out);
  ASSERT_EQ(rows.size(), 200u);
  EXPECT_EQ(rows[0]["summary"], "curl POST \x1b[2J volumeDelete");
  EXPECT_THAT(ended.out, Not(HasSubstr("\x1b")));
}

TEST_F(CliTest, NothingToShowIsASentenceForPeopleAndNothingAsJson) {
  ServeReply(0, "", HoldBodies({}));
  EXPECT_EQ(Run({"holds"}).out, "nothing waits for a decision\n");
  EXPECT_EQ(Run({"--json", "holds"}).out, "");
}

TEST_F(CliTest, SessionsShowCountsAndUnknownEnvironments) {
  ServeReply(0, "",
             SessionBodies({{.id = "s-1", .coding_agent = "codex", .refused = 3, .workspace = "/w\n/x"},
                            {.id = "s-2", .environment = "production", .protected_environment = true}}));
  const Ended ended = Run({"sessions"});
  EXPECT_THAT(ended.out, HasSubstr("unknown"));
  EXPECT_THAT(ended.out, HasSubstr("/w\\n/x"));
  EXPECT_EQ(JsonLines(Run({"sessions", "--json"}).out)[1]["protected"], true);
}

TEST_F(CliTest, StatusSaysWhatIsNotWell) {
  StatusView status{.daemon = "0.1.0", .scope = "host", .instance = "default", .mode = "observe", .uptime_s = 61};
  status.spool.lost = 2;
  status.rungs = {{.capability = "hold guard", .in_use = "page fault", .missing = "no BPF LSM"}};
  status.kernel = {{"exec_seen", 41}};
  ServeReply(0, "", StatusBodies(status));
  const Ended ended = Run({"status"});
  EXPECT_EQ(ended.code, 0);
  for (const char* part : {"observe", "NOT RUNNING", "2 lost", "no BPF LSM", "exec_seen", "41", "1 min 1 s"}) {
    EXPECT_THAT(ended.out, HasSubstr(part));
  }
  EXPECT_EQ(JsonLines(Run({"status", "--json"}).out)[0]["spool"]["lost"], 2);
}

TEST_F(CliTest, StatusSaysThatTheSpoolIsTheStore) {
  ServeReply(0, "", StatusBodies({}));
  EXPECT_THAT(Run({"status"}).out, HasSubstr("no brokers configured"));
}

TEST_F(CliTest, StatusSaysHowFarTheRecordIsOnItsWay) {
  StatusView status;
  status.spool = {.bytes = 4096,
                  .oldest = 1,
                  .in_reserve = true,
                  .kafka = true,
                  .undelivered = 12,
                  .last_delivery = 2,
                  .last_delivered_record = 1,
                  .trouble = "brokers cannot\x1b be reached"};
  ServeReply(0, "", StatusBodies(status));
  const Ended ended = Run({"status"});
  for (const char* part : {"oldest ", "THE DISK IS FULL", "12 records wait, last delivery ", " ago, of a record made ",
                           "brokers cannot"}) {
    EXPECT_THAT(ended.out, HasSubstr(part));
  }
  EXPECT_THAT(ended.out, Not(HasSubstr("\x1b")));
}

TEST_F(CliTest, MetricsAreWrittenWithTypeAndHelpAndEscaped) {
  Latency latency;
  latency.Add(absl::Microseconds(20));
  RecordView record{.events = {{"exec", 3}}, .verdicts = {{"refuse", 1}}, .version = "0.1\"0\\"};
  record.losses = {{"ring", "full", 4}};
  record.to_verdict = LatencyBuckets::Of(latency);
  ServeReply(0, "", MetricBodies(record));
  const std::string out = Run({"metrics"}).out;
  for (const char* line : {"# TYPE holdpoint_events_total counter\nholdpoint_events_total{type=\"exec\"} 3\n",
                           "holdpoint_lost_events_total{stage=\"ring\",reason=\"full\"} 4\n",
                           "holdpoint_build_info{version=\"0.1\\\"0\\\\\"} 1\n",
                           "holdpoint_consult_seconds_bucket{until=\"verdict\",le=\"1.6384e-05\"} 0\n",
                           "holdpoint_consult_seconds_bucket{until=\"verdict\",le=\"3.2768e-05\"} 1\n",
                           "holdpoint_consult_seconds_bucket{until=\"verdict\",le=\"+Inf\"} 1\n",
                           "holdpoint_consult_seconds_count{until=\"continued\"} 0\n"}) {
    EXPECT_THAT(out, HasSubstr(line));
  }
  EXPECT_THAT(out, Not(HasSubstr("holdpoint_delivered_events_total"))) << "there are no brokers";
}

TEST_F(CliTest, ColourOnlyWhereItIsAskedFor) {
  ServeReply(0, "", HoldBodies({TestHold()}));
  EXPECT_THAT(Run({"holds"}).out, Not(HasSubstr("\x1b[")));
  EXPECT_THAT(Run({"holds", "--color", "always"}).out, HasSubstr("\x1b[1;31mheld"));
  EXPECT_THAT(Run({"holds"}, "", [] { setenv("CLICOLOR_FORCE", "1", 1); }).out, HasSubstr("\x1b[1;31mheld"));
  EXPECT_THAT(Run({"holds"}, "", [] { setenv("CLICOLOR_FORCE", "1", 1), setenv("NO_COLOR", "1", 1); }).out,
              Not(HasSubstr("\x1b[")));
}

// ---- sessions

TEST_F(CliTest, RunBecomesTheCommandAndIsTheProcessThatWasLabelled) {
  pid_t labelled = 0;
  Serve([&labelled](std::shared_ptr<ControlCall> call) {
    labelled = call->peer().pid;
    call->Reply(0, "s-1");
  });
  const Ended ended = Run({"run", "--env", "staging", "--owner", "dana", "--agent", "mine", "--", "sh", "-c",
                           "echo $$ \"$@\"; exit 42", "--", "--env", "-x", "--"});
  EXPECT_EQ(ended.code, 42);
  EXPECT_EQ(ended.out, absl::StrCat(labelled, " --env -x --\n"));
  EXPECT_STREQ(requests_[0].text1, "staging");
  EXPECT_STREQ(requests_[0].text2, "dana");
  EXPECT_STREQ(requests_[0].text3, "mine");
}

TEST_F(CliTest, RunStartsNothingWhereTheDaemonSaysNo) {
  ServeReply(78, "no environment is called stagin");
  const Ended ended = Run({"run", "--env", "stagin", "--", "sh", "-c", "echo started"});
  EXPECT_EQ(ended.code, 78);
  EXPECT_EQ(ended.out, "");
  EXPECT_EQ(ended.err, "holdpoint: no environment is called stagin\n");
}

TEST_F(CliTest, RunStartsNothingWithoutADaemon) {
  const Ended ended = Run({"run", "--", "sh", "-c", "echo started"});
  EXPECT_EQ(ended.code, 69);
  EXPECT_EQ(ended.out, "");
}

TEST_F(CliTest, RunOfACommandThatIsNotThereMakesNoSession) {
  ServeReply(0, "");
  const Ended ended = Run({"run", "--env", "staging", "--", "no-such-command-here"});
  EXPECT_EQ(ended.code, 127);
  EXPECT_THAT(requests_, IsEmpty());
}

TEST_F(CliTest, DetachKillAndReloadSayWhatTheyAskFor) {
  ServeReply(0, "done");
  Run({"sessions", "detach", "4711"});
  Run({"kill", "s-1"});
  Run({"reload"});
  Run({"reload", "--forget-executables"});
  ASSERT_EQ(requests_.size(), 4u);
  EXPECT_EQ(requests_[0].command, ControlCommand::kDetach);
  EXPECT_EQ(requests_[0].number, 4711u);
  EXPECT_EQ(requests_[1].command, ControlCommand::kKillSession);
  EXPECT_EQ(requests_[2].command, ControlCommand::kReload);
  EXPECT_EQ(requests_[3].command, ControlCommand::kClass);
}

// ---- doctor

TEST_F(CliTest, DoctorWorksWithoutADaemonAndSaysSo) {
  const Ended ended = Run({"doctor", "--json"});
  EXPECT_EQ(ended.code, 1);
  const std::vector<json> rows = JsonLines(ended.out);
  ASSERT_GT(rows.size(), 5u);
  EXPECT_EQ(rows.back()["check"], "daemon");
  EXPECT_EQ(rows.back()["ok"], false);
  EXPECT_THAT(Run({"doctor"}).out, HasSubstr("no daemon answers"));
}

TEST_F(CliTest, DoctorTellsALowerRungFromAMissingOne) {
  ServeReply(0, "", DoctorBodies({{.check = "lower", .ok = true, .advice = "a", .warning = true}, {.check = "gone"}}));
  const std::vector<json> rows = JsonLines(Run({"doctor", "--json"}).out);
  ASSERT_GE(rows.size(), 2u);
  EXPECT_EQ(rows[rows.size() - 2]["level"], "warning");
  EXPECT_EQ(rows[rows.size() - 2]["ok"], true);
  EXPECT_EQ(rows[rows.size() - 1]["level"], "bad");
}

TEST_F(CliTest, DoctorShowsTheDaemonsRowsToo) {
  ServeReply(0, "", DoctorBodies({{.check = "hold guard", .ok = false, .detail = "d\x1b", .advice = "a"}}));
  const Ended ended = Run({"doctor"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.out, HasSubstr("hold guard"));
  EXPECT_THAT(ended.out, HasSubstr("d\\x1b"));
  EXPECT_THAT(ended.out, HasSubstr("-> a"));
}

}  // namespace
}  // namespace holdpoint
