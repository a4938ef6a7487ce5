#include "agent/kernel/tasks.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

std::string ReadSmallFile(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Reads an iterator to its end: its program runs for every task.
absl::StatusOr<std::string> RunIterator(int link_fd) {
  UniqueFd fd(bpf_iter_create(link_fd));
  if (!fd.ok()) return ErrnoStatus("task iterator");
  std::string bytes;
  char buffer[16384];
  ssize_t n;
  while ((n = read(fd.get(), buffer, sizeof(buffer))) > 0) bytes.append(buffer, static_cast<size_t>(n));
  if (n < 0) return ErrnoStatus("task iterator");
  return bytes;
}

constexpr size_t kSmallTree = 64;      // processes
constexpr size_t kFewThreads = 1024;  // of all of them

// Appends what the threads of a process have started; false past the bound of threads.
bool AppendChildren(pid_t pid, size_t* threads, std::vector<pid_t>* found) {
  std::error_code error;
  for (std::filesystem::directory_iterator it(absl::StrCat("/proc/", pid, "/task"), error), end; !error && it != end;
       it.increment(error)) {
    if (++*threads > kFewThreads) return false;
    for (const absl::string_view word : absl::StrSplit(ReadSmallFile(it->path().string() + "/children"), ' ')) {
      pid_t child = 0;
      if (absl::SimpleAtoi(word, &child)) found->push_back(child);
    }
  }
  return true;  // It may have ended meanwhile: then it has no children.
}

// The fourth field of /proc/PID/stat; the second may hold spaces and parentheses.
uint32_t ParentFromStat(const std::string& stat) {
  const size_t paren = stat.rfind(')');
  if (paren == std::string::npos) return 0;
  const std::vector<std::string> fields = absl::StrSplit(stat.substr(paren + 1), ' ', absl::SkipEmpty());
  uint32_t ppid = 0;
  return fields.size() > 1 && absl::SimpleAtoi(fields[1], &ppid) ? ppid : 0;
}

}  // namespace

absl::StatusOr<pid_t> PidOfPidfd(int pidfd) {
  const std::string info = ReadSmallFile(absl::StrCat("/proc/self/fdinfo/", pidfd));
  for (absl::string_view line : absl::StrSplit(info, '\n')) {
    pid_t pid = 0;
    if (absl::ConsumePrefix(&line, "Pid:") && absl::SimpleAtoi(line, &pid) && pid > 0) return pid;
  }
  return absl::NotFoundError(absl::StrCat("pidfd ", pidfd, ": the process has ended"));
}

absl::StatusOr<UniqueFd> OpenPidfd(pid_t pid) {
  UniqueFd fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!fd.ok()) return ErrnoStatus(absl::StrCat("pidfd_open ", pid));
  return fd;
}

absl::StatusOr<hp_label> TaskLabels::Get(int pidfd) const {
  absl::StatusOr<hp_label> label = storage_.Get(pidfd);
  if (label.ok() && label->session != 0) return label;
  HP_ASSIGN_OR_RETURN(const pid_t tgid, PidOfPidfd(pidfd));
  HP_ASSIGN_OR_RETURN(const hp_label by_tgid, by_tgid_.Get(static_cast<uint32_t>(tgid)));
  if (by_tgid.session == 0) return absl::NotFoundError(absl::StrCat("process ", tgid, " has no label"));
  return by_tgid;
}

absl::Status TaskLabels::Set(int pidfd, const hp_label& label) const {
  HP_ASSIGN_OR_RETURN(const pid_t tgid, PidOfPidfd(pidfd));
  const uint32_t key = static_cast<uint32_t>(tgid);
  if (label.session == 0) {
    HP_RETURN_IF_ERROR(by_tgid_.Erase(key));
    return storage_.Erase(pidfd);
  }
  hp_label copy = label;
  copy.state = HP_TASK_RUN;
  HP_RETURN_IF_ERROR(storage_.Put(pidfd, label));
  HP_RETURN_IF_ERROR(by_tgid_.Put(key, copy));
  // It may have ended in between; then nothing would ever take the entry away.
  if (!PidOfPidfd(pidfd).ok()) {
    HP_RETURN_IF_ERROR(by_tgid_.Erase(key));
    return absl::NotFoundError(absl::StrCat("process ", tgid, " has ended"));
  }
  return absl::OkStatus();
}

absl::Status TaskLabels::SetState(int pidfd, uint64_t exec_id, hp_task_state state) const {
  HP_ASSIGN_OR_RETURN(hp_label label, storage_.Get(pidfd));
  if (label.exec_id != exec_id) {
    return absl::FailedPreconditionError(absl::StrCat("the task is at exec ", label.exec_id, " now, not at ", exec_id));
  }
  label.state = state;
  return storage_.Put(pidfd, label, BPF_EXIST);
}

absl::StatusOr<std::vector<hp_task_row>> ListTasksByIterator(int link_fd) {
  HP_ASSIGN_OR_RETURN(const std::string bytes, RunIterator(link_fd));
  std::vector<hp_task_row> rows(bytes.size() / sizeof(hp_task_row));
  std::memcpy(rows.data(), bytes.data(), rows.size() * sizeof(hp_task_row));
  return rows;
}

std::optional<std::vector<hp_task_row>> TaskIterator::Tree(pid_t root) const {
  if (access("/proc/thread-self/children", R_OK) != 0) return std::nullopt;
  std::vector<hp_task_row> rows;
  std::vector<pid_t> found = {root};
  size_t threads = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    if (found.size() > kSmallTree) return std::nullopt;
    bpf_iter_link_info info{};
    info.task.tid = static_cast<uint32_t>(found[i]);
    bpf_iter_attach_opts options{};
    options.sz = sizeof(options);
    options.link_info = &info;
    options.link_info_len = sizeof(info);
    const BpfLinkPtr link(bpf_program__attach_iter(one_, &options));
    if (link == nullptr) {
      if (errno == ESRCH) continue;
      return std::nullopt;  // Older than 6.1.
    }
    absl::StatusOr<std::vector<hp_task_row>> one = ListTasksByIterator(bpf_link__fd(link.get()));
    if (!one.ok()) return std::nullopt;
    rows.insert(rows.end(), one->begin(), one->end());
    if (!AppendChildren(found[i], &threads, &found)) return std::nullopt;
  }
  return rows;
}

absl::Status TaskIterator::Unlabel(pid_t tgid) const {
  HP_RETURN_IF_ERROR((MapView<uint32_t, uint32_t>(unlabel_map_, "hp_tmp_unlabel").Put(0, static_cast<uint32_t>(tgid))));
  return RunIterator(bpf_link__fd(unlabel_.get())).status();
}

absl::StatusOr<std::vector<hp_task_row>> ListTasksByProc(const TaskLabels& labels) {
  std::vector<hp_task_row> rows;
  std::error_code error;
  for (std::filesystem::directory_iterator it("/proc", error), end; !error && it != end; it.increment(error)) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(it->path().filename().string(), &pid)) continue;
    absl::StatusOr<UniqueFd> pidfd = OpenPidfd(pid);
    if (!pidfd.ok()) continue;
    hp_task_row row{};
    row.tgid = static_cast<uint32_t>(pid);
    row.ppid = ParentFromStat(ReadSmallFile(absl::StrCat("/proc/", pid, "/stat")));
    if (absl::StatusOr<hp_label> label = labels.Get(pidfd->get()); label.ok()) {
      row.label = *label;
      row.start_boot_ns = label->start_boot_ns;
    }
    rows.push_back(row);
  }
  if (error) return ErrnoStatus("read /proc", error.value());
  return rows;
}

}  // namespace holdpoint
