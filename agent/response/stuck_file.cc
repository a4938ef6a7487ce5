#include "agent/response/stuck_file.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/response/stage.h"

namespace holdpoint::stage {
namespace {

constexpr uint64_t kFileNode = 2;

fuse_attr AttributesOf(uint64_t node) {
  fuse_attr attr{};
  attr.ino = node;
  attr.mode = node == kFileNode ? S_IFREG | 0666 : S_IFDIR | 0777;
  attr.nlink = 1;
  return attr;
}

template <typename Body>
void Answer(int fuse, uint64_t unique, const Body& body) {
  fuse_out_header head{};
  head.len = sizeof(head) + sizeof(body);
  head.unique = unique;
  std::vector<char> packet(head.len);
  std::memcpy(packet.data(), &head, sizeof(head));
  std::memcpy(packet.data() + sizeof(head), &body, sizeof(body));
  (void)!write(fuse, packet.data(), packet.size());
}

void AnswerError(int fuse, uint64_t unique, int error) {
  fuse_out_header head{};
  head.len = sizeof(head);
  head.error = -error;
  head.unique = unique;
  (void)!write(fuse, &head, sizeof(head));
}

void Handle(int fuse, const fuse_in_header& in) {
  switch (in.opcode) {
    case FUSE_INIT: {
      fuse_init_out out{};
      out.major = FUSE_KERNEL_VERSION;
      out.minor = 31;
      out.max_write = 4096;
      return Answer(fuse, in.unique, out);
    }
    case FUSE_LOOKUP: {
      fuse_entry_out out{};
      out.nodeid = kFileNode;
      out.attr = AttributesOf(kFileNode);
      return Answer(fuse, in.unique, out);
    }
    case FUSE_GETATTR: {
      fuse_attr_out out{};  // valid for no time: asked for at every fstat
      out.attr = AttributesOf(in.nodeid);
      return Answer(fuse, in.unique, out);
    }
    case FUSE_OPEN: {
      fuse_open_out out{};
      out.open_flags = FOPEN_DIRECT_IO;
      return Answer(fuse, in.unique, out);
    }
    case FUSE_FLUSH:
    case FUSE_RELEASE:
      return AnswerError(fuse, in.unique, 0);
    default:
      return AnswerError(fuse, in.unique, ENOSYS);
  }
}

// Answers until the other end of `stop` is closed, and then lives on in silence.
[[noreturn]] void Serve(int fuse, int stop) {
  std::vector<char> request(1 << 17);
  for (;;) {
    pollfd wait[2] = {{.fd = fuse, .events = POLLIN, .revents = 0}, {.fd = stop, .events = POLLIN, .revents = 0}};
    poll(wait, 2, -1);
    if (wait[1].revents != 0) {
      (void)!write(stop, "s", 1);
      for (;;) pause();
    }
    const ssize_t got = read(fuse, request.data(), request.size());
    if (got < static_cast<ssize_t>(sizeof(fuse_in_header))) continue;
    fuse_in_header in;
    std::memcpy(&in, request.data(), sizeof(in));
    Handle(fuse, in);
  }
}

}  // namespace

StuckFile::StuckFile() {
  static const bool own_mounts =
      unshare(CLONE_NEWNS) == 0 && mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  char directory[] = "/tmp/hp-stuck-XXXXXX";
  UniqueFd fuse(open("/dev/fuse", O_RDWR | O_CLOEXEC));
  int ends[2];
  if (!own_mounts || !fuse.ok() || mkdtemp(directory) == nullptr ||
      socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    perror("a file system of user space");
    return;
  }
  directory_ = directory;
  stop_.reset(ends[0]);
  UniqueFd server_stop(ends[1]);
  const std::string options = absl::StrCat("fd=", fuse.get(), ",rootmode=40000,user_id=0,group_id=0");
  if (mount("fuse", directory, "fuse", MS_NOSUID | MS_NODEV, options.c_str()) != 0) {
    perror("mount fuse");
    return;
  }
  server_ = fork();
  if (server_ == 0) {
    stop_.reset();
    Serve(fuse.get(), server_stop.get());
  }
  fuse.reset();  // The server has the last one: its end is the file system's.
  file_.reset(open(absl::StrCat(directory, "/file").c_str(), O_RDWR | O_CLOEXEC));
  if (!file_.ok()) perror("open on fuse");
}

void StuckFile::StopAnswering() {
  (void)!write(stop_.get(), "s", 1);
  ReadUntil(stop_.get(), 1);
}

void StuckFile::End() {
  if (server_ <= 0) return;
  kill(server_, SIGKILL);
  waitpid(server_, nullptr, 0);
  server_ = -1;
}

StuckFile::~StuckFile() {
  End();
  file_.reset();
  if (!directory_.empty()) {
    umount2(directory_.c_str(), MNT_DETACH);
    rmdir(directory_.c_str());
  }
}

}  // namespace holdpoint::stage
