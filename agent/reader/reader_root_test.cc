// The real program against a real process in a mount namespace of its own. Everything lies on a tmpfs that only that
// namespace has.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <string>

#include "agent/base/fd.h"
#include "agent/reader/enter.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint::reader {
namespace {

constexpr uid_t kNobody = 65534;
constexpr char kAuthorities[] = "etc/ssl/certs/ca-certificates.crt";
constexpr time_t kLongAgo = 1'000'000'000;

void Put(const std::string& path, const std::string& text, mode_t mode) {
  std::ofstream(path) << text;
  chmod(path.c_str(), mode);
}

// A process with its own tmpfs at `folder`, that waits there to be looked at.
class Session {
 public:
  explicit Session(uid_t uid, bool own_root = false) {
    char name[] = "/tmp/holdpoint-reader-root-XXXXXX";
    folder_ = mkdtemp(name);
    int ready[2], wait[2];
    EXPECT_EQ(pipe2(ready, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(wait, O_CLOEXEC), 0);
    hold_.reset(wait[1]);
    pid_ = fork();
    if (pid_ == 0) {
      close(wait[1]);
      Prepare(uid, own_root);
      char byte = 'r';
      if (write(ready[1], &byte, 1) != 1) _exit(3);
      if (read(wait[0], &byte, 1) < 0) _exit(4);
      _exit(0);
    }
    close(ready[1]);
    close(wait[0]);
    UniqueFd started(ready[0]);
    char byte = 0;
    EXPECT_EQ(read(started.get(), &byte, 1), 1) << "the session could not be prepared";
  }
  ~Session() {
    hold_.reset();
    waitpid(pid_, nullptr, 0);
    rmdir(folder_.c_str());
  }

  pid_t pid() const { return pid_; }
  std::string At(const std::string& name) const { return folder_ + "/" + name; }
  // A file of the process's own root, as the process sees it.
  time_t Accessed(const std::string& name) const {
    struct stat st = {};
    EXPECT_EQ(stat(("/proc/" + std::to_string(pid_) + "/root/" + name).c_str(), &st), 0) << name;
    return st.st_atime;
  }

 private:
  void Prepare(uid_t uid, bool own_root) {
    if (unshare(CLONE_NEWNS) != 0 || mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=4m") != 0) {
      _exit(1);
    }
    chmod(folder_.c_str(), 0777);
    Put(At("open"), "readable", 0644);
    Put(At("closed"), "of root", 0600);
    Put(At("sparse"), "begin", 0644);
    if (truncate(At("sparse").c_str(), off_t{1} << 30) != 0) _exit(2);
    if (mkfifo(At("fifo").c_str(), 0666) != 0 || symlink("loop", At("loop").c_str()) != 0) _exit(2);
    mkdir(At("dir").c_str(), 0755);
    for (const char* name : {"dir/.git", "dir/.git/objects", "dir/.git/refs"}) mkdir(At(name).c_str(), 0755);
    Put(At("dir/.git/HEAD"), "ref: refs/heads/fix\n", 0644);
    Put(At("dir/.git/config"), "[core]\n\trepositoryformatversion = 0\n[alias]\n\tx = !touch /tmp/y\n", 0644);
    Put(At("dir/new"), "x", 0644);
    // Where libraries of ours would look for what tells them to load others, or for authorities.
    for (const char* name : {"usr", "usr/lib", "usr/lib/ssl", "etc", "etc/ssl", "etc/ssl/certs"}) mkdir(At(name).c_str(), 0755);
    if (mkfifo(At("usr/lib/ssl/openssl.cnf").c_str(), 0666) != 0) _exit(2);
    Put(At(kAuthorities), "no certificate", 0644);
    for (const char* name : {kAuthorities, "open"}) {  // Whoever reads them leaves a later time of access.
      const timespec times[2] = {{.tv_sec = kLongAgo, .tv_nsec = 0}, {.tv_sec = 0, .tv_nsec = UTIME_OMIT}};
      if (utimensat(AT_FDCWD, At(name).c_str(), times, 0) != 0) _exit(2);
    }
    for (const char* name : {"dir", "dir/.git", "dir/.git/config", "dir/.git/HEAD"}) {
      if (chown(At(name).c_str(), uid, uid) != 0) _exit(2);
    }
    if (chdir(At("dir").c_str()) != 0) _exit(2);
    if (own_root && chroot(folder_.c_str()) != 0) _exit(2);
    if (setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0) _exit(2);
  }

  std::string folder_;
  pid_t pid_ = -1;
  UniqueFd hold_;
};

// A running holdpoint-reader and both ends to it.
class Reader {
 public:
  Reader(pid_t target, int executable, bool give_pidfd) {
    int answer[2], request[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, answer), 0);
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, request), 0);
    UniqueFd pidfd(give_pidfd ? static_cast<int>(syscall(SYS_pidfd_open, target, 0)) : -1);
    const std::string program = std::string(getenv("HP_BUILD_DIR")) + "/bin/holdpoint-reader";
    const std::string number = std::to_string(target);
    pid_ = fork();
    if (pid_ == 0) {
      // High first: the numbers that are wanted may be in use.
      const int from[4] = {fcntl(answer[1], F_DUPFD, 100), fcntl(request[1], F_DUPFD, 100),
                           pidfd.ok() ? fcntl(pidfd.get(), F_DUPFD, 100) : -1,
                           executable >= 0 ? fcntl(executable, F_DUPFD, 100) : -1};
      for (int i = 0; i < 4; ++i) {
        close(3 + i);
        if (from[i] >= 0) dup2(from[i], 3 + i);
      }
      execl(program.c_str(), "holdpoint-reader", "--pid", number.c_str(), nullptr);
      _exit(127);
    }
    answer_.reset(answer[0]);
    request_.reset(request[0]);
    close(answer[1]);
    close(request[1]);
  }
  ~Reader() {
    if (pid_ > 0) waitpid(pid_, nullptr, 0);
  }

  void Send(const std::string& bytes) {
    EXPECT_EQ(write(request_.get(), bytes.data(), bytes.size()), (ssize_t)bytes.size());
  }

  // The reader reads the request after everything else: what was sent is taken, so it has dropped its rights.
  bool WaitUntilItReads() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    int queued = 1;
    while (queued != 0 && std::chrono::steady_clock::now() < deadline) {
      if (ioctl(request_.get(), SIOCOUTQ, &queued) != 0) return false;
      sched_yield();
    }
    return queued == 0;
  }

  v1::Facts Take() {
    request_.reset();
    std::string bytes(256 * 1024, '\0');
    pollfd wait = {answer_.get(), POLLIN, 0};
    EXPECT_EQ(poll(&wait, 1, 60'000), 1);
    const ssize_t size = recv(answer_.get(), bytes.data(), bytes.size(), 0);
    v1::Facts facts;
    EXPECT_GT(size, 0);
    EXPECT_TRUE(facts.ParseFromArray(bytes.data(), static_cast<int>(size)));
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    return facts;
  }

  std::string Status() const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/status");
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

 private:
  pid_t pid_ = -1;
  UniqueFd answer_, request_;
};

v1::Facts Ask(const Session& session, const v1::FactsWanted& wanted) {
  Reader reader(session.pid(), -1, /*give_pidfd=*/true);
  reader.Send(wanted.SerializeAsString());
  return reader.Take();
}

TEST(ReaderRootTest, SeesTheSessionsFilesAsItsUser) {
  const Session session(kNobody);
  v1::FactsWanted wanted;
  wanted.set_budget_ms(10'000);
  wanted.set_max_bytes(5);
  wanted.set_executable_sha256(true);
  for (const char* name : {"open", "closed", "sparse", "fifo", "loop", "dir", "none"}) {
    wanted.add_paths(session.At(name));
    wanted.add_content_of(session.At(name));
  }
  const v1::Facts facts = Ask(session, wanted);
  EXPECT_EQ(facts.problem(), "");
  ASSERT_EQ(facts.paths_size(), 7);
  ASSERT_EQ(facts.contents_size(), 7);
  EXPECT_NE(access(session.At("open").c_str(), F_OK), 0) << "the test itself must not see it";

  EXPECT_TRUE(facts.paths(0).exists());
  EXPECT_FALSE(facts.paths(0).writable());
  EXPECT_EQ(facts.contents(0).content(), "reada");
  EXPECT_TRUE(facts.contents(0).cut());
  EXPECT_EQ(facts.contents(1).content(), "");
  EXPECT_NE(facts.contents(1).problem().find("Permission denied"), std::string::npos) << facts.contents(1).problem();
  EXPECT_EQ(facts.paths(2).size(), uint64_t{1} << 30);
  EXPECT_EQ(facts.contents(2).content(), "begin");
  EXPECT_EQ(facts.paths(3).kind(), "other");
  EXPECT_EQ(facts.contents(3).problem(), "is a FIFO");
  EXPECT_EQ(facts.paths(4).kind(), "link");
  EXPECT_EQ(facts.paths(4).target(), "");
  EXPECT_NE(facts.contents(4).problem(), "");
  EXPECT_EQ(facts.paths(5).kind(), "directory");
  EXPECT_EQ(facts.contents(5).problem(), "is a directory");
  EXPECT_FALSE(facts.paths(6).exists());
  EXPECT_EQ(facts.executable_sha256().size(), 64u);
}

TEST(ReaderRootTest, GitOfTheSessionsWorkingDirectory) {
  for (const uid_t uid : {kNobody, uid_t{0}}) {
    const Session session(uid);
    v1::FactsWanted wanted;
    wanted.set_budget_ms(10'000);
    wanted.set_git_status(true);
    wanted.add_paths(session.At("dir/new"));
    const v1::Facts facts = Ask(session, wanted);
    EXPECT_EQ(facts.problem(), "");
    EXPECT_EQ(facts.git().problem(), "");
    EXPECT_EQ(facts.git().root(), session.At("dir"));
    EXPECT_EQ(facts.git().branch(), "fix");
    EXPECT_TRUE(facts.git().status_known());
    EXPECT_EQ(facts.git().untracked_files(), 1u);
    EXPECT_EQ(facts.git().aliases().at("x"), "!touch /tmp/y");
    EXPECT_EQ(facts.paths(0).repository(), session.At("dir"));
    EXPECT_FALSE(facts.paths(0).ignored());
  }
}

TEST(ReaderRootTest, PathsBeginAtTheProcessesOwnRoot) {
  const Session session(kNobody, /*own_root=*/true);
  v1::FactsWanted wanted;
  wanted.set_budget_ms(10'000);
  wanted.set_git_state(true);
  wanted.add_content_of("/open");
  wanted.add_paths("/home");
  const v1::Facts facts = Ask(session, wanted);
  EXPECT_EQ(facts.contents(0).content(), "readable");
  EXPECT_FALSE(facts.paths(0).exists());
  EXPECT_EQ(facts.git().root(), "/dir");
  EXPECT_FALSE(facts.git().status_known()) << "nobody asked";
  EXPECT_EQ(facts.git().problem(), "");
}

// With a root of its own a session has its own openssl.cnf, which may name a library to load.
TEST(ReaderRootTest, OpensNothingThatNobodyAskedFor) {
  const Session session(kNobody, /*own_root=*/true);
  v1::FactsWanted wanted;
  wanted.set_budget_ms(5'000);
  wanted.set_git_status(true);
  wanted.set_executable_sha256(true);
  wanted.add_content_of("/open");
  wanted.add_paths("/dir/new");
  const v1::Facts facts = Ask(session, wanted);
  ASSERT_EQ(facts.problem(), "") << "it waited for a FIFO";
  EXPECT_EQ(facts.contents(0).sha256().size(), 64u);
  EXPECT_EQ(facts.git().untracked_files(), 1u) << facts.git().ShortDebugString();
  EXPECT_EQ(session.Accessed(kAuthorities), kLongAgo);
  EXPECT_GT(session.Accessed("open"), kLongAgo) << "a file that was asked for: what is read shows here";
}

TEST(ReaderRootTest, NoCodeComesFromAFileOfTheSession) {
  const Session session(kNobody);
  const pid_t child = fork();
  if (child == 0) {
    const absl::StatusOr<Target> target = OpenTarget(session.pid(), -1, -1);
    if (!target.ok() || !EnterAndDrop(*target, 5).ok()) _exit(1);
    const UniqueFd file(open(session.At("open").c_str(), O_RDONLY));
    const auto map = [&file](int protection) { return mmap(nullptr, 4096, protection, MAP_PRIVATE, file.get(), 0); };
    void* const data = map(PROT_READ);
    if (data == MAP_FAILED) _exit(2);
    if (map(PROT_READ | PROT_EXEC) != MAP_FAILED || errno != EPERM) _exit(3);
    if (mprotect(data, 4096, PROT_READ) != 0) _exit(4);
    if (mprotect(data, 4096, PROT_READ | PROT_EXEC) == 0) _exit(5);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(ReaderRootTest, HasNoRightsWhenItReadsTheRequest) {
  for (const uid_t uid : {kNobody, uid_t{0}}) {
    const Session session(uid);
    Reader reader(session.pid(), -1, /*give_pidfd=*/uid == 0);
    reader.Send(std::string(1, '\x30'));  // The first byte of budget_ms.
    ASSERT_TRUE(reader.WaitUntilItReads());
    const std::string status = reader.Status();
    const std::string id = std::to_string(uid);
    EXPECT_NE(status.find("Uid:\t" + id + "\t" + id + "\t" + id + "\t" + id), std::string::npos) << status;
    for (const char* line :
         {"CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000",
          "CapBnd:\t0000000000000000", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"}) {
      EXPECT_NE(status.find(line), std::string::npos) << line << " in\n" << status;
    }
    reader.Send(std::string("\x90\x4e", 2));  // budget_ms = 10000
    EXPECT_EQ(reader.Take().problem(), "reader: nothing was asked for");
  }
}

// Hashing a gigabyte takes longer than 20 ms anywhere: what came before it is answered all the same.
TEST(ReaderRootTest, OutOfTimeGivesWhatIsThere) {
  const Session session(kNobody);
  char name[] = "/tmp/holdpoint-reader-sparse-XXXXXX";
  UniqueFd sparse(mkstemp(name));
  unlink(name);
  ASSERT_EQ(ftruncate(sparse.get(), off_t{1} << 30), 0);
  v1::FactsWanted wanted;
  wanted.set_budget_ms(20);
  wanted.set_executable_sha256(true);
  wanted.add_paths(session.At("open"));
  Reader reader(session.pid(), sparse.get(), true);
  reader.Send(wanted.SerializeAsString());
  const v1::Facts facts = reader.Take();
  EXPECT_NE(facts.problem().find("out of time after 20 ms"), std::string::npos) << facts.problem();
  EXPECT_EQ(facts.executable_sha256(), "");
  ASSERT_EQ(facts.paths_size(), 1);
  EXPECT_TRUE(facts.paths(0).exists());
}

TEST(ReaderRootTest, MalformedRequestAndGoneProcessAreSaid) {
  {
    const Session session(kNobody);
    Reader reader(session.pid(), -1, true);
    reader.Send("\xff\xff\xff\xff");
    EXPECT_NE(reader.Take().problem().find("is not a FactsWanted"), std::string::npos);
  }
  const pid_t gone = fork();
  if (gone == 0) _exit(0);
  siginfo_t info;
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(gone), &info, WEXITED | WNOWAIT), 0);  // A zombie has no files left.
  Reader reader(gone, -1, true);
  EXPECT_NE(reader.Take().problem(), "");
  waitpid(gone, nullptr, 0);
}

TEST(ReaderRootTest, LargeAnswerStaysWithinOnePacket) {
  const Session session(kNobody);
  v1::FactsWanted wanted;
  wanted.set_budget_ms(10'000);
  wanted.set_max_bytes(1 << 20);
  for (int i = 0; i < 30; ++i) wanted.add_content_of(session.At("sparse"));
  const v1::Facts facts = Ask(session, wanted);
  EXPECT_EQ(facts.contents_size(), 16);
  EXPECT_NE(facts.problem().find("only 16 files"), std::string::npos);
  EXPECT_LE(facts.ByteSizeLong(), size_t{192} * 1024);
}

}  // namespace
}  // namespace holdpoint::reader
