#include "agent/gate/credential_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "agent/gate/kept_session.h"
#include "agent/response/proc.h"
#include "tests/support/fake_kernel.h"
#include "tests/support/fanotify_record.h"

namespace holdpoint {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr SessionNumber kSession = 12;
constexpr uint64_t kRootProgram = 40;

// Stands still until it is told to go on.
class HandClock final : public Clock {
 public:
  BootTime Boot() const override { return now; }
  absl::Time Wall() const override { return absl::FromUnixSeconds(1'700'000'000); }
  BootTime now{1'000'000'000'000};
};

class MemorySink final : public RecordSink {
 public:
  absl::Status Append(uint64_t, absl::string_view record, RecordClass) override {
    v1::Envelope event;
    EXPECT_TRUE(event.ParseFromString(std::string(record)));
    events.push_back(std::move(event));
    return absl::OkStatus();
  }
  absl::Status Sync() override { return absl::OkStatus(); }
  std::vector<Eviction> TakeEvictions() override { return {}; }
  void NoteUnwritten(const SequenceGap&) override {}
  void EvictionsDeclared() override {}
  std::vector<v1::Envelope> events;
};

class LabellingKernel final : public FakeKernel {
 public:
  absl::StatusOr<hp_label> Label(int pidfd) override {
    std::ifstream info(absl::StrCat("/proc/self/fdinfo/", pidfd));
    for (std::string line; std::getline(info, line);) {
      pid_t pid = 0;
      if (line.starts_with("Pid:") && absl::SimpleAtoi(line.substr(4), &pid) && labels.contains(pid)) return labels[pid];
    }
    return absl::NotFoundError("no label");
  }
  std::map<pid_t, hp_label> labels;
};

// A process of nobody's until it has a label.
class Process {
 public:
  Process() : pid_(fork()) {
    if (pid_ == 0) {
      for (;;) pause();
    }
  }
  ~Process() { End(); }
  void End() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

// The kernel's queue is a socket, the reader a shell that says what the test has written down.
class CredentialDeskTest : public testing::Test {
 protected:
  CredentialDeskTest() {
    char name[] = "/tmp/holdpoint-desk-XXXXXX";
    folder_ = mkdtemp(name);
    options_.run = folder_;
    Reader("cat <&4 >> FOLDER/asked; echo >> FOLDER/looks; cat FOLDER/found >&3");
    v1::StreamId stream;
    stream.set_run_id("run");
    recorder_ = std::make_unique<Recorder>(stream, clock_, sink_);
    ledger_ = std::make_unique<Ledger>(*recorder_, clock_);
    loop_ = *EventLoop::Create(Clock::Real());
    facts_ = std::make_unique<FactsReader>(*loop_, Clock::Real(), folder_ + "/reader");
    judge_ = *JudgeLink::Start(*loop_, Clock::Real(), absl::StrCat(getenv("HP_BUILD_DIR"), "/tests/fake_judge"),
                               [](const std::string&) {});
    responder_ = *Responder::Create([](const StoppedTask&, hp_task_state) { return absl::OkStatus(); });
    owners_ = std::make_unique<Owners>(*loop_, clock_, "", std::vector<std::string>());

    v1::Configured configured;
    Wanted(&configured, "/srv/.env", "account-token");
    configured.mutable_credential_files(0)->mutable_environment()->set_environment("production");
    Wanted(&configured, "./key", "key");
    Wanted(&configured, "~/.aws/credentials", "well-known");
    policy_ = ActivePolicy(std::move(configured), 1, false);

    Session session;
    session.number = kSession;
    session.state = SessionState::kConfirmed;
    session.workspace = "/srv/shop";
    session.uid = getuid();
    session.root = root_id();
    EXPECT_TRUE(sessions_.Add(std::move(session)).ok());
    EXPECT_TRUE(KeepSession(options_.run, *sessions_.Find(kSession), v1::SessionStarted()).ok());
    kernel_.labels[root_.pid()] = LabelOf(kSession, kRootProgram);
    kernel_.labels[cat_.pid()] = LabelOf(kSession, 41);

    desk_ = std::make_unique<CredentialDesk>(core(), Queue(&queue_), Queue(&folders_));
  }
  ~CredentialDeskTest() override { std::filesystem::remove_all(folder_); }

  static std::unique_ptr<OpenWatch> Queue(UniqueFd* kernel) {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    kernel->reset(ends[0]);
    return std::make_unique<OpenWatch>(UniqueFd(ends[1]));
  }
  Core core() {
    return {options_, clock_,   *loop_,  kernel_,   *responder_, *judge_,  *ledger_,   sessions_,
            rollups_, tickets_, intent_, *owners_, policy_,     *facts_, approvals_, emergency_};
  }
  static void Wanted(v1::Configured* configured, const std::string& path, const std::string& credential) {
    v1::CredentialFile* file = configured->add_credential_files();
    file->set_path(path);
    file->set_credential(credential);
  }
  static hp_label LabelOf(SessionNumber session, uint64_t exec_id) {
    hp_label label = {};
    label.session = session;
    label.exec_id = exec_id;
    label.start_boot_ns = 5;
    return label;
  }
  ProcessId root_id() const { return *IdentifyPid(root_.pid()); }

  void Reader(std::string script) {
    const std::string path = folder_ + "/reader";
    for (size_t at; (at = script.find("FOLDER")) != std::string::npos;) script.replace(at, 6, folder_);
    std::ofstream(path + ".new") << "#!/bin/sh\n" << script << "\n";
    chmod((path + ".new").c_str(), 0755);
    rename((path + ".new").c_str(), path.c_str());  // what runs keeps its own
  }

  void Until(const std::function<bool()>& done) {
    std::function<void()> look = [&] {
      if (done()) return loop_->Stop();
      loop_->At(Clock::Real().Boot() + absl::Milliseconds(2), look);
    };
    loop_->At(Clock::Real().Boot(), look);
    EXPECT_TRUE(loop_->Run().ok());
  }

  std::string Text(const std::string& name) const {
    std::ifstream file(folder_ + "/" + name, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  size_t Looks() const { return Text("looks").size(); }

  void Find(const std::vector<WatchedFile>& found) {
    std::ofstream file(folder_ + "/found", std::ios::binary);
    for (const WatchedFile& one : found) file << FanotifyRecord::Bytes(one);
  }
  // A look of the session finds these, and they are known.
  void Watch(const std::vector<WatchedFile>& found) {
    Find(found);
    const size_t files = static_cast<size_t>(
        std::count_if(found.begin(), found.end(), [](const WatchedFile& file) { return file.kind == WatchedFile::kFile; }));
    desk_->Look(kSession);
    Until([&] { return Watched() == files; });
  }
  size_t Watched() const {
    const std::string said = desk_->Described();
    size_t files = 0;
    EXPECT_TRUE(absl::SimpleAtoi(said.substr(said.find(", ") + 2, said.rfind(' ') - said.find(", ") - 2), &files)) << said;
    return files;
  }

  void Send(const std::string& records) { SendTo(queue_, records); }
  void Put(const std::string& records) { SendTo(folders_, records); }
  void SendTo(const UniqueFd& queue, const std::string& records) {
    ASSERT_EQ(send(queue.get(), records.data(), records.size(), 0), static_cast<ssize_t>(records.size()));
    desk_->Drain();
  }
  std::string By(pid_t pid, uint64_t mask, const WatchedFile& file) {
    return FanotifyRecord(mask, pid).Of(file).By(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))).Text();
  }
  void Pass(absl::Duration time) { clock_.now = clock_.now + time; }
  ExitEvent ExitOf(pid_t pid, SessionNumber session = kSession) {
    ExitEvent exit = {};
    exit.head.process = {pid, 5};
    exit.head.session = session;
    exit.exec_id = 77;
    return exit;
  }
  void Exec(uint64_t exec_id, pid_t pid, const std::string& executable) {
    ExecEvent exec = {};
    exec.head.session = kSession;
    exec.head.process = {pid, 5};
    exec.exec_id = exec_id;
    exec.executable = executable;
    desk_->OnExec(exec);
  }

  std::vector<v1::CredentialRead> Reads() const {
    std::vector<v1::CredentialRead> reads;
    for (const v1::Envelope& event : sink_.events) {
      if (event.has_credential_read()) reads.push_back(event.credential_read());
    }
    return reads;
  }
  uint64_t Lost(const std::string& reason) {
    const auto losses = recorder_->losses();
    const auto it = losses.find("credentials/" + reason);
    return it == losses.end() ? 0 : it->second;
  }
  const std::vector<OpenedCredential>& Opened() { return sessions_.Find(kSession)->opened_credentials; }

  const WatchedFile env_ = MadeWatchedFile("/srv/.env", "env");
  Process root_, cat_;
  std::string folder_;
  Options options_;
  HandClock clock_;
  MemorySink sink_;
  UniqueFd queue_, folders_;
  std::unique_ptr<Recorder> recorder_;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<FactsReader> facts_;
  std::unique_ptr<JudgeLink> judge_;
  std::unique_ptr<Responder> responder_;
  std::unique_ptr<Owners> owners_;
  LabellingKernel kernel_;
  SessionTable sessions_{"1f3c0000"};
  Rollups rollups_;
  TicketTable tickets_{16};
  IntentLedger intent_;
  ActivePolicy policy_;
  ApprovalBook approvals_;
  Emergency emergency_;
  std::unique_ptr<CredentialDesk> desk_;
};

TEST_F(CredentialDeskTest, TheFirstReadIsToldAndNoOther) {
  Watch({env_});
  Exec(41, cat_.pid(), "/usr/bin/cat");
  Send(By(cat_.pid(), FAN_OPEN | FAN_ACCESS | FAN_CLOSE_NOWRITE, env_));
  Send(By(root_.pid(), FAN_OPEN | FAN_ACCESS | FAN_CLOSE_NOWRITE, env_));
  const std::vector<v1::CredentialRead> reads = Reads();
  ASSERT_THAT(reads, SizeIs(1));
  EXPECT_EQ(reads[0].file(), "/srv/.env");
  EXPECT_EQ(reads[0].credential(), "account-token");
  EXPECT_EQ(reads[0].environment().environment(), "production");
  EXPECT_EQ(reads[0].process().executable(), "/usr/bin/cat");
  EXPECT_EQ(reads[0].process().tgid(), static_cast<uint32_t>(cat_.pid()));
  EXPECT_TRUE(reads[0].read());
  EXPECT_FALSE(reads[0].own_process());
  ASSERT_THAT(Opened(), SizeIs(1));
  EXPECT_EQ(Opened()[0].program, "/usr/bin/cat");
}

TEST_F(CredentialDeskTest, WhoIsInNoSessionIsNoneOfOurs) {
  Watch({env_});
  kernel_.labels.erase(cat_.pid());
  Send(By(cat_.pid(), FAN_OPEN | FAN_ACCESS | FAN_CLOSE_NOWRITE, env_));
  kernel_.labels[cat_.pid()] = LabelOf(kSession + 1, 41);  // one that is not known
  Send(By(cat_.pid(), FAN_OPEN | FAN_ACCESS | FAN_CLOSE_NOWRITE, env_));
  Send(By(root_.pid(), FAN_ACCESS, MadeWatchedFile("/srv/notes", "notes")));
  EXPECT_THAT(Reads(), IsEmpty());
}

TEST_F(CredentialDeskTest, OneThatStaysOpenIsToldAfterAMomentAndItsReadingThen) {
  Watch({env_});
  Send(By(cat_.pid(), FAN_OPEN, env_));
  EXPECT_THAT(Reads(), IsEmpty());
  Pass(absl::Seconds(2));
  desk_->Drain();
  ASSERT_THAT(Reads(), SizeIs(1));
  EXPECT_FALSE(Reads()[0].read());
  Send(By(root_.pid(), FAN_ACCESS, env_));
  ASSERT_THAT(Reads(), SizeIs(2));
  EXPECT_TRUE(Reads()[1].read());
  ASSERT_THAT(Opened(), SizeIs(1));
  EXPECT_TRUE(Opened()[0].read);
  EXPECT_EQ(Opened()[0].pid, root_.pid());
}

TEST_F(CredentialDeskTest, OneThatIsReadAtOnceIsNotToldAsOpened) {
  Watch({env_});
  Send(By(cat_.pid(), FAN_OPEN, env_));
  Send(By(cat_.pid(), FAN_ACCESS, env_));
  Pass(absl::Seconds(2));
  desk_->Drain();
  ASSERT_THAT(Reads(), SizeIs(1));
  EXPECT_TRUE(Reads()[0].read());
}

TEST_F(CredentialDeskTest, OneThatIsClosedUnreadWasOpened) {
  Watch({env_});
  Send(By(cat_.pid(), FAN_OPEN, env_));
  Send(By(cat_.pid(), FAN_CLOSE_WRITE, env_));
  ASSERT_THAT(Reads(), SizeIs(1));
  EXPECT_FALSE(Reads()[0].read());
}

TEST_F(CredentialDeskTest, WhoHasEndedIsKnownByItsExitWhicheverCameFirst) {
  Watch({env_, MadeWatchedFile("/srv/shop/key", "key")});
  const auto gone = [&](pid_t pid, const WatchedFile& file) {
    return FanotifyRecord(FAN_ACCESS, pid).Of(file).By(FAN_NOPIDFD).Text();
  };
  desk_->OnExit(ExitOf(4242));
  Send(gone(4242, env_));
  ASSERT_THAT(Reads(), SizeIs(1));
  EXPECT_EQ(Reads()[0].process().tgid(), 4242u);
  Send(gone(4243, MadeWatchedFile("/srv/shop/key", "key")));
  EXPECT_THAT(Reads(), SizeIs(1));
  desk_->OnExit(ExitOf(4243));
  desk_->Drain();
  ASSERT_THAT(Reads(), SizeIs(2));
  EXPECT_EQ(Reads()[1].file(), "/srv/shop/key");
}

TEST_F(CredentialDeskTest, ANumberThatIsOldOrAnothersNamesNobody) {
  Watch({env_});
  desk_->OnExit(ExitOf(4242));
  const auto send = [&](pid_t pid) { Send(FanotifyRecord(FAN_ACCESS, pid).Of(env_).By(FAN_NOPIDFD).Text()); };
  send(4242 + 1024);  // the same place in the table
  Pass(absl::Seconds(3));
  send(4242);
  desk_->Drain();
  desk_->Drain();
  EXPECT_THAT(Reads(), IsEmpty());
}

TEST_F(CredentialDeskTest, AFileThatIsGoneIsForgottenAndWhoHadItOpenIsNot) {
  const WatchedFile key = MadeWatchedFile("/srv/shop/key", "key");
  Watch({env_, key});
  Send(By(cat_.pid(), FAN_OPEN, env_));
  Send(FanotifyRecord(FAN_DELETE_SELF, 1).Of(env_).By(FAN_NOPIDFD).Text());
  EXPECT_EQ(Watched(), 1u);
  Send(FanotifyRecord(FAN_DELETE_SELF, 1).Of(MadeWatchedFile("/x", "x")).By(FAN_NOPIDFD).Text());
  EXPECT_EQ(Watched(), 1u);
  Pass(absl::Seconds(2));
  desk_->Drain();
  ASSERT_THAT(Reads(), SizeIs(1));
  EXPECT_EQ(Reads()[0].file(), "/srv/.env");
  Send(By(cat_.pid(), FAN_ACCESS, key));
  EXPECT_THAT(Reads(), SizeIs(2));
}

TEST_F(CredentialDeskTest, WhoReadItLastBeforeItWasGoneIsTold) {
  Watch({env_});
  Send(FanotifyRecord(FAN_OPEN | FAN_ACCESS | FAN_CLOSE_NOWRITE | FAN_DELETE_SELF, 4242).Of(env_).By(FAN_NOPIDFD).Text());
  EXPECT_EQ(Watched(), 0u);
  desk_->OnExit(ExitOf(4242));
  desk_->Drain();
  EXPECT_THAT(Reads(), SizeIs(1));
}

// What an editor does all day.
TEST_F(CredentialDeskTest, SavesByRenameLeaveOneFile) {
  WatchedFile last = env_;
  Watch({last});
  for (int save = 0; save < 20; ++save) {
    const WatchedFile next = MadeWatchedFile("/srv/.env", absl::StrCat("save", save));
    Send(FanotifyRecord(FAN_DELETE_SELF, 1).Of(last).By(FAN_NOPIDFD).Text());
    ASSERT_EQ(Watched(), 0u);
    Watch({next});
    last = next;
  }
  EXPECT_EQ(Watched(), 1u);
}

TEST_F(CredentialDeskTest, WhatIsPutIntoAFolderIsLookedForWhereItHasAName) {
  WatchedFile folder = MadeWatchedFile("/srv", "srv");
  folder.kind = WatchedFile::kFolder;
  Watch({folder, env_});
  ASSERT_EQ(Looks(), 1u);
  Find({folder, env_, MadeWatchedFile("/srv/.env", "another")});
  Put(FanotifyRecord(FAN_MOVED_TO, 1).In(folder, "notes.txt").Text());
  Put(FanotifyRecord(FAN_MOVED_TO, 1).In(MadeWatchedFile("/tmp", "tmp"), ".env").Text());
  Put(FanotifyRecord(FAN_MOVED_TO, 1).In(folder, ".env").Text());
  Until([&] { return Watched() == 2; });
  EXPECT_EQ(Looks(), 2u);
}

TEST_F(CredentialDeskTest, LooksForWhatTheConfigurationNamesInTheSessionsPlace) {
  Watch({env_});
  v1::FactsWanted asked;
  std::string text = Text("asked");
  ASSERT_TRUE(asked.ParseFromString(text));
  EXPECT_THAT(asked.paths(), ElementsAre("/srv/.env", "/srv/shop/key", "~/.aws/credentials"));
}

TEST_F(CredentialDeskTest, WhatHasNoMarkIsSaidOnce) {
  WatchedFile fuse = MadeWatchedFile("/srv/.env", "fuse");
  fuse.kind = WatchedFile::kUnwatched;
  fuse.problem = EOPNOTSUPP;
  for (const char* handle : {"key", "another"}) {
    const WatchedFile key = MadeWatchedFile("/srv/shop/key", handle);
    Watch({fuse, key});
    Send(FanotifyRecord(FAN_DELETE_SELF, 1).Of(key).Text());
  }
  EXPECT_EQ(Lost("not watched"), 1u);
}

// A file system that does not answer hides itself, and nothing else.
TEST_F(CredentialDeskTest, WhatWasFoundBeforeALookHangsIsWatched) {
  Reader("echo >> FOLDER/looks; cat FOLDER/found >&3; exec sleep 1000");
  WatchedFile hangs;
  hangs.kind = WatchedFile::kLooks;
  hangs.pattern = 2;
  Watch({env_, hangs});
  EXPECT_EQ(Lost("not watched"), 1u);
  Send(By(cat_.pid(), FAN_ACCESS, env_));
  EXPECT_THAT(Reads(), SizeIs(1));
  Reader("echo >> FOLDER/looks; cat FOLDER/found >&3");
  Find({MadeWatchedFile("/srv/shop/key", "key")});
  desk_->Tick();  // It is looked again at once.
  Until([&] { return Watched() == 2; });
}

// It runs as the session's user, who may end it.
TEST_F(CredentialDeskTest, AReaderThatWasKilledIsCountedAndAnotherOneLooks) {
  Reader("kill -9 $$");
  desk_->Look(kSession);
  Until([&] { return Lost("not looked for") == 1; });
  Reader("cat FOLDER/found >&3");
  Find({env_});
  desk_->Tick();
  Until([&] { return Watched() == 1; });
}

TEST_F(CredentialDeskTest, ASessionThatIsOverIsNoLoss) {
  Reader("echo >> FOLDER/looks; exit 1");
  desk_->Look(kSession);
  Until([&] { return Looks() == 1; });
  Reader("cat FOLDER/found >&3");
  Find({env_});
  desk_->Look(kSession);
  Until([&] {
    desk_->Tick();
    return Watched() == 1;
  });
  EXPECT_EQ(Lost("not looked for"), 0u);
}

TEST_F(CredentialDeskTest, TheCodingAgentIsItsFirstProcessAndWhatThatForked) {
  const WatchedFile key = MadeWatchedFile("/srv/shop/key", "key"), aws = MadeWatchedFile("/home/u/.aws/credentials", "aws");
  Watch({env_, key, aws});
  Send(By(root_.pid(), FAN_ACCESS, env_));
  kernel_.labels[cat_.pid()] = LabelOf(kSession, kRootProgram);
  Send(By(cat_.pid(), FAN_ACCESS, key));
  kernel_.labels[cat_.pid()] = LabelOf(kSession, kRootProgram + 1);  // the same file started anew, for all that is known
  Send(By(cat_.pid(), FAN_ACCESS, aws));
  ASSERT_THAT(Reads(), SizeIs(3));
  EXPECT_TRUE(Reads()[0].own_process());
  EXPECT_TRUE(Reads()[1].own_process());
  EXPECT_FALSE(Reads()[2].own_process());
}

TEST_F(CredentialDeskTest, AWorkerThatOutlivesItsCodingAgentIsStillThat) {
  Watch({env_});
  kernel_.labels[cat_.pid()] = LabelOf(kSession, kRootProgram);
  root_.End();
  Send(By(cat_.pid(), FAN_ACCESS, env_));
  ASSERT_THAT(Reads(), SizeIs(1));
  EXPECT_TRUE(Reads()[0].own_process());
}

TEST_F(CredentialDeskTest, BeforeAnExecIsToldTheProgramBeforeItOpenedTheFile) {
  Watch({env_});
  ExitEvent exit = ExitOf(4242);
  Exec(41, cat_.pid(), "/usr/bin/cat");
  Exec(50, 4242, "/usr/bin/head");
  exit.exec_id = 98;
  desk_->OnExit(exit);
  Send(FanotifyRecord(FAN_ACCESS, 4242).Of(env_).By(FAN_NOPIDFD).Text());
  ASSERT_THAT(Reads(), SizeIs(1));
  EXPECT_EQ(Reads()[0].process().executable(), "/usr/bin/head");
}

TEST_F(CredentialDeskTest, PastItsBoundASessionsFilesAreCounted) {
  std::vector<WatchedFile> files;
  for (size_t i = 0; i < kMaxOpenedCredentials + 3; ++i) {
    files.push_back(MadeWatchedFile(absl::StrCat("/srv/shop/.env", i), absl::StrCat("env", i)));
  }
  Watch(files);
  for (const WatchedFile& file : files) Send(By(cat_.pid(), FAN_ACCESS, file));
  EXPECT_THAT(Reads(), SizeIs(kMaxOpenedCredentials));
  EXPECT_THAT(Opened(), SizeIs(kMaxOpenedCredentials));
  EXPECT_EQ(Lost("too many files of one session"), 3u);
}

TEST_F(CredentialDeskTest, AFullQueueIsCounted) {
  Send(FanotifyRecord(FAN_Q_OVERFLOW).Text());
  EXPECT_EQ(Lost("queue full"), 1u);
}

TEST_F(CredentialDeskTest, WhereFoldersHadMoreToTellEverythingIsLookedForAndNothingIsLost) {
  Watch({env_});
  Find({env_, MadeWatchedFile("/srv/shop/key", "key")});
  Put(FanotifyRecord(FAN_Q_OVERFLOW).Text());
  Until([&] { return Watched() == 2; });
  EXPECT_EQ(Lost("queue full"), 0u);
}

TEST_F(CredentialDeskTest, ASessionThatMakesVeryManyFilesIsLookedAtOnceASecond) {
  WatchedFile folder = MadeWatchedFile("/srv", "srv");
  folder.kind = WatchedFile::kFolder;
  Watch({folder, env_});
  const std::string put = FanotifyRecord(FAN_CREATE, 1).In(folder, ".env").Text();
  for (size_t i = 1; i <= 16; ++i) {
    const WatchedFile key = MadeWatchedFile("/srv/shop/key", absl::StrCat("key", i));
    Find({folder, env_, key});
    Put(put);
    Until([&] { return Watched() == 2; });
    Send(FanotifyRecord(FAN_DELETE_SELF, 1).Of(key).Text());
  }
  EXPECT_EQ(Looks(), 17u);
  Find({folder, env_, MadeWatchedFile("/srv/shop/key", "last")});
  Put(put + put + put);
  EXPECT_EQ(Looks(), 17u);
  desk_->Tick();
  Until([&] { return Watched() == 2; });
  EXPECT_EQ(Looks(), 18u);
}

TEST_F(CredentialDeskTest, WhoReadItIsKeptForTheNextGate) {
  Watch({env_});
  Exec(41, cat_.pid(), "/usr/bin/cat");
  Send(By(cat_.pid(), FAN_ACCESS, env_));
  const absl::StatusOr<KeptFile> kept = ReadKeptSession(options_.run, kSession);
  ASSERT_TRUE(kept.ok()) << kept.status();
  ASSERT_EQ(kept->rest.opened_size(), 1);
  EXPECT_EQ(kept->rest.opened(0).program(), "/usr/bin/cat");
}

TEST_F(CredentialDeskTest, WhatTheGateBeforeSawIsNotToldAgain) {
  sessions_.Find(kSession)->opened_credentials.push_back({.file = "/srv/.env", .read = true});
  Watch({env_});
  Send(By(cat_.pid(), FAN_ACCESS, env_));
  EXPECT_THAT(Reads(), IsEmpty());
}

TEST_F(CredentialDeskTest, WithTheLastSessionEverythingIsForgotten) {
  Watch({env_});
  sessions_.Erase(kSession);
  desk_->Tick();
  EXPECT_EQ(Watched(), 0u);
}

TEST_F(CredentialDeskTest, WhatIsMissingIsSaid) {
  CredentialDesk desk(core(), absl::PermissionDeniedError("fanotify_init: not permitted"), Queue(&folders_));
  EXPECT_EQ(desk.in_use(), "none");
  EXPECT_NE(desk.missing().find("not permitted"), std::string::npos);
  EXPECT_FALSE(desk.Waiting());
  desk.Look(kSession);
  desk.Drain();
  desk.Tick();
}

}  // namespace
}  // namespace holdpoint
