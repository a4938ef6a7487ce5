#include "agent/gate/facts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/file_id.h"
#include "agent/gate/child.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxFactsBytes = 4 << 20;
constexpr int kPidfdAs = 5;
constexpr int kExecutableAs = 6;

std::string Problem(absl::string_view what) {
  v1::Facts facts;
  facts.set_problem(absl::StrCat("reader: ", what));
  return facts.SerializeAsString();
}

}  // namespace

JudgeLink::FactsSource FactsAbout(EventLoop& loop, const Clock& clock, std::string reader_program, StoppedTask task,
                                  std::optional<FileId> program) {
  return [&loop, &clock, reader_program = std::move(reader_program), task = std::move(task), program](
             const v1::FactsWanted& wanted, JudgeLink::FactsDone done) {
    HelperRequest request;
    request.spec.path = reader_program;
    request.spec.args = {"--pid", absl::StrCat(task.id.tgid)};
    if (task.pidfd != nullptr) request.spec.inherit.push_back({task.pidfd->get(), kPidfdAs});
    const UniqueFd executable(open(absl::StrCat("/proc/", task.id.tgid, "/exe").c_str(), O_RDONLY | O_CLOEXEC));
    if (program.has_value()) {
      struct stat st {};
      if (!executable.ok() || fstat(executable.get(), &st) != 0 || FileIdFromStat(st) != *program) {
        return done(Problem("the process runs another program by now"));
      }
    }
    if (executable.ok()) request.spec.inherit.push_back({executable.get(), kExecutableAs});
    request.input = wanted.SerializeAsString();
    request.max_output = kMaxFactsBytes;
    request.budget = absl::Milliseconds(wanted.budget_ms()) + absl::Milliseconds(100);
    RunHelper(loop, clock, std::move(request), [done](absl::StatusOr<HelperResult> result) {
      if (!result.ok()) return done(Problem(result.status().message()));
      if (!WIFEXITED(result->wait_status) || WEXITSTATUS(result->wait_status) != 0) return done(Problem("it failed"));
      done(std::move(result->output));
    });
  };
}

}  // namespace holdpoint
