#include "tests/bpf/fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/file_id.h"
#include "agent/kernel/scope_claim.h"

namespace holdpoint {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(120);  // Emulators are slow.

void WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text << std::flush;
  if (!file) fprintf(stderr, "cannot write %s to %s\n", text.c_str(), path.c_str());
}

bool Readable(int fd, int timeout_ms) {
  pollfd entry{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&entry, 1, timeout_ms) > 0;
}

}  // namespace

TestCgroup::TestCgroup(const std::string& name) {
  const absl::StatusOr<std::string> root = CgroupRoot();
  if (!root.ok()) {
    ADD_FAILURE() << root.status();
    return;
  }
  path_ = absl::StrCat(*root, "/hp-test-", getpid(), "-", name);
  EXPECT_EQ(mkdir(path_.c_str(), 0755), 0) << path_;
}

TestCgroup::~TestCgroup() {
  if (path_.empty()) return;
  WriteFile(absl::StrCat(path_, "/cgroup.kill"), "1");
  const absl::Time deadline = absl::Now() + kPatience;
  UniqueFd events(open(absl::StrCat(path_, "/cgroup.events").c_str(), O_RDONLY | O_CLOEXEC));
  while (rmdir(path_.c_str()) != 0 && errno == EBUSY && absl::Now() < deadline) {
    char text[256];  // Reading arms the notification that the last process is gone.
    (void)!pread(events.get(), text, sizeof(text), 0);
    pollfd entry{.fd = events.get(), .events = POLLPRI, .revents = 0};
    poll(&entry, 1, 100);
  }
}

void TestCgroup::Enter() const { WriteFile(absl::StrCat(path_, "/cgroup.procs"), "0"); }

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)), go_(std::move(other.go_)) {}

Child& Child::operator=(Child&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(pidfd_, other.pidfd_);
  std::swap(go_, other.go_);
  return *this;
}

Child Child::Fork(const TestCgroup* cgroup, std::function<int()> body) {
  int pipe_fds[2];
  EXPECT_EQ(pipe2(pipe_fds, O_CLOEXEC), 0);
  Child child;
  child.pid_ = fork();
  if (child.pid_ == 0) {
    close(pipe_fds[1]);
    if (cgroup != nullptr) cgroup->Enter();
    char byte;
    if (read(pipe_fds[0], &byte, 1) != 1) _exit(125);
    _exit(body());
  }
  close(pipe_fds[0]);
  child.go_.reset(pipe_fds[1]);
  child.pidfd_.reset(static_cast<int>(syscall(SYS_pidfd_open, child.pid_, 0)));
  return child;
}

void Child::Go() { EXPECT_EQ(write(go_.get(), "g", 1), 1); }

bool Child::Ended() const { return Readable(pidfd_.get(), 0); }

int Child::Reap() {
  int status = 0;
  EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
  pid_ = -1;
  return status;
}

Child::~Child() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  Reap();
}

bool MiniGate::RunUntil(const std::function<bool()>& done) {
  const absl::Time deadline = absl::Now() + kPatience;
  while (true) {
    if (beating) kernel_.Beat(Clock::Real().Boot());
    Drain();
    if (done()) return true;
    if (absl::Now() > deadline) return false;
    Readable(kernel_.UrgentFd(), 2);
  }
}

int MiniGate::RunUntilEnd(Child& child) {
  if (!RunUntil([&] { return child.Ended(); })) return -1;
  Drain();
  return child.Reap();
}

void MiniGate::Drain() {
  const Kernel::Sink sink = [this](absl::Span<const std::byte> record) { Take(record); };
  EXPECT_TRUE(kernel_.DrainUrgent(sink).ok());
  EXPECT_TRUE(kernel_.DrainEvents(sink).ok());
}

void MiniGate::Take(absl::Span<const std::byte> record) {
  absl::StatusOr<KernelEvent> decoded = DecodeEvent(record);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  if (auto* exec = std::get_if<ExecEvent>(&*decoded)) {
    execs.push_back(*exec);
    if (exec->head.kind != HP_EVENT_ASK) return;
    switch (on_ask(*exec)) {
      case Answer::kContinue:
        Continue(*exec);
        break;
      case Answer::kKill:
        kill(exec->head.process.tgid, SIGKILL);
        break;
      case Answer::kLeave:
        break;
    }
  } else if (auto* connect = std::get_if<ConnectEvent>(&*decoded)) {
    connects.push_back(*connect);
  } else if (auto* exit = std::get_if<ExitEvent>(&*decoded)) {
    exits.push_back(*exit);
  } else if (auto* signal = std::get_if<SignalEvent>(&*decoded)) {
    signals.push_back(*signal);
  } else if (auto* server = std::get_if<UnixEvent>(&*decoded)) {
    servers.push_back(*server);
  } else if (auto* left = std::get_if<LeftEvent>(&*decoded)) {
    lefts.push_back(*left);
  }
}

void MiniGate::Continue(const ExecEvent& event) {
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, event.head.process.tgid, 0)));
  if (!pidfd.ok()) return;  // Ended meanwhile.
  EXPECT_TRUE(kernel_.SetTaskState(pidfd.get(), event.exec_id, HP_TASK_PASSED).ok());
  syscall(SYS_pidfd_send_signal, pidfd.get(), SIGCONT, nullptr, 0);
}

std::vector<ExecEvent> MiniGate::Find(hp_event_kind kind, const std::string& word) const {
  std::vector<ExecEvent> found;
  for (const ExecEvent& event : execs) {
    const std::vector<std::string> argv = event.Argv();
    if (event.head.kind == kind && std::find(argv.begin(), argv.end(), word) != argv.end()) found.push_back(event);
  }
  return found;
}

void KernelTest::SetUpTestSuite() {
  static const bool once = [] {
    // Pins vanish with this mount namespace however the test ends.
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           mount("bpf", "/sys/fs/bpf", "bpf", 0, nullptr) == 0;
  }();
  ASSERT_TRUE(once) << "needs root: a mount namespace with a bpffs of its own";
}

void KernelTest::SetUp() {
  scope_ = std::make_unique<TestCgroup>("scope");
  Open(DefaultOptions());
}

void KernelTest::TearDown() {
  Close();
  scope_.reset();
}

Kernel::Options KernelTest::DefaultOptions() const {
  Kernel::Options options;
  options.scope_cgroup = scope_->path();
  options.pin_dir = "/sys/fs/bpf/holdpoint-test";
  options.stale_after = absl::Hours(1);  // A test that is about staleness says so itself.
  return options;
}

void KernelTest::Open(const Kernel::Options& options) {
  absl::StatusOr<std::unique_ptr<Kernel>> kernel = Kernel::Open(options);
  ASSERT_TRUE(kernel.ok()) << kernel.status();
  kernel_ = *std::move(kernel);
  gate_ = std::make_unique<MiniGate>(*kernel_);
  ASSERT_TRUE(kernel_->SetPolicyGeneration(kGeneration).ok());
  kernel_->Beat(Clock::Real().Boot());
}

void KernelTest::Close() {
  gate_.reset();
  if (kernel_ != nullptr) {
    EXPECT_TRUE(kernel_->Detach().ok());
  }
  kernel_.reset();
}

SessionNumber KernelTest::Label(const Child& child, uint32_t flags) {
  const absl::StatusOr<SessionNumber> session = kernel_->NewSession({.environment = 1, .flags = flags});
  EXPECT_TRUE(session.ok()) << session.status();
  const absl::StatusOr<int> labelled = kernel_->LabelTree(child.pidfd(), *session, HP_LABEL_ROOT, {});
  EXPECT_TRUE(labelled.ok()) << labelled.status();
  return *session;
}

void KernelTest::SetClassOf(const std::string& path, hp_class_value value, uint32_t start) {
  struct stat st;
  ASSERT_EQ(stat(path.c_str(), &st), 0) << path;
  ASSERT_TRUE(kernel_->SetClass(FileIdFromStat(st), value, start, kGeneration).ok());
}

int Exec(const std::vector<std::string>& argv) {
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  execv(words[0], words.data());
  return 127;
}

int RunProgram(const std::vector<std::string>& argv) {
  const pid_t pid = fork();
  if (pid == 0) _exit(Exec(argv));
  int status = -1;
  waitpid(pid, &status, 0);
  return status;
}

std::string Program(const std::string& name) {
  const char* build = getenv("HP_BUILD_DIR");
  return absl::StrCat(build == nullptr ? "." : build, "/tests/programs/", name);
}

}  // namespace holdpoint
