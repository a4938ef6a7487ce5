#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "agent/base/clock.h"
#include "agent/base/ids.h"
#include "agent/kernel/account.h"
#include "bpf/shared/hp_abi.h"

namespace holdpoint {

// One capability of this kernel: which rung of its ladder is in use, and what is missing above it.
struct Rung {
  std::string capability;  // "hold guard", "connect label", ...
  std::string in_use;      // "page fault + context switch", "none", ...
  std::string missing;     // one sentence for doctor, empty on the top rung
};

// A file whose ctime is younger than this may be written again without its ctime changing: the kernel's coarse clock
// stands still for up to 10 ms (HZ=100).
inline constexpr absl::Duration kFreshFile = absl::Milliseconds(50);

// Everything the gate does with the kernel programs. The only class outside agent/kernel's own files that stands
// for libbpf; one instance per daemon.
//
// Programs and maps are pinned below Options::pin_dir/v<HP_LAYOUT_VERSION>: they stay when the daemon is killed, and
// the next Open() takes labels, sessions and classes over. Detach() removes every program and pin.
//
// Thread: the gate's event thread only, except SetTaskState, which any thread may call.
class Kernel {
 public:
  struct Options {
    std::string scope_cgroup;  // directory of the cgroup v2 that is watched; empty: the whole host
    std::string pin_dir;       // below a bpffs; made where it is missing
    absl::Duration stale_after = absl::Milliseconds(1500);
    // Capabilities left unused, by name, as if this kernel did not have them. For tests of the lower rungs.
    std::vector<std::string> without;
  };

  // Loads and attaches. A missing capability steps down a rung and is reported by Rungs(); it is an error only where
  // nothing is left to stand on (no BTF, no cgroup v2, no right to load): kFailedPrecondition or kPermissionDenied
  // with what to do. kAlreadyExists: another live daemon holds these pins or an overlapping scope.
  static absl::StatusOr<std::unique_ptr<Kernel>> Open(const Options& options);
  virtual ~Kernel() = default;

  virtual std::vector<Rung> Rungs() const = 0;
  // True where Open() found the pins of an earlier daemon and took its sessions over.
  virtual bool TookOver() const = 0;

  // Events. The two descriptors become readable by epoll (events only after DrainEvents' timer: the programs do not
  // wake for ordinary ones). A sink gets each record once, in the order of its ring, as raw bytes of at least
  // sizeof(hp_event_header); it must not keep them.
  using Sink = std::function<void(absl::Span<const std::byte>)>;
  virtual int UrgentFd() const = 0;
  virtual absl::Status DrainUrgent(const Sink& sink) = 0;
  virtual absl::Status DrainEvents(const Sink& sink) = 0;

  // What is drained is taken into the account; who writes it into the record settles it.
  virtual Account& account() = 0;
  // What the daemon before this one had taken and not written. Not known where it left no maps.
  virtual const Account::Left& left_unwritten() const = 0;

  // Heartbeat: after this the kernel may stop tasks for Options::stale_after. One store, no system call.
  virtual void Beat(BootTime now) = 0;

  // What the kernel holds of a task. `pidfd` is a pidfd of a thread group leader. kNotFound: no label, or gone.
  virtual absl::StatusOr<hp_label> Label(int pidfd) = 0;
  // Session 0 takes the label off the process and all its threads (where the iterator does not load, threads made
  // after the label keep theirs).
  virtual absl::Status SetLabel(int pidfd, const hp_label& label) = 0;
  // Changes the state only if the label's exec_id still is `exec_id`: kFailedPrecondition otherwise.
  virtual absl::Status SetTaskState(int pidfd, uint64_t exec_id, hp_task_state state) = 0;
  // Labels a running process and everything below it that is alive: for `holdpoint run` and for adoption. Threads and
  // children that are made meanwhile are found by repeating until nothing new appears. What carries the label of a
  // session in `keep` keeps it; a process of any other session keeps its exec_id and state. Returns how many processes.
  virtual absl::StatusOr<int> LabelTree(int pidfd, SessionNumber session, uint32_t root_flags,
                                        const std::set<SessionNumber>& keep) = 0;
  // Every labelled task that is alive (iter/task where it loads, else /proc): after a restart.
  struct LabelledTask {
    ProcessId id;
    hp_label label;
  };
  virtual absl::StatusOr<std::vector<LabelledTask>> LabelledTasks() = 0;
  // Every process, labelled or not, with its parent. Where the iterator does not load, the start of one without a label
  // is 0.
  struct Task {
    ProcessId id;
    pid_t parent = 0;
    hp_label label;
  };
  // With a `root`: at least it and what is below it, where these are few without looking at the rest of the host.
  virtual absl::StatusOr<std::vector<Task>> Tasks(pid_t root = 0) = 0;

  virtual absl::StatusOr<SessionNumber> NewSession(const hp_session& session) = 0;
  virtual absl::Status SetSession(SessionNumber number, const hp_session& session) = 0;
  virtual absl::Status EraseSession(SessionNumber number) = 0;
  virtual absl::StatusOr<std::map<SessionNumber, hp_session>> Sessions() = 0;

  // Triage tables. A new generation makes all older classes and automata stale at once.
  virtual absl::Status SetPolicyGeneration(uint32_t generation) = 0;
  virtual uint32_t PolicyGeneration() const = 0;
  struct TriageTables {
    absl::string_view rows;               // of hp_triage_row, as hp_abi.h says; row 0 is filled in here
    uint32_t unseen = HP_TRIAGE_ASK;      // the state at which a program that nobody knows begins
    std::vector<std::string> names;       // a script or unknown file of this name is asked about
    std::vector<uint64_t> sizes;          // so is an unknown file of this size
  };
  // For the generation that SetPolicyGeneration is told next; the tables of the one in force stay. An error leaves that
  // generation without: then everything is asked.
  virtual absl::Status SetTriage(const TriageTables& tables, uint32_t generation) = 0;
  // A file whose ctime is younger than kFreshFile gets no class, and is asked again. `start`: of HP_CLASS_ARGUMENTS,
  // where the automaton over argv begins; HP_TRIAGE_ASK: always asked.
  virtual absl::Status SetClass(const FileId& file, hp_class_value value, uint32_t start, uint32_t generation) = 0;
  // What the judge said of a program outside every session: of its file (script 0), or of an interpreter with a script.
  // A file whose ctime is younger than 50 ms is not remembered.
  virtual absl::Status SetProgram(const FileId& file, uint64_t script, hp_program_value value, uint32_t generation) = 0;
  virtual absl::Status SetAgentNames(const std::vector<std::string>& names) = 0;
  virtual absl::Status SetRecognition(bool on, uint32_t default_flags, uint32_t default_environment) = 0;

  struct DestinationPrefix {
    std::string address;  // 4 or 16 bytes
    uint32_t prefix_length = 0;
    std::vector<hp_dest_range> ranges;  // at most HP_DEST_RANGES, first match counts
  };
  // Replaces the table. Prefixes that contain each other: the longest decides alone, so its ranges must already hold
  // what the shorter ones say.
  virtual absl::Status SetDestinations(const std::vector<DestinationPrefix>& prefixes) = 0;
  virtual absl::Status SetAction(uint32_t session_environment, uint32_t destination_environment, hp_action action) = 0;
  virtual absl::Status AllowConnects(const hp_connect_key& key, const hp_connect_pass& pass) = 0;
  virtual absl::Status ForbidConnects(const hp_connect_key& key) = 0;
  virtual std::vector<std::pair<hp_connect_key, hp_connect_pass>> ConnectPasses() = 0;

  // What an owner has lifted, until a time on the boot clock: the kernel ends it then, whoever is alive. BootTime{} ends it
  // at once.
  virtual absl::Status SetOff(BootTime until) = 0;                           // nothing is stopped in any session
  virtual absl::Status SetGlass(uint32_t environment, BootTime until) = 0;  // connects to it pass, with a fresh heartbeat
  struct LiftedTimes {
    BootTime off;
    std::map<uint32_t, BootTime> glass;  // by environment; only those that are not BootTime{}
  };
  virtual absl::StatusOr<LiftedTimes> Lifted() = 0;

  // The guards that end a held task which something else makes runnable, and what sees a session get out of sight:
  // attached only while a session exists. Off after Open(), except after a takeover that found sessions.
  virtual absl::Status SetGuards(bool on) = 0;

  // Tells the kernel which processes are Holdpoint's own; all of them, each time.
  virtual void SetOurs(const std::vector<pid_t>&) {}
  // Pins of programs and maps that somebody has removed, pinned again. For a timer.
  virtual std::vector<std::string> RepairPins() { return {}; }

  // What a warden needs to go on when this process is gone (agent/kernel/warden.h), in its order; -1: not there.
  virtual std::vector<int> WardenFds() const { return {}; }

  // Counters by hp_stat, summed over cpus, since the maps were made.
  virtual absl::StatusOr<std::vector<uint64_t>> Stats() = 0;

  // Detaches every program and removes every pin: a clean stop. Without it they stay in force.
  virtual absl::Status Detach() = 0;
};

}  // namespace holdpoint
