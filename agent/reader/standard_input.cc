#include "agent/reader/standard_input.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/fd.h"
#include "agent/base/sha256.h"

namespace holdpoint::reader {
namespace {

constexpr int kPipeBytes = 1 << 20;  // what one may be made to hold without rights
constexpr int kSliceMs = 10;

int64_t NowMs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

bool Closed(int fd, int wait_ms) {
  pollfd poller{fd, POLLRDHUP, 0};
  return poll(&poller, 1, wait_ms) > 0 && (poller.revents & (POLLHUP | POLLRDHUP)) != 0;
}

// Until no writer is left, or so much lies ready that one waits for the reader.
bool WaitForEnd(int fd, size_t max_bytes, uint32_t wait_ms) {
  const int64_t until = NowMs() + wait_ms;
  while (true) {
    const int64_t left = until - NowMs();
    if (Closed(fd, left <= 0 ? 0 : static_cast<int>(std::min<int64_t>(left, kSliceMs)))) return true;
    int ready = 0;
    if (left <= 0 || (ioctl(fd, FIONREAD, &ready) == 0 && static_cast<size_t>(ready) >= max_bytes)) return false;
  }
}

void Fill(std::string bytes, bool ended, size_t max_bytes, v1::StandardInputFact* fact) {
  fact->set_cut(bytes.size() > max_bytes);
  if (bytes.size() > max_bytes) bytes.resize(max_bytes);
  fact->set_whole(ended && !fact->cut());
  fact->set_sha256(Hex(Sha256(bytes)));
  fact->set_content(std::move(bytes));
}

void PeekFile(int fd, size_t max_bytes, v1::StandardInputFact* fact) {
  const off_t begin = lseek(fd, 0, SEEK_CUR);
  if (begin < 0) return fact->set_problem(strerror(errno));
  fact->set_position(static_cast<uint64_t>(begin));
  std::string bytes(max_bytes + 1, '\0');
  size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t n = pread(fd, bytes.data() + size, bytes.size() - size, begin + static_cast<off_t>(size));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fact->set_problem(strerror(errno));
    if (n == 0) break;
    size += static_cast<size_t>(n);
  }
  bytes.resize(size);
  Fill(std::move(bytes), true, max_bytes, fact);
}

void PeekPipe(int fd, size_t max_bytes, uint32_t wait_ms, v1::StandardInputFact* fact) {
  const bool ended = WaitForEnd(fd, max_bytes, wait_ms);
  int ready = 0;
  if (ioctl(fd, FIONREAD, &ready) != 0) return fact->set_problem(strerror(errno));
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return fact->set_problem(absl::StrCat("pipe: ", strerror(errno)));
  const UniqueFd from(ends[0]), to(ends[1]);
  (void)fcntl(to.get(), F_SETPIPE_SZ, kPipeBytes);  // As it is where the user has too many: then less is seen.
  const ssize_t teed = tee(fd, to.get(), static_cast<size_t>(std::max(ready, 1)), SPLICE_F_NONBLOCK);
  if (teed < 0 && errno != EAGAIN) return fact->set_problem(absl::StrCat("tee: ", strerror(errno)));
  std::string bytes(std::min(static_cast<size_t>(std::max<ssize_t>(teed, 0)), max_bytes + 1), '\0');
  size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t n = read(from.get(), bytes.data() + size, bytes.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    size += static_cast<size_t>(n);
  }
  bytes.resize(size);
  Fill(std::move(bytes), ended && size >= std::min(static_cast<size_t>(ready), max_bytes + 1), max_bytes, fact);
}

void PeekSocket(int fd, size_t max_bytes, uint32_t wait_ms, v1::StandardInputFact* fact) {
  const bool ended = WaitForEnd(fd, max_bytes, wait_ms);
  std::string bytes(max_bytes + 1, '\0');
  ssize_t n = 0;
  do {
    n = recv(fd, bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
  } while (n < 0 && errno == EINTR);
  if (n < 0 && errno != EAGAIN) return fact->set_problem(strerror(errno));
  bytes.resize(static_cast<size_t>(std::max<ssize_t>(n, 0)));
  Fill(std::move(bytes), ended, max_bytes, fact);
}

}  // namespace

void PeekInput(int fd, size_t max_bytes, uint32_t wait_ms, v1::StandardInputFact* fact) {
  struct stat st {};
  if (fd < 0 || fstat(fd, &st) != 0) {
    fact->set_kind("closed");
    return;
  }
  if (S_ISREG(st.st_mode)) {
    fact->set_kind("file");
    PeekFile(fd, max_bytes, fact);
  } else if (S_ISFIFO(st.st_mode)) {
    fact->set_kind("pipe");
    PeekPipe(fd, max_bytes, wait_ms, fact);
  } else if (S_ISSOCK(st.st_mode)) {
    fact->set_kind("socket");
    PeekSocket(fd, max_bytes, wait_ms, fact);
  } else if (isatty(fd) == 1) {
    fact->set_kind("terminal");
  } else {
    const bool null = S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
    fact->set_kind(null ? "null" : "other");
    fact->set_whole(null);
  }
}

}  // namespace holdpoint::reader
