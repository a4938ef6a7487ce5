#include "agent/gate/facts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/file_id.h"
#include "agent/gate/child.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxFactsBytes = 4 << 20;
constexpr int kPidfdAs = 5;
constexpr int kExecutableAs = 6;
constexpr size_t kMaxDatabaseBytes = 1024;
constexpr absl::Duration kDatabaseBudget = absl::Seconds(2);
constexpr int kMaxLabels = 16;
constexpr int kGroupAs = 7, kFoldersAs = 8;
constexpr size_t kMaxWatchBytes = 1024 * sizeof(WatchedFile);
constexpr absl::Duration kWatchBudget = absl::Seconds(2);

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

JudgeLink::FactsSource FactsReader::About(StoppedTask task, std::optional<FileId> program, SessionOfPid session_of) {
  return [this, task = std::move(task), program, session_of = std::move(session_of)](
             const v1::FactsWanted& wanted, JudgeLink::FactsDone done) { Read(task, program, session_of, wanted, std::move(done)); };
}

void FactsReader::Read(const StoppedTask& task, const std::optional<FileId>& program, const SessionOfPid& session_of,
                       const v1::FactsWanted& wanted, JudgeLink::FactsDone done) {
  struct stat process {};
  if (stat(absl::StrCat("/proc/", task.id.tgid).c_str(), &process) != 0) return done(Problem("the process is gone"));
  HelperRequest request;
  request.stuck = StuckOf(process.st_uid);
  if (*request.stuck >= kMaxStuck) {
    return done(Problem(absl::StrCat(*request.stuck, " of them wait for file systems of uid ", process.st_uid,
                                     " that do not answer: end or unmount what serves them")));
  }
  request.spec.path = program_;
  request.spec.args = {"--pid", absl::StrCat(task.id.tgid)};
  if (wanted.listeners_size() > 0) request.spec.args.push_back("--listeners");
  if (wanted.container_store()) request.spec.args.push_back("--containers");
  if (wanted.crontab()) request.spec.args.push_back("--crontab");
  if (task.pidfd != nullptr) request.spec.inherit.push_back({task.pidfd->get(), kPidfdAs});
  // Without opening it: that is left to the reader, which nobody waits for.
  const UniqueFd executable(open(absl::StrCat("/proc/", task.id.tgid, "/exe").c_str(), O_PATH | O_CLOEXEC));
  if (program.has_value()) {
    const absl::StatusOr<struct stat> st =
        executable.ok() ? CachedStat(executable.get(), "", AT_EMPTY_PATH) : absl::NotFoundError("");
    if (!st.ok() || FileIdFromStat(*st) != *program) return done(Problem("the process runs another program by now"));
  }
  if (executable.ok()) request.spec.inherit.push_back({executable.get(), kExecutableAs});
  request.input = wanted.SerializeAsString();
  request.max_output = kMaxFactsBytes;
  request.budget = absl::Milliseconds(wanted.budget_ms()) + JudgeLink::kReaderStart;
  RunHelper(loop_, clock_, std::move(request), [done, labels = Labels(wanted, session_of)](absl::StatusOr<HelperResult> result) {
    if (absl::IsDeadlineExceeded(result.status())) {
      return done(Problem("it was not ready in time; a file system that it asked may not answer"));
    }
    if (!result.ok()) return done(Problem(result.status().message()));
    if (!WIFEXITED(result->wait_status) || WEXITSTATUS(result->wait_status) != 0) return done(Problem("it failed"));
    done(absl::StrCat(result->output, labels));  // Two messages behind each other are one.
  });
}

void FactsReader::DatabaseAbove(pid_t parent, pid_t root, uid_t user, DatabaseDone done) {
  HelperRequest request;
  request.stuck = StuckOf(user);
  if (*request.stuck >= kMaxStuck) return done(absl::ResourceExhaustedError("too many readers wait for this user's files"));
  request.spec.path = program_;
  request.spec.args = {"--databases-above", absl::StrCat(parent), absl::StrCat(root)};
  request.max_output = kMaxDatabaseBytes;
  request.budget = kDatabaseBudget;
  RunHelper(loop_, clock_, std::move(request), [done = std::move(done)](absl::StatusOr<HelperResult> result) {
    if (!result.ok()) return done(result.status());
    if (!WIFEXITED(result->wait_status) || WEXITSTATUS(result->wait_status) != 0) return done(absl::UnavailableError("it failed"));
    done(std::move(result->output));
  });
}

void FactsReader::Watch(pid_t pid, uid_t user, const std::vector<std::string>& patterns, int files, int folders,
                        WatchDone done) {
  HelperRequest request;
  request.stuck = StuckOf(user);
  if (*request.stuck >= kMaxStuck) return done(absl::ResourceExhaustedError("too many readers wait for this user's files"));
  v1::FactsWanted wanted;
  wanted.mutable_paths()->Assign(patterns.begin(), patterns.end());
  request.spec.path = program_;
  request.spec.args = {"--pid", absl::StrCat(pid), "--watch"};
  request.spec.inherit.push_back({files, kGroupAs});
  request.spec.inherit.push_back({folders, kFoldersAs});
  request.input = wanted.SerializeAsString();
  request.max_output = kMaxWatchBytes;
  request.budget = kWatchBudget;
  request.what_there_is = true;
  RunHelper(loop_, clock_, std::move(request), [done = std::move(done)](absl::StatusOr<HelperResult> result) {
    if (!result.ok()) return done(result.status());
    const bool late = result->late;
    if (!late && WIFSIGNALED(result->wait_status)) return done(absl::AbortedError("the reader was killed"));
    if (!late && WEXITSTATUS(result->wait_status) != 0) return done(absl::UnavailableError("it failed"));
    Watched watched{.files = std::vector<WatchedFile>(result->output.size() / sizeof(WatchedFile)), .whole = !late};
    const size_t bytes = watched.files.size() * sizeof(WatchedFile);
    if (bytes > 0) std::memcpy(watched.files.data(), result->output.data(), bytes);
    done(std::move(watched));
  });
}

std::shared_ptr<int> FactsReader::StuckOf(uid_t user) {
  std::erase_if(stuck_, [user](const auto& entry) { return entry.first != user && *entry.second == 0; });
  std::shared_ptr<int>& stuck = stuck_[user];
  if (stuck == nullptr) stuck = std::make_shared<int>(0);
  return stuck;
}

}  // namespace holdpoint
