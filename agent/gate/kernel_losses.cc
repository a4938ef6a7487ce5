#include "agent/gate/kernel_losses.h"

#include <array>
#include <vector>

#include "agent/base/log.h"

namespace holdpoint {
namespace {

// In the order of hp_account.declared.
struct Counter {
  hp_stat stat;
  const char* stage;
  const char* reason;
  bool event;  // nothing else tells of it
};
constexpr std::array<Counter, HP_DECLARED_MAX> kCounters = {{
    {HP_STAT_LOST_EVENTS, "ring", "ordinary ring full", true},
    {HP_STAT_LOST_URGENT, "ring", "urgent ring full, the act was killed", true},
    {HP_STAT_LABEL_FAILED, "label", "no room for a label, killed where its session enforces", true},
    {HP_STAT_FAIL_OPEN, "judge", "passed without a gate", false},
}};

}  // namespace

bool KernelLosses::Declare(Kernel& kernel, Recorder& recorder) {
  const absl::StatusOr<std::vector<uint64_t>> stats = kernel.Stats();
  if (!stats.ok()) return false;
  Account& account = kernel.account();
  std::array<uint64_t, HP_DECLARED_MAX> counted{};
  bool changed = false, lost = false;
  for (size_t i = 0; i < kCounters.size(); ++i) {
    counted[i] = (*stats)[kCounters[i].stat];
    if (counted[i] <= account.declared(i)) continue;
    recorder.CountLoss(kCounters[i].stage, kCounters[i].reason, counted[i] - account.declared(i));
    changed = true;
    lost |= kCounters[i].event;
  }
  if (!changed) return false;
  if (absl::Status flushed = recorder.FlushLosses(); !flushed.ok()) {
    LogWarning("losses are kept for later: ", flushed.message());
  }
  for (size_t i = 0; i < kCounters.size(); ++i) account.SetDeclared(i, counted[i]);  // Said twice rather than never.
  return lost;
}

void KernelLosses::Skip(Kernel& kernel) {
  const absl::StatusOr<std::vector<uint64_t>> stats = kernel.Stats();
  if (!stats.ok()) return;  // Said twice rather than never.
  for (size_t i = 0; i < kCounters.size(); ++i) kernel.account().SetDeclared(i, (*stats)[kCounters[i].stat]);
}

}  // namespace holdpoint
