#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "agent/kernel/kernel.h"
#include "agent/kernel/loader.h"
#include "agent/kernel/pins.h"
#include "agent/kernel/tasks.h"

namespace holdpoint {

// What an optional object needs to be tried: loaded and attached for real, since neither a version number nor a
// program type alone says whether a kernel takes it.
struct LadderContext {
  const Pins& pins;
  uint32_t load;
  int cgroup_fd;
  const std::vector<std::string>& without;  // rungs to leave out, by the names below
  std::vector<Rung>& rungs;                 // what came of it is appended

  bool Without(const std::string& rung) const;
};

// Loaded objects whose programs are attached only while a session exists.
class OnDemand {
 public:
  // All of them or none.
  absl::Status SetOn(bool on);
  bool on() const { return on_; }
  // Pins again what is attached and somebody unpinned; their paths.
  std::vector<std::string> RepairPins() const;

 protected:
  // Loads it, attaches it for real and detaches it again; kept where that worked.
  absl::StatusOr<LoadedObject*> Add(const LadderContext& context, const std::string& rung, const BpfImage& image,
                                    const std::vector<std::string>& only);

 private:
  std::vector<std::unique_ptr<LoadedObject>> objects_;
  std::string links_;
  bool on_ = false;
};

// The guards over held tasks. Rungs: "guard-return" (return to user mode), below it "guard-fault" (page fault) together
// with "guard-signal" (SIGCONT seen). Beside them "guard-lsm" (task_kill, ptrace), "guard-told" (signals that a held
// task is sent), "kill-children" (what a session makes while it is killed) and "wait-work", below it
// "wait-execve" (where a task waits whose stop would be seen; only together with guard-return).
class Guards : public OnDemand {
 public:
  // Tries each and leaves all detached. Never fails: no guard at all is a rung, said as such.
  void Try(const LadderContext& context);
  // Whether tasks can wait in the kernel while this is on.
  bool waits() const { return waits_; }

 private:
  void TryWait(const LadderContext& context, bool on_return);

  bool waits_ = false;
};

// What a session does to get out of sight: connects to unix sockets of other servers, by "unix-lsm", "unix-exit" or
// "unix-ready".
class Escapes : public OnDemand {
 public:
  void Try(const LadderContext& context);
};

// Sees a process moved out of the scope's cgroup (`scope_id`; 0 for the whole host, which nobody leaves). Rung: "leave".
// Attached when this returns; an empty object where it does not load.
LoadedObject TryLeave(const LadderContext& context, uint64_t scope_id);

// What a session does to Holdpoint itself. Rungs: "tamper-lsm" (denied), "tamper-told" (told), both where both load. Attached
// only while a session exists, as the guards are.
class TamperWatch : public OnDemand {
 public:
  void Try(const LadderContext& context);
};

// The connect programs. Rungs: "connect-storage" (label from task storage), "connect-tgid" (from the table by tgid).
// Attached when this returns; an empty object where no rung loads.
LoadedObject TryConnect(const LadderContext& context);

// The iterators over tasks, of `object`; null: /proc has to do. Rung: "iterator".
std::unique_ptr<TaskIterator> TryIterator(const LadderContext& context, LoadedObject& object);

}  // namespace holdpoint
