// What a session does to get out of sight: servers that were there before, and other cgroups.
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/bpf/fixture.h"

namespace holdpoint {
namespace {

constexpr uint32_t kConfirmed = HP_SESSION_CONFIRMED;

int MakeSocket(const std::string& name, bool listen_there) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, name.data(), name.size());
  const socklen_t length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto* to = reinterpret_cast<const sockaddr*>(&address);
  if (listen_there) return bind(fd, to, length) == 0 && listen(fd, 8) == 0 ? fd : -1;
  return connect(fd, to, length) == 0 ? fd : -1;
}

int Connect(const std::string& name) { return MakeSocket(name, false) < 0 ? 1 : 0; }

class EscapeTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    char name[] = "/tmp/hp-bpf-test-XXXXXX";
    directory_ = mkdtemp(name);
    ASSERT_TRUE(kernel_->SetGuards(true).ok());
  }
  void TearDown() override {
    KernelTest::TearDown();
    RunProgram({"/bin/rm", "-r", directory_});
  }
  std::string Path(const std::string& name) const { return absl::StrCat(directory_, "/", name); }

  // The servers that a new session was seen to connect to.
  std::vector<UnixEvent> Seen(std::function<int()> body) {
    gate_->servers.clear();
    Child root = InScope(std::move(body));
    session_ = Label(root, kConfirmed);
    root.Go();
    EXPECT_EQ(gate_->RunUntilEnd(root), 0);
    gate_->Drain();
    return gate_->servers;
  }

  std::string directory_;
  SessionNumber session_ = 0;
};

TEST_F(EscapeTest, ServerIsKnownByWhatItBoundAndByItsProcess) {
  const int server = MakeSocket(Path("server"), true);
  ASSERT_GE(server, 0);
  ASSERT_EQ(symlink(Path("server").c_str(), Path("alias").c_str()), 0);
  const std::vector<UnixEvent> seen = Seen([&] { return Connect(Path("alias")); });
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].path, Path("server"));
  EXPECT_EQ(seen[0].peer, getpid());
  EXPECT_EQ(seen[0].peer_session, 0u);
  EXPECT_EQ(seen[0].head.session, session_);
  close(server);
}

TEST_F(EscapeTest, AbstractName) {
  const std::string name = std::string(1, '\0') + "hp-test" + directory_;
  const int server = MakeSocket(name, true);
  ASSERT_GE(server, 0);
  const std::vector<UnixEvent> seen = Seen([&] { return Connect(name); });
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].path, name);
  close(server);
}

TEST_F(EscapeTest, OnceASecondAndNotWhatFailed) {
  const int server = MakeSocket(Path("server"), true);
  EXPECT_EQ(Seen([&] { return Connect(Path("server")) + Connect(Path("server")); }).size(), 1u);
  EXPECT_EQ(Seen([&] { return 1 - Connect(Path("nobody")); }).size(), 0u);
  close(server);
}

TEST_F(EscapeTest, ServerOfTheSameSessionIsNone) {
  const std::vector<UnixEvent> seen = Seen([&] {
    if (MakeSocket(Path("own"), true) < 0) return 1;
    const pid_t child = fork();
    if (child == 0) _exit(Connect(Path("own")));
    int status = 1;
    waitpid(child, &status, 0);
    return status;
  });
  EXPECT_EQ(seen.size(), 0u);
}

TEST_F(EscapeTest, ServerOfAnotherSessionIsNamed) {
  int ready[2], stop[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(stop), 0);
  Child server = InScope([&] {
    char byte = 0;
    if (MakeSocket(Path("server"), true) < 0) return 1;
    return write(ready[1], "r", 1) == 1 && read(stop[0], &byte, 1) == 1 ? 0 : 1;
  });
  const SessionNumber other = Label(server, kConfirmed);
  server.Go();
  char byte;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  const std::vector<UnixEvent> seen = Seen([&] { return Connect(Path("server")); });
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].peer_session, other);
  ASSERT_EQ(write(stop[1], "s", 1), 1);
  EXPECT_EQ(gate_->RunUntilEnd(server), 0);
}

TEST_F(EscapeTest, NobodyElsesConnectIsSeen) {
  const int server = MakeSocket(Path("server"), true);
  gate_->servers.clear();
  Child plain = InScope([&] { return Connect(Path("server")); });
  plain.Go();
  EXPECT_EQ(gate_->RunUntilEnd(plain), 0);
  gate_->Drain();
  EXPECT_TRUE(gate_->servers.empty());
  close(server);
}

TEST_F(EscapeTest, WithoutAnyRungItIsSaid) {
  Close();
  Kernel::Options options = DefaultOptions();
  options.without = {"unix-lsm", "unix-exit", "unix-ready", "leave"};
  Open(options);
  int said = 0;
  for (const Rung& rung : kernel_->Rungs()) {
    if (rung.capability != "servers" && rung.capability != "leaving the scope") continue;
    EXPECT_EQ(rung.in_use, "none");
    EXPECT_NE(rung.missing, "");
    ++said;
  }
  EXPECT_EQ(said, 2);
}

TEST_F(EscapeTest, LeavingTheScopeIsSeenAndTheLabelStays) {
  const TestCgroup elsewhere("elsewhere");
  Child root = InScope([&] {
    elsewhere.Enter();
    return RunProgram({"/bin/true", "outside"});
  });
  const SessionNumber session = Label(root, kConfirmed);
  root.Go();
  EXPECT_EQ(gate_->RunUntilEnd(root), 0);
  gate_->Drain();
  ASSERT_EQ(gate_->lefts.size(), 1u);
  EXPECT_EQ(gate_->lefts[0].head.session, session);
  EXPECT_EQ(gate_->lefts[0].mover, gate_->lefts[0].head.process.tgid);
  ASSERT_EQ(gate_->Find(HP_EVENT_EXEC, "outside").size(), 1u);
  EXPECT_EQ(gate_->Find(HP_EVENT_EXEC, "outside")[0].head.session, session);
}

TEST_F(EscapeTest, MovingInsideTheScopeOrWithoutALabelIsNot) {
  const std::string below = absl::StrCat(scope_->path(), "/below");
  ASSERT_EQ(mkdir(below.c_str(), 0755), 0);
  const TestCgroup elsewhere("elsewhere");
  Child inside = InScope([&] {
    std::ofstream(absl::StrCat(below, "/cgroup.procs")) << "0";
    return 0;
  });
  Label(inside, kConfirmed);
  inside.Go();
  EXPECT_EQ(gate_->RunUntilEnd(inside), 0);
  ASSERT_EQ(rmdir(below.c_str()), 0);
  Child plain = InScope([&] {
    elsewhere.Enter();
    return 0;
  });
  plain.Go();
  EXPECT_EQ(gate_->RunUntilEnd(plain), 0);
  gate_->Drain();
  EXPECT_TRUE(gate_->lefts.empty());
}

}  // namespace
}  // namespace holdpoint
