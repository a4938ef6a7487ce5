// holdpoint-reader: reads, for the judge, files of a stopped process, as that process's user and in its mount
// namespace. Started by the gate as root for one request:
//
//   holdpoint-reader --pid N [--listeners] [--containers] [--crontab]
//
//   fd 3  pipe or SOCK_SEQPACKET: one serialised holdpoint.v1.Facts is written, whatever happens
//   fd 4  the serialised holdpoint.v1.FactsWanted, read to its end
//   fd 5  a pidfd of the process, where the gate has one
//   fd 6  the process's executable, where the gate has it (O_PATH is enough)
//
// The flags open what only root may open of the host, for questions that need it (see host_look.h).
//
//   holdpoint-reader --databases-above PARENT ROOT
//
// writes to fd 3 which of these two and the processes between them has a connection to a database, as "PID PEER", or
// nothing. It keeps its rights and reads nothing but what the kernel says (see open_database.h).
//
//   holdpoint-reader --pid N --watch
//
// puts marks on the files that FactsWanted.paths names, as the process's user and in its mount namespace, and writes a
// WatchedFile for each to fd 3 (see watch_files.h). Besides 4 and 5 it has
//
//   fd 7  the gate's fanotify group for files
//   fd 8  the same for folders
//
// Exit status: 0 an answer was written, 1 nobody takes it, 2 wrong usage. Nothing that a session wrote, the request
// included (it holds paths from argv), is read before every right is gone.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "agent/base/log.h"
#include "agent/reader/answer.h"
#include "agent/reader/answer_request.h"
#include "agent/reader/enter.h"
#include "agent/reader/host_look.h"
#include "agent/reader/open_database.h"
#include "agent/reader/safe_file.h"
#include "agent/reader/watch_files.h"

namespace {

constexpr int kAnswerFd = 3, kRequestFd = 4, kPidfdFd = 5, kExecutableFd = 6, kGroupFd = 7, kFoldersFd = 8;
constexpr uint32_t kDefaultBudgetMs = 200, kMaxBudgetMs = 10'000;
constexpr size_t kMaxRequest = 256 * 1024;

bool IsOpen(int fd) { return fcntl(fd, F_GETFD) >= 0; }

std::optional<std::string> ReadToEnd(int fd) {
  std::string bytes(kMaxRequest, '\0');
  size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t n = read(fd, bytes.data() + size, bytes.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::nullopt;
    if (n == 0) {
      bytes.resize(size);
      return bytes;
    }
    size += static_cast<size_t>(n);
  }
  return std::nullopt;
}

// Whatever the gate left open by mistake does not go into the session's world.
void CloseOthers(int first) { close_range(static_cast<unsigned int>(first), ~0U, 0); }

int TellDatabase(pid_t parent, pid_t root) {
  const std::optional<holdpoint::reader::OpenDatabase> found = holdpoint::reader::DatabaseAbove(parent, root);
  if (!found.has_value()) return 0;
  const std::string line = absl::StrCat(found->pid, " ", found->peer);
  return write(kAnswerFd, line.data(), line.size()) == static_cast<ssize_t>(line.size()) ? 0 : 1;
}

bool Write(const holdpoint::WatchedFile& file) {
  const char* at = reinterpret_cast<const char*>(&file);
  for (size_t left = sizeof(file); left > 0;) {
    const ssize_t n = write(kAnswerFd, at, left);
    if (n < 0 && errno != EINTR) return false;
    if (n > 0) at += n, left -= static_cast<size_t>(n);
  }
  return true;
}

int Watch(pid_t pid) {
  CloseOthers(kFoldersFd + 1);
  const absl::StatusOr<holdpoint::reader::Target> target =
      holdpoint::reader::OpenTarget(pid, IsOpen(kPidfdFd) ? kPidfdFd : -1, -1);
  if (!target.ok()) return 1;
  if (const absl::Status status = holdpoint::reader::EnterAndDrop(*target, kMaxBudgetMs / 1000 + 1); !status.ok()) {
    std::fprintf(stderr, "holdpoint-reader: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  const std::optional<std::string> bytes = ReadToEnd(kRequestFd);
  holdpoint::v1::FactsWanted wanted;
  if (!bytes || !wanted.ParseFromString(*bytes)) return 1;
  std::string home;
  if (target->environment.ok()) {
    absl::StatusOr<holdpoint::reader::Content> environment =
        holdpoint::reader::ReadBounded(target->environment.get(), kMaxRequest);
    if (environment.ok()) home = holdpoint::reader::HomeIn(environment->bytes);
  }
  bool taken = true;
  holdpoint::reader::WatchFiles({wanted.paths().begin(), wanted.paths().end()}, home, {.files = kGroupFd, .folders = kFoldersFd},
                                target->own_fds.get(),
                                [&taken](const holdpoint::WatchedFile& file) { taken = taken && Write(file); });
  return taken ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  holdpoint::SetLogName("holdpoint-reader");
  pid_t pid = 0, root = 0;
  if (argc == 4 && std::strcmp(argv[1], "--databases-above") == 0 && absl::SimpleAtoi(argv[2], &pid) &&
      absl::SimpleAtoi(argv[3], &root) && IsOpen(kAnswerFd)) {
    return TellDatabase(pid, root);
  }
  if (argc == 4 && std::strcmp(argv[1], "--pid") == 0 && absl::SimpleAtoi(argv[2], &pid) && pid > 0 &&
      std::strcmp(argv[3], "--watch") == 0 && IsOpen(kAnswerFd) && IsOpen(kRequestFd) && IsOpen(kGroupFd) && IsOpen(kFoldersFd)) {
    return Watch(pid);
  }
  holdpoint::reader::HostWanted host_wanted;
  bool understood = argc >= 3 && std::strcmp(argv[1], "--pid") == 0 && absl::SimpleAtoi(argv[2], &pid) && pid > 0;
  for (int i = 3; i < argc; ++i) {
    const absl::string_view flag = argv[i];
    host_wanted.listeners |= flag == "--listeners";
    host_wanted.containers |= flag == "--containers";
    host_wanted.crontab |= flag == "--crontab";
    understood = understood && (flag == "--listeners" || flag == "--containers" || flag == "--crontab");
  }
  if (!understood) {
    std::fprintf(stderr, "usage: holdpoint-reader --pid N [--listeners] [--containers] [--crontab]\n"
                         "(started by holdpointd, with descriptors 3 and 4)\n");
    return 2;
  }
  if (!IsOpen(kAnswerFd) || !IsOpen(kRequestFd)) {
    std::fprintf(stderr, "holdpoint-reader: descriptors 3 and 4 are not open: it is started by holdpointd\n");
    return 2;
  }
  CloseOthers(kExecutableFd + 1);
  holdpoint::reader::Answer answer(kAnswerFd, kMaxBudgetMs);
  absl::StatusOr<holdpoint::reader::Target> target =
      holdpoint::reader::OpenTarget(pid, IsOpen(kPidfdFd) ? kPidfdFd : -1, IsOpen(kExecutableFd) ? kExecutableFd : -1);
  if (!target.ok()) {
    answer.AddProblem(absl::StrCat("reader: ", target.status().message()));
    answer.Finish();
  }
  const holdpoint::reader::HostLook host = holdpoint::reader::LookAtHost(pid, target->credentials.uid, host_wanted);
  if (const absl::Status status = holdpoint::reader::EnterAndDrop(*target, kMaxBudgetMs / 1000 + 1); !status.ok()) {
    answer.AddProblem(absl::StrCat("reader: ", status.message()));
    answer.Finish();
  }

  const std::optional<std::string> bytes = ReadToEnd(kRequestFd);
  holdpoint::v1::FactsWanted wanted;
  if (!bytes || !wanted.ParseFromString(*bytes)) {
    answer.AddProblem("reader: the request on descriptor 4 is not a FactsWanted");
    answer.Finish();
  }
  const uint32_t budget = wanted.budget_ms() == 0 ? kDefaultBudgetMs : wanted.budget_ms();
  answer.SetBudget(std::min(budget, kMaxBudgetMs));
  holdpoint::reader::AnswerRequest(wanted, *target, host, &answer);
  answer.Finish();
}
