#include "agent/gate/running_program.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/escape.h"
#include "agent/base/file_id.h"
#include "agent/base/status.h"
#include "agent/response/proc.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxBytes = 256 << 10;  // of argv and of the environment

std::string Link(const std::string& folder, const char* name) {
  char path[4096];
  const ssize_t length = readlink(absl::StrCat(folder, "/", name).c_str(), path, sizeof(path));
  return length > 0 ? std::string(path, static_cast<size_t>(length)) : "";
}

}  // namespace

absl::StatusOr<RunningProgram> LookAtRunning(const ProcessId& process) {
  RunningProgram running;
  const std::string folder = absl::StrCat("/proc/", process.tgid);
  HP_ASSIGN_OR_RETURN(UniqueFd pidfd, OpenPidfd(process));
  const absl::StatusOr<struct stat> executable = CachedStat(AT_FDCWD, absl::StrCat(folder, "/exe").c_str());
  struct stat directory {};
  if (!executable.ok() || stat(folder.c_str(), &directory) != 0) {
    return absl::NotFoundError(absl::StrCat("process ", process.tgid, " has no program"));
  }
  running.file = FileIdFromStat(*executable);
  v1::ConsultSession& question = running.question;
  question.set_unnamed(true);
  question.set_executable_size(static_cast<uint64_t>(executable->st_size));
  question.set_raw_executable(Link(folder, "exe"));
  question.set_raw_working_directory(Link(folder, "cwd"));
  HP_ASSIGN_OR_RETURN(ProcText argv, ReadArgv(process, kMaxBytes));
  question.set_raw_argv(std::move(argv.bytes));
  if (absl::StatusOr<ProcText> environment = ReadEnviron(process, kMaxBytes); environment.ok()) {
    question.set_raw_environment(std::move(environment->bytes));
  }
  running.root.process = process;
  running.root.pidfd = std::make_shared<UniqueFd>(std::move(pidfd));
  running.root.uid = directory.st_uid;
  v1::Process& shown = running.root.shown;
  shown.set_tgid(static_cast<uint32_t>(process.tgid));
  shown.set_start_boot_ns(process.start_boot_ns);
  shown.set_uid(directory.st_uid);
  shown.set_gid(directory.st_gid);
  shown.set_executable(EscapeForTerminal(question.raw_executable()));
  shown.set_working_directory(EscapeForTerminal(question.raw_working_directory()));
  *question.mutable_process() = shown;
  return running;
}

}  // namespace holdpoint
