#include "agent/gate/session_facts.h"

#include <pwd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <utility>

#include "agent/base/escape.h"
#include "agent/base/utf8.h"
#include "agent/response/proc.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxArgvBytes = 256 << 10;
constexpr size_t kMaxEnvironmentBytes = 256 << 10;

}  // namespace

PasswdEntry PasswdOf(uint32_t uid) {
  FILE* const file = fopen("/etc/passwd", "re");
  if (file == nullptr) return {};
  PasswdEntry found;
  while (const passwd* entry = fgetpwent(file)) {
    if (entry->pw_uid != uid) continue;
    found = {.name = EscapeAndClip(entry->pw_name, 64), .home = ToValidUtf8(entry->pw_dir)};
    break;
  }
  fclose(file);
  return found;
}

absl::Time StartTime(const Clock& clock) {
  struct timespec stamp {};
  if (clock_gettime(CLOCK_REALTIME_COARSE, &stamp) != 0) return clock.Wall();
  return std::min(clock.Wall(), absl::TimeFromTimespec(stamp));
}

v1::ConsultSession SessionQuestion(const ProcessId& id, v1::Process process) {
  v1::ConsultSession question;
  *question.mutable_process() = std::move(process);
  if (absl::StatusOr<ProcText> argv = ReadArgv(id, kMaxArgvBytes); argv.ok()) question.set_raw_argv(argv->bytes);
  if (absl::StatusOr<ProcText> env = ReadEnviron(id, kMaxEnvironmentBytes); env.ok()) {
    question.set_raw_environment(env->bytes);
  }
  return question;
}

v1::ConsultSession SessionQuestion(const ExecEvent& event, v1::Process process) {
  v1::ConsultSession question = SessionQuestion(event.head.process, std::move(process));
  question.set_raw_executable(event.executable);
  question.set_raw_working_directory(event.cwd);
  if ((event.head.flags & HP_FLAG_SCRIPT) != 0) question.set_raw_script(event.filename);
  question.set_executable_size(event.file_size);
  if (question.raw_argv().empty()) question.set_raw_argv(event.argv);
  return question;
}

}  // namespace holdpoint
