#include "agent/gate/kernel_losses.h"

#include <fstream>
#include <vector>

#include "agent/base/log.h"

namespace holdpoint {
namespace {

struct Counter {
  hp_stat stat;
  const char* stage;
  const char* reason;
};
constexpr std::array<Counter, 3> kCounters = {{
    {HP_STAT_LOST_EVENTS, "ring", "ordinary ring full"},
    {HP_STAT_LOST_URGENT, "ring", "urgent ring full, the act was killed"},
    {HP_STAT_LABEL_FAILED, "label", "no room for a label, killed where its session enforces"},
}};

}  // namespace

void KernelLosses::Begin(bool took_over) {
  if (!took_over) return Keep();
  std::ifstream file(path_);
  for (uint64_t& count : declared_) {
    if (!(file >> count)) count = 0;  // Said twice rather than never.
  }
}

bool KernelLosses::Declare(Kernel& kernel, Recorder& recorder) {
  const absl::StatusOr<std::vector<uint64_t>> stats = kernel.Stats();
  if (!stats.ok()) return false;
  bool changed = false;
  for (size_t i = 0; i < kCounters.size(); ++i) {
    const uint64_t now = (*stats)[kCounters[i].stat];
    if (now <= declared_[i]) continue;
    recorder.CountLoss(kCounters[i].stage, kCounters[i].reason, now - declared_[i]);
    declared_[i] = now;
    changed = true;
  }
  if (!changed) return false;
  if (absl::Status flushed = recorder.FlushLosses(); !flushed.ok()) {
    LogWarning("losses are kept for later: ", flushed.message());
  }
  Keep();
  return true;
}

void KernelLosses::Keep() const {
  std::ofstream file(path_, std::ios::trunc);
  for (const uint64_t count : declared_) file << count << '\n';
}

}  // namespace holdpoint
