#include "agent/response/tell_pool.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/clock.h"
#include "agent/response/blocked_signals.h"
#include "agent/response/told_fd.h"

namespace holdpoint {

struct TellPool::State {
  struct Job {
    std::shared_ptr<UniqueFd> pidfd;
    ProcessId id;
    std::string text;
    BootTime deadline;
    Done done;
  };

  explicit State(size_t most) : most_threads(most) {}

  const size_t most_threads;
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<Job> jobs;
  size_t threads = 0;
  size_t idle = 0;
  bool stopped = false;

  // Late texts are not written: who would read them has been told something else.
  static Told Work(const Job& job) {
    if (Clock::Real().Boot() >= job.deadline) return {false, "nobody was free to write to its stderr"};
    ToldFd place = FindStderr(job.pidfd->get(), job.id);
    if (!place.fd.ok()) return {false, std::move(place.detail)};
    std::string problem = WriteAll(place.fd.get(), job.text, job.deadline - Clock::Real().Boot());
    const bool whole = problem.empty();
    if (!whole && !place.detail.empty()) problem = absl::StrCat(place.detail, ": ", problem);
    return {whole, whole ? std::move(place.detail) : std::move(problem)};
  }

  static void Run(const std::shared_ptr<State>& state) {
    std::unique_lock lock(state->mutex);
    for (;;) {
      ++state->idle;
      state->wake.wait(lock, [&] { return state->stopped || !state->jobs.empty(); });
      --state->idle;
      if (state->stopped) return;
      Job job = std::move(state->jobs.front());
      state->jobs.pop_front();
      lock.unlock();
      Told told = Work(job);
      lock.lock();
      // Under the lock: after the destructor nobody is called.
      if (!state->stopped) job.done(std::move(told));
    }
  }
};

TellPool::TellPool(size_t threads) : state_(std::make_shared<State>(threads)) {}

TellPool::~TellPool() {
  std::lock_guard lock(state_->mutex);
  state_->stopped = true;
  state_->jobs.clear();
  state_->wake.notify_all();
}

void TellPool::Tell(std::shared_ptr<UniqueFd> pidfd, const ProcessId& id, std::string text, absl::Duration patience,
                    Done done) {
  std::unique_lock lock(state_->mutex);
  if (state_->idle <= state_->jobs.size() && state_->threads < state_->most_threads) {
    // SIGPIPE among them: a write to a pipe without a reader is an error here and not the end of the daemon.
    BlockedSignals blocked;
    try {
      std::thread(&State::Run, state_).detach();
      ++state_->threads;
    } catch (const std::system_error&) {
      // No thread to be had: one of those there are takes the job, or nobody does.
    }
  }
  if (state_->threads == 0 || state_->jobs.size() >= 4 * state_->most_threads) {
    lock.unlock();
    done(Told{.whole = false, .detail = "nobody was free to write to its stderr"});
    return;
  }
  state_->jobs.push_back({std::move(pidfd), id, std::move(text), Clock::Real().Boot() + patience, std::move(done)});
  state_->wake.notify_one();
}

}  // namespace holdpoint
