#include "agent/gate/facts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/file_id.h"
#include "agent/gate/child.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxFactsBytes = 4 << 20;
constexpr int kPidfdAs = 5;
constexpr int kExecutableAs = 6;
constexpr int kMaxLabels = 16;

std::string Problem(absl::string_view what) {
  v1::Facts facts;
  facts.set_problem(absl::StrCat("reader: ", what));
  return facts.SerializeAsString();
}

// What the kernel says of the processes that are asked about, as a message of its own.
std::string Labels(const v1::FactsWanted& wanted, const SessionOfPid& session_of) {
  v1::Facts facts;
  for (int i = 0; session_of != nullptr && i < std::min(wanted.processes_size(), kMaxLabels); ++i) {
    const std::optional<SessionNumber> session = session_of(wanted.processes(i));
    if (!session.has_value()) continue;
    v1::ProcessLabel* const label = facts.add_labels();
    label->set_pid(wanted.processes(i));
    label->set_session(*session);
  }
  return facts.SerializeAsString();
}

}  // namespace

JudgeLink::FactsSource FactsAbout(EventLoop& loop, const Clock& clock, std::string reader_program, StoppedTask task,
                                  std::optional<FileId> program, SessionOfPid session_of) {
  return [&loop, &clock, reader_program = std::move(reader_program), task = std::move(task), program,
          session_of = std::move(session_of)](const v1::FactsWanted& wanted, JudgeLink::FactsDone done) {
    HelperRequest request;
    request.spec.path = reader_program;
    request.spec.args = {"--pid", absl::StrCat(task.id.tgid)};
    if (wanted.listeners_size() > 0) request.spec.args.push_back("--listeners");
    if (wanted.container_store()) request.spec.args.push_back("--containers");
    if (wanted.crontab()) request.spec.args.push_back("--crontab");
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
    RunHelper(loop, clock, std::move(request), [done, labels = Labels(wanted, session_of)](absl::StatusOr<HelperResult> result) {
      if (!result.ok()) return done(Problem(result.status().message()));
      if (!WIFEXITED(result->wait_status) || WEXITSTATUS(result->wait_status) != 0) return done(Problem("it failed"));
      done(absl::StrCat(result->output, labels));  // Two messages behind each other are one.
    });
  };
}

}  // namespace holdpoint
