#include "agent/gate/session_killer.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "agent/base/fd.h"
#include "agent/response/proc.h"

namespace holdpoint {
namespace {

constexpr absl::Duration kRound = absl::Milliseconds(5);
constexpr int kMaxRounds = 1000;

}  // namespace

void SessionKiller::Kill(SessionNumber number, Done done) {
  Killing& killing = killing_[number];
  killing.rounds = 0;
  if (done) killing.done.push_back(std::move(done));
  Round();
}

// Of every session that is being ended: to list the tasks of a host is what costs.
void SessionKiller::Round() {
  const BootTime began = core_.clock.Boot();
  absl::StatusOr<std::vector<Kernel::LabelledTask>> tasks = core_.kernel.LabelledTasks();
  for (auto& [number, killing] : killing_) killing.alive = 0;
  for (const Kernel::LabelledTask& task : tasks.ok() ? *tasks : std::vector<Kernel::LabelledTask>()) {
    const auto found = killing_.find(task.label.session);
    if (found == killing_.end()) continue;
    absl::StatusOr<UniqueFd> pidfd = OpenPidfd(task.id);
    if (!pidfd.ok()) continue;
    ++found->second.alive;
    // What is held can do nothing; who waits for it could see it end and go on. So it is left for the next round.
    const bool held = task.label.state == HP_TASK_HELD || task.label.state == HP_TASK_OWNED || task.label.state == HP_TASK_WAITS;
    if (held && found->second.rounds == 0) continue;
    syscall(SYS_pidfd_send_signal, pidfd->get(), SIGKILL, nullptr, 0);
    found->second.killed.insert(task.id);
  }
  std::vector<Killing> over;
  for (auto it = killing_.begin(); it != killing_.end();) {
    const bool goes_on = tasks.ok() && it->second.alive > 0 && ++it->second.rounds < kMaxRounds;
    if (!goes_on) over.push_back(std::move(it->second));
    it = goes_on ? std::next(it) : killing_.erase(it);
  }
  for (const Killing& killing : over) {
    absl::StatusOr<int> result = static_cast<int>(killing.killed.size());
    if (killing.alive > 0) result = absl::DeadlineExceededError("some processes do not end");
    if (!tasks.ok()) result = tasks.status();
    for (const auto& done : killing.done) done(result);
  }
  if (killing_.empty() || timer_ != 0) return;
  // What was signalled needs a moment to be gone; a fork that raced with the flag shows up in the next round. On a host
  // with very many tasks a round is long, and everything else needs its turn too.
  const BootTime now = core_.clock.Boot();
  timer_ = core_.loop.At(now + std::max(kRound, 2 * (now - began)), [this] {
    timer_ = 0;
    Round();
  });
}

}  // namespace holdpoint
