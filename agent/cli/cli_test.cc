// The program itself against the real control server with answers made up here: each command, each way to fail.
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/base/clock.h"
#include "agent/control/server.h"
#include "agent/control/views.h"
#include "agent/event/recorder.h"
#include "agent/spool/spool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace holdpoint {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr absl::Duration kLong = absl::Seconds(60);

struct Ended {
  int code = -1;
  std::string out, err;
};

class CliTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/hp-cli-XXXXXX";
    folder_ = mkdtemp(name);
    for (const char* variable :
         {"HOLDPOINT_RUN", "HOLDPOINT_STATE", "HOLDPOINT_INSTANCE", "SUDO_USER", "NO_COLOR", "CLICOLOR_FORCE"}) {
      unsetenv(variable);
    }
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  void Serve(ControlServer::Handler handler) {
    auto server = ControlServer::Listen({.path = folder_ + "/control.sock"}, [this, handler](auto call) {
      requests_.push_back(call->request());
      secrets_.push_back(call->TakeSecret());
      handler(std::move(call));
    });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  void ServeReply(int code, const std::string& message, std::vector<std::string> bodies = {}) {
    Serve([=](std::shared_ptr<ControlCall> call) { call->Reply(code, message, bodies); });
  }

  static std::string Binary() { return absl::StrCat(getenv("HP_BUILD_DIR"), "/bin/holdpoint"); }

  // Runs the program with this test's folder as its run folder and serves it until it has ended. `child` runs in the
  // new process before the program does.
  Ended Run(
      std::vector<std::string> args, const std::string& input = "", std::function<void()> child = [] {}) {
    int in[2], out[2], err[2];
    EXPECT_EQ(pipe2(in, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(out, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(err, O_CLOEXEC), 0);
    args.insert(args.begin(), {Binary(), "--run", folder_});
    std::vector<char*> argv;
    for (std::string& arg : args) argv.push_back(arg.data());
    argv.push_back(nullptr);
    const pid_t pid = fork();
    if (pid == 0) {
      setsid();  // no terminal
      dup2(in[0], 0);
      dup2(out[1], 1);
      dup2(err[1], 2);
      child();
      execv(argv[0], argv.data());
      _exit(99);
    }
    child_ = pid;
    close(in[0]);
    close(out[1]);
    close(err[1]);
    EXPECT_EQ(write(in[1], input.data(), input.size()), static_cast<ssize_t>(input.size()));
    close(in[1]);
    Ended ended;
    const UniqueFd out_fd(out[0]), err_fd(err[0]);
    bool out_open = true, err_open = true;
    const BootTime end = Clock::Real().Boot() + kLong;
    while (out_open || err_open) {
      if (Clock::Real().Boot() > end) {
        ADD_FAILURE() << "the program does not end";
        kill(pid, SIGKILL);
        break;
      }
      pollfd fds[3] = {{out_open ? out_fd.get() : -1, POLLIN, 0},
                       {err_open ? err_fd.get() : -1, POLLIN, 0},
                       {server_ ? server_->fd() : -1, POLLIN, 0}};
      poll(fds, 3, 1000);
      if (server_) server_->Dispatch();
      if (fds[0].revents) out_open = Take(out_fd.get(), ended.out);
      if (fds[1].revents) err_open = Take(err_fd.get(), ended.err);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    ended.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return ended;
  }
  static bool Take(int fd, std::string& text) {
    char part[65536];
    const ssize_t got = read(fd, part, sizeof(part));
    if (got > 0) text.append(part, static_cast<size_t>(got));
    return got > 0;
  }
  // A descriptor 9 with `password` in it, in the child.
  static std::function<void()> PasswordOn9(const std::string& password) {
    return [password] {
      int ends[2];
      if (pipe(ends) != 0 || write(ends[1], password.data(), password.size()) < 0) _exit(98);
      close(ends[1]);
      dup2(ends[0], 9);
    };
  }
  static std::vector<json> JsonLines(const std::string& text) {
    std::vector<json> rows;
    for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
      rows.push_back(json::parse(std::string(line)));
    }
    return rows;
  }

  std::string folder_;
  pid_t child_ = 0;
  std::unique_ptr<ControlServer> server_;
  std::vector<ControlRequest> requests_;
  std::vector<std::string> secrets_;
};

HoldView TestHold() {
  return {.ticket = "HP-4K7Q",
          .session = "s1",
          .state = "held",
          .summary = "curl POST \x1b[2J volumeDelete",
          .reason = "deletes a volume for good",
          .environment = "production",
          .owners = {"dana", "%sudo"},
          .rollback = {"lee"},
          .pid = 7,
          .deadline_unix = time(nullptr) + 10,
          .rule = "railway-volume-delete",
          .verdict = "hold"};
}

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

// ---- decisions

TEST_F(CliTest, ApproveSendsWhoWhyAndThePasswordFromItsDescriptor) {
  ServeReply(0, "HP-4K7Q approved");
  const Ended ended =
      Run({"approve", "hp-4k7q", "--once", "--reason", "checked with lee", "--as", "dana", "--password-fd", "9"}, "",
          PasswordOn9("pass word\n"));
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out, "HP-4K7Q approved\n");
  ASSERT_EQ(requests_.size(), 1u);
  EXPECT_EQ(requests_[0].command, ControlCommand::kApprove);
  EXPECT_EQ(requests_[0].flags, kControlOnce);
  EXPECT_STREQ(requests_[0].ticket, "HP-4K7Q");
  EXPECT_STREQ(requests_[0].text1, "dana");
  EXPECT_STREQ(requests_[0].text2, "checked with lee");
  EXPECT_EQ(secrets_[0], "pass word");
}

TEST_F(CliTest, TheOwnerIsWhoCalledSudoUnlessSaidOtherwise) {
  ServeReply(0, "");
  const auto child = [] {
    PasswordOn9("x")();
    setenv("SUDO_USER", "dana", 1);
  };
  Run({"deny", "HP-1", "--password-fd", "9"}, "", child);
  Run({"deny", "HP-1", "--password-fd", "9", "--as", "lee"}, "", child);
  ASSERT_EQ(requests_.size(), 2u);
  if (geteuid() == 0) {
    EXPECT_STREQ(requests_[0].text1, "dana");
  }
  EXPECT_STREQ(requests_[1].text1, "lee");
  EXPECT_EQ(requests_[0].command, ControlCommand::kDeny);
}

TEST_F(CliTest, WithoutTerminalAndDescriptorNothingIsDecided) {
  ServeReply(0, "", HoldBodies({}));
  const Ended ended = Run({"approve", "HP-1", "--once", "--reason", "x"}, "secret-on-stdin\n");
  EXPECT_EQ(ended.code, 77);
  EXPECT_THAT(ended.err, HasSubstr("no terminal"));
  for (const ControlRequest& request : requests_) EXPECT_EQ(request.command, ControlCommand::kHolds);
}

TEST_F(CliTest, PasswordThatIsTooLongIsNotSent) {
  ServeReply(0, "");
  EXPECT_EQ(Run({"deny", "HP-1", "--password-fd", "9"}, "", PasswordOn9(std::string(128, 'x'))).code, 2);
  EXPECT_THAT(requests_, IsEmpty());
  EXPECT_EQ(Run({"deny", "HP-1", "--password-fd", "9"}, "", PasswordOn9(std::string(127, 'x'))).code, 0);
}

TEST_F(CliTest, ClosedPasswordDescriptorIsAnError) {
  ServeReply(0, "");
  EXPECT_NE(Run({"deny", "HP-1", "--password-fd", "77"}).code, 0);
  EXPECT_THAT(requests_, IsEmpty());
}

// At a terminal: what is decided on is shown, the password is asked for and not echoed.
TEST_F(CliTest, AsksOnTheTerminalWithoutEcho) {
  Serve([](std::shared_ptr<ControlCall> call) {
    if (call->request().command == ControlCommand::kHolds) return call->Reply(0, "", HoldBodies({TestHold()}));
    call->Reply(0, "approved");
  });
  int terminal = -1;
  const pid_t pid = forkpty(&terminal, nullptr, nullptr, nullptr);
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    execl(Binary().c_str(), "holdpoint", "--run", folder_.c_str(), "approve", "HP-4K7Q", "--once", "--reason", "x",
          "--as", "dana", nullptr);
    _exit(99);
  }
  const UniqueFd owned(terminal);
  std::string seen;
  bool typed = false;
  for (bool open = true; open;) {
    pollfd fds[2] = {{terminal, POLLIN, 0}, {server_->fd(), POLLIN, 0}};
    ASSERT_GT(poll(fds, 2, 60000), 0) << seen;
    server_->Dispatch();
    if (fds[0].revents) open = Take(terminal, seen);
    if (!typed && seen.find("Password or code of dana: ") != std::string::npos) {
      typed = true;
      ASSERT_EQ(write(terminal, "hidden words\n", 13), 13);
    }
  }
  int status = 0;
  waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0) << seen;
  EXPECT_THAT(seen, HasSubstr("curl POST \\x1b[2J volumeDelete"));
  EXPECT_THAT(seen, HasSubstr("rollback: lee"));
  EXPECT_THAT(seen, HasSubstr("approved"));
  EXPECT_THAT(seen, Not(HasSubstr("hidden words")));
  EXPECT_EQ(secrets_.back(), "hidden words");
}

TEST_F(CliTest, InterruptAtThePromptDecidesNothingAndRestoresTheTerminal) {
  ServeReply(0, "", HoldBodies({}));
  int terminal = -1;
  const pid_t pid = forkpty(&terminal, nullptr, nullptr, nullptr);
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    execl(Binary().c_str(), "holdpoint", "--run", folder_.c_str(), "deny", "HP-4K7Q", "--as", "dana", nullptr);
    _exit(99);
  }
  const UniqueFd owned(terminal);
  std::string seen;
  bool typed = false;
  for (bool open = true; open;) {
    pollfd fds[2] = {{terminal, POLLIN, 0}, {server_->fd(), POLLIN, 0}};
    ASSERT_GT(poll(fds, 2, 60000), 0) << seen;
    server_->Dispatch();
    if (fds[0].revents) open = Take(terminal, seen);
    if (!typed && seen.find("Password") != std::string::npos) {
      typed = true;
      termios modes{};
      ASSERT_EQ(tcgetattr(terminal, &modes), 0);
      EXPECT_FALSE(modes.c_lflag & ECHO);
      ASSERT_EQ(write(terminal, "\x03", 1), 1);
    }
  }
  int status = 0;
  waitpid(pid, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT) << status;
  for (const ControlRequest& request : requests_) EXPECT_EQ(request.command, ControlCommand::kHolds);
}

TEST_F(CliTest, WaitHasAnExitCodeForEachOutcome) {
  for (const int code : {0, 77, 75, 69}) {
    ServeReply(code, "said so");
    const Ended ended = Run({"wait", "HP-4K7Q", "--seconds", "3"});
    EXPECT_EQ(ended.code, code);
    EXPECT_EQ(code == 0 ? ended.out : ended.err, code == 0 ? "said so\n" : "holdpoint: said so\n");
    EXPECT_EQ(requests_.back().number, 3u);
    EXPECT_EQ(JsonLines(Run({"wait", "HP-4K7Q", "--json"}).out)[0]["exit_code"], code);
    EXPECT_EQ(requests_.back().number, 8u);
    server_.reset();
  }
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

// ---- configuration

TEST_F(CliTest, ConfigCheckIs78WithPlaceAndWish) {
  const std::string file = folder_ + "/holdpoint.yaml";
  std::ofstream(file) << "version: 1\nsessions:\n  default_environment: nowhere\n";
  const Ended bad = Run({"config", "check", file});
  EXPECT_EQ(bad.code, 78);
  EXPECT_THAT(bad.err, HasSubstr(file + ":3:"));
  std::ofstream(file) << Run({"config", "default"}).out;
  EXPECT_EQ(Run({"config", "check", file}).code, 0);
  EXPECT_EQ(JsonLines(Run({"config", "check", file, "--json"}).out)[0]["accepted"], true);
  EXPECT_EQ(Run({"config", "check", folder_ + "/none.yaml"}).code, 78);
  EXPECT_EQ(Run({"config", "check", folder_}).code, 2);
}

TEST_F(CliTest, FingerprintIsOfTheValueAndTheKeyAndHidesBoth) {
  const std::string key = folder_ + "/key";
  std::ofstream(key) << std::string(32, 'k');
  const Ended one = Run({"fingerprint", "--key", key}, "token-value\n");
  EXPECT_EQ(one.code, 0) << one.err;
  EXPECT_THAT(one.out, StartsWith("fp:"));
  EXPECT_EQ(one.out.size(), 3u + 16u + 1u);
  EXPECT_EQ(Run({"fingerprint", "--key", key}, "token-value").out, one.out);
  EXPECT_NE(Run({"fingerprint", "--key", key}, "token-valuf").out, one.out);
  std::ofstream(key) << std::string(32, 'l');
  EXPECT_NE(Run({"fingerprint", "--key", key}, "token-value").out, one.out);
  EXPECT_EQ(Run({"fingerprint", "--key", key}, " \n").code, 2);
  std::ofstream(key) << "short";
  EXPECT_EQ(Run({"fingerprint", "--key", key}, "x").code, 78);
  EXPECT_EQ(Run({"fingerprint", "--key", folder_ + "/none"}, "x").code, 69);
  EXPECT_EQ(Run({"fingerprint", "token-value"}).code, 2);  // never as an argument
}

// ---- the policy

class CliPolicyTest : public CliTest {
 protected:
  static std::string Rules() { return absl::StrCat(getenv("HP_SOURCE_DIR"), "/rules"); }
  // `check` with the rules that ship and the built-in configuration.
  Ended Check(std::vector<std::string> args, const std::string& input = "") {
    std::ofstream(folder_ + "/empty.yaml") << "version: 1\n";
    args.insert(args.begin(), {"check", "--rules", Rules(), "--config", folder_ + "/empty.yaml"});
    return Run(args, input);
  }
};

TEST_F(CliPolicyTest, EachLineGetsItsAnswerInOrder) {
  const Ended ended = Check({}, R"({"id":7,"argv":["rm","-rf","/srv/data"],"cwd":"/srv/shop"})"
                                "\n\n"
                                R"({"id":"b","command":"ls -la","session_environment":"production"})"
                                "\n");
  EXPECT_EQ(ended.code, 1) << ended.err;  // one of them would be held
  const std::vector<json> rows = JsonLines(ended.out);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["id"], 7);
  EXPECT_EQ(rows[0]["verdict"], "hold");
  EXPECT_EQ(rows[0]["rule"], "files.rm");
  EXPECT_EQ(rows[0]["digest"].get<std::string>().size(), 64u);
  EXPECT_EQ(rows[1]["id"], "b");
  EXPECT_EQ(rows[1]["verdict"], "allow");
  EXPECT_EQ(rows[1]["tags"]["session"]["environment"], "production");
}

TEST_F(CliPolicyTest, CommandBehindTheDashesIsOneArgv) {
  const Ended ended = Check({"--", "sh", "-c", "rm -rf /srv/data", "--json"});
  EXPECT_EQ(ended.code, 1) << ended.err;
  EXPECT_THAT(ended.out, StartsWith("hold  "));
  EXPECT_EQ(JsonLines(Check({"--json", "--", "rm", "-rf", "/srv/data"}).out)[0]["verdict"], "hold");
  EXPECT_EQ(Check({"--", "ls"}).code, 0);
}

TEST_F(CliPolicyTest, WrongLineIsNamedAndIsTheEnd) {
  const Ended ended = Check({}, "{\"argv\":[\"ls\"]}\nno json \x1b\n{\"command\":\"ls\"}\n");
  EXPECT_EQ(ended.code, 2);
  EXPECT_EQ(JsonLines(ended.out).size(), 1u);
  EXPECT_THAT(ended.err, HasSubstr("line 2: "));
  EXPECT_THAT(ended.err, Not(HasSubstr("\x1b")));
}

TEST_F(CliPolicyTest, LookingAtTheFilesKnowsWhatCanBeMadeAgain) {
  const std::string shop = folder_ + "/shop";
  std::filesystem::create_directories(shop + "/build");
  std::ofstream(shop + "/.gitignore") << "build/\n";
  std::ofstream(shop + "/build/out.o") << "x";
  ASSERT_EQ(std::system(("git -c init.defaultBranch=main init -q " + shop).c_str()), 0);
  const auto verdict = [&](std::vector<std::string> flags, const std::string& path) {
    flags.insert(flags.begin(), {"--json", "--cwd", shop});
    flags.insert(flags.end(), {"--", "rm", "-rf", path});
    const Ended ended = Check(flags);
    return JsonLines(ended.out).at(0)["verdict"].get<std::string>();
  };
  EXPECT_EQ(verdict({"--look"}, "build"), "allow");
  EXPECT_EQ(verdict({}, "build"), "hold");
  EXPECT_EQ(verdict({"--look"}, ".git"), "hold");
}

TEST_F(CliPolicyTest, WithoutRulesOrWithAWrongConfigurationItIs78) {
  const Ended none = Run({"check", "--rules", folder_, "--", "ls"});
  EXPECT_EQ(none.code, 78);
  EXPECT_THAT(none.err, HasSubstr("--rules"));
  const std::string file = folder_ + "/wrong.yaml";
  std::ofstream(file) << "version: 1\nnonsense: 1\n";
  const Ended wrong = Run({"check", "--rules", Rules(), "--config", file, "--", "ls"});
  EXPECT_EQ(wrong.code, 78);
  EXPECT_THAT(wrong.err, HasSubstr(file + ":2:"));
}

TEST_F(CliPolicyTest, RulesTestRunsTheCasesOfEveryPack) {
  const Ended fine = Run({"rules", "test", "--rules", Rules()});
  EXPECT_EQ(fine.code, 0) << fine.err;
  EXPECT_THAT(fine.out, HasSubstr(", 0 rules with a case that fails"));
  const std::vector<json> rows = JsonLines(Run({"rules", "list", "--rules", Rules(), "--json"}).out);
  EXPECT_GT(rows.size(), 3u);
}

TEST_F(CliPolicyTest, RulesTestTellsAFailingCaseFromAPackThatIsWrong) {
  const std::string file = folder_ + "/pack.yaml";
  const auto pack = [&file](const std::string& cases) {
    std::ofstream(file)
        << "schema: 1\nfamily: own\ntitle: t\nmode: enforce\ntools:\n  - names: [wipe]\n"
           "rules:\n  - id: own.wipe\n    title: t\n    effect: destroy\n"
           "    recoverability: irreversible\n    why: wipes\n    resource: {type: path, from: operands}\n"
           "    techniques: [T1485]\n    when: {tool: [wipe]}\n"
        << cases;
  };
  pack("    cases:\n      fires: [{argv: [wipe, /srv/x]}]\n      passes: [{argv: [ls]}]\n");
  const Ended fine = Run({"rules", "test", "--rules", file});
  EXPECT_EQ(fine.code, 0) << fine.err;
  pack("    cases:\n      fires: [{argv: [ls]}]\n      passes: [{argv: [ls]}]\n");
  const Ended failing = Run({"rules", "test", "--rules", file});
  EXPECT_EQ(failing.code, 1);
  EXPECT_THAT(failing.err, HasSubstr("own.wipe"));
  pack("");
  EXPECT_EQ(Run({"rules", "test", "--rules", file}).code, 78);
}

// ---- the record

class CliRecordTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    v1::StreamId stream;
    stream.set_host("h");
    stream.set_run_id("run-1");
    auto spool = Spool::Open(folder_ + "/spool", "run-1", {});
    ASSERT_TRUE(spool.ok()) << spool.status();
    spool_ = *std::move(spool);
    recorder_ = std::make_unique<Recorder>(stream, Clock::Real(), *spool_);
  }
  void Record(const std::string& session, const std::string& program) {
    v1::Envelope event;
    event.set_session(session);
    event.mutable_exec()->mutable_process()->add_argv(program);
    ASSERT_TRUE(recorder_->Record(std::move(event)).ok());
    ASSERT_TRUE(spool_->Sync().ok());
  }
  std::unique_ptr<Spool> spool_;
  std::unique_ptr<Recorder> recorder_;
};

TEST_F(CliRecordTest, EventsAreFilteredAndCounted) {
  Record("s1", "make");
  Record("s2", "curl\x1b");
  Record("s1", "git");
  const Ended all = Run({"events", "--state", folder_});
  EXPECT_EQ(all.code, 0) << all.err;
  EXPECT_THAT(all.out, HasSubstr("make"));
  EXPECT_THAT(all.out, Not(HasSubstr("\x1b")));
  EXPECT_EQ(JsonLines(Run({"events", "--json", "--state", folder_, "--session", "s1"}).out).size(), 2u);
  EXPECT_EQ(JsonLines(Run({"events", "--json", "--state", folder_, "-n", "1"}).out).size(), 1u);
  EXPECT_EQ(JsonLines(Run({"events", "--json", "--state", folder_, "--kind", "connect"}).out).size(), 0u);
  EXPECT_EQ(JsonLines(Run({"events", "--json", "--state", folder_, "--kind", "exec"}).out).size(), 3u);
}

TEST_F(CliRecordTest, EventsAreExportedAsASiemReadsThem) {
  Record("s1", "make=|");
  EXPECT_THAT(Run({"events", "--format", "cef", "--state", folder_}).out, HasSubstr("CEF:0|Holdpoint|Holdpoint|"));
  const auto ocsf = JsonLines(Run({"events", "--format", "ocsf", "--state", folder_}).out);
  ASSERT_EQ(ocsf.size(), 1u);
  EXPECT_EQ(ocsf[0]["class_uid"], 1007);
  EXPECT_EQ(JsonLines(Run({"events", "--format", "ecs", "--state", folder_}).out)[0]["process"]["args"][0], "make=|");
  EXPECT_EQ(Run({"events", "--format", "json", "--state", folder_}).out, Run({"events", "--json", "--state", folder_}).out);
  EXPECT_EQ(Run({"events", "--format", "leef", "--state", folder_}).code, 2);
}

TEST_F(CliRecordTest, SinksSayHowFarTheyAre) {
  EXPECT_THAT(Run({"sinks", "--state", folder_}).out, HasSubstr("no sinks"));
  std::filesystem::create_directories(folder_ + "/stream/sinks/siem");
  std::ofstream(folder_ + "/stream/sinks/siem/counters")
      << R"({"target": "tcp://h:601\u001b", "format": "cef", "delivered": 12, "missing": 3, "failures": 1,
             "last_failure": "h: Connection refused", "last_failure_unix_ns": 5})";
  const Ended people = Run({"sinks", "--state", folder_});
  EXPECT_EQ(people.code, 0) << people.err;
  EXPECT_THAT(people.out, HasSubstr("away: h: Connection refused"));
  EXPECT_THAT(people.out, Not(HasSubstr("\x1b")));
  const auto rows = JsonLines(Run({"sinks", "--json", "--state", folder_}).out);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0]["name"], "siem");
  EXPECT_EQ(rows[0]["missing"], 3);
}

TEST_F(CliRecordTest, TheDaemonSaysWhereItsRecordIs) {
  Record("s1", "make");
  ServeReply(0, "", StatusBodies({.state = folder_}));
  const Ended ended = Run({"events", "--json"});
  EXPECT_EQ(JsonLines(ended.out).size(), 1u) << ended.err;
}

TEST_F(CliRecordTest, FollowGoesOnWithWhatHappensNext) {
  Record("s1", "first");
  int out[2];
  ASSERT_EQ(pipe2(out, O_CLOEXEC), 0);
  const UniqueFd out_fd(out[0]);
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(out[1], 1);
    execl(Binary().c_str(), "holdpoint", "--state", folder_.c_str(), "events", "-f", "--json", nullptr);
    _exit(99);
  }
  close(out[1]);
  std::string seen;
  const auto wait_for = [&](const std::string& text) {
    while (seen.find(text) == std::string::npos) {
      pollfd ready{out_fd.get(), POLLIN, 0};
      ASSERT_EQ(poll(&ready, 1, 60000), 1) << seen;
      ASSERT_TRUE(Take(out_fd.get(), seen)) << seen;
    }
  };
  wait_for("first");
  Record("s1", "second");
  wait_for("second");
  kill(pid, SIGTERM);
  waitpid(pid, nullptr, 0);
}

TEST_F(CliRecordTest, VerifyFindsAChangedByte) {
  Record("s1", "make");
  Record("s1", "git");
  recorder_.reset();
  spool_.reset();
  const Ended whole = Run({"verify", "--state", folder_});
  EXPECT_EQ(whole.code, 0) << whole.out << whole.err;
  EXPECT_THAT(whole.out, HasSubstr("the record is whole"));
  for (const auto& file : std::filesystem::recursive_directory_iterator(folder_ + "/spool")) {
    if (file.path().extension() != ".seg") continue;
    std::fstream segment(file.path(), std::ios::in | std::ios::out | std::ios::binary);
    segment.seekg(0, std::ios::end);
    const std::streamoff middle = segment.tellg() / 2;
    segment.seekg(middle);
    const char byte = static_cast<char>(segment.get() ^ 1);
    segment.seekp(middle);
    segment.put(byte);
  }
  EXPECT_EQ(Run({"verify", "--state", folder_}).code, 1);
  EXPECT_EQ(JsonLines(Run({"verify", "--json", "--state", folder_}).out)[0]["ok"], false);
}

TEST_F(CliTest, NoRecordIs69) {
  EXPECT_EQ(Run({"events", "--state", folder_ + "/none"}).code, 69);
  EXPECT_EQ(Run({"verify", "--state", folder_ + "/none"}).code, 69);
}

}  // namespace
}  // namespace holdpoint
