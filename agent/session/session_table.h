#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/base/clock.h"
#include "agent/base/ids.h"
#include "agent/session/rollup.h"

namespace holdpoint {

// What happened in a session so far. The gate adds to them; they go into SessionEnded and `holdpoint sessions`.
struct SessionCounters {
  uint64_t execs = 0;
  uint64_t connects = 0;
  uint64_t asked = 0;
  uint64_t held = 0;
  uint64_t refused = 0;
  uint64_t killed = 0;
};

inline constexpr size_t kMaxOpenedCredentials = 64;  // of one session

// A file with credentials that something in a session opened: by whom first.
struct OpenedCredential {
  std::string file;          // escaped
  std::string credential{};  // its configured name, or "well-known"
  std::string program{};     // escaped; empty where it is not known
  pid_t pid = 0;
  bool own_process = false;  // the coding agent itself
  bool read = false;         // else only opened, so far
  absl::Time first{};
};

enum class SessionState {
  kCandidate,  // the kernel proposed it; the judge has not answered
  kConfirmed,
  kDissolved,  // was no coding agent: its labels mean nothing
  kEnded,      // nothing labelled with it is alive
};

// One run of one coding agent and everything it started. Passive: the gate fills it in. Texts come from the judge and
// the configuration, redacted and bounded there; the table does not look into them.
struct Session {
  SessionNumber number = 0;
  std::string id;  // given by SessionTable::Add
  SessionState state = SessionState::kCandidate;
  ProcessId root;
  uint32_t uid = 0;
  std::string user;
  std::string coding_agent;
  std::string recognised_by;
  std::string owner;
  std::string workspace;
  std::string home;
  std::string git_branch;
  std::string git_remote;
  std::string start_root;     // the repository as it was at the start, as the judge wrote it
  std::string start_changes;
  bool start_whole = false;
  std::vector<std::string> guards_off;  // flags that switch the coding agent's own guards off
  std::vector<std::string> nested;      // coding agents started inside it
  std::string environment;          // name, empty where nothing tagged it
  std::string environment_source;   // for people: "flag", "workspace ~/src/shop-*"
  uint32_t environment_number = 0;  // the kernel's, 0 is unknown
  bool unattended = false;
  bool found_at_start = false;  // its root ran before this daemon did
  bool kill_requested = false;
  bool triage = false;  // what the kernel's automata find nothing in passes
  uint64_t asked_before_named = 0;  // of counters.asked: before its coding agent was known
  bool without_ids = false;  // it has none that its tools would show
  uint32_t hold_ms = 0;  // this coding agent's own limit, 0 for the default
  std::map<std::string, std::string> join_keys;  // several values separated by commas
  std::vector<OpenedCredential> opened_credentials;  // oldest first, at most kMaxOpenedCredentials
  absl::Time started;
  BootTime started_boot;
  SessionCounters counters;
};

// The sessions of one daemon and the processes that carry their labels.
//
// The kernel tells of labelled processes by their execs and exits; a child that only forks is not seen until it ends.
// So an empty set of known processes means that a session *may* have ended: MaybeEnded() names those, the gate asks
// the kernel for every labelled task that is alive and gives the answer to Reconcile(), which decides. Reconcile() also
// heals what lost events left behind: call it from time to time (a minute) whatever MaybeEnded() says.
//
// Pure: no clock, no file, no lock; one thread. Bounded by Limits: what does not fit is counted, never dropped quietly.
class SessionTable {
 public:
  struct Limits {
    size_t sessions = 1024;
    size_t processes_per_session = 16384;  // past it the session ends by Reconcile() only
    size_t exits_remembered = 4096;        // exits that came before their exec event (another ring)
  };

  // `boot_id` is the text of /proc/sys/kernel/random/boot_id; its first four hexadecimal digits go into every id, so
  // that ids of two boots do not look alike.
  explicit SessionTable(absl::string_view boot_id) : SessionTable(boot_id, Limits{}) {}
  SessionTable(absl::string_view boot_id, Limits limits);

  // "s-1f3c-12" for number 12.
  std::string IdOf(SessionNumber number) const;

  // Takes a session over, gives it its id and counts its root as alive. The pointer is valid until Erase().
  // kInvalidArgument: number 0; kAlreadyExists; kResourceExhausted: Limits::sessions (erase ended ones first).
  absl::StatusOr<Session*> Add(Session session);
  Session* Find(SessionNumber number);
  const Session* Find(SessionNumber number) const;
  Session* FindById(absl::string_view id);
  bool empty() const { return entries_.empty(); }
  // Every session, by number. Valid until the next Add() or Erase().
  std::vector<const Session*> All() const;
  // Forgets a session; its process set goes with it. Flush its rollups before (Rollups::FlushSession).
  void Erase(SessionNumber number);

  // A labelled process was seen alive (exec, fork, LabelledTasks). Unknown sessions are ignored: the kernel may label
  // before the gate has heard of the candidate. A process whose exit was seen already stays dead.
  void ProcessSeen(SessionNumber number, const ProcessId& process);
  void ProcessExited(SessionNumber number, const ProcessId& process);
  // Known live processes; the truth may be higher by children that never called exec.
  size_t LiveProcesses(SessionNumber number) const;
  std::vector<ProcessId> Processes(SessionNumber number) const;
  // The session that a process is known to carry.
  std::optional<SessionNumber> SessionOf(const ProcessId& process) const;

  // Sessions (candidates, confirmed and dissolved) of which no live process is known.
  std::vector<SessionNumber> MaybeEnded() const;
  // `alive`: every labelled process that the kernel knows, asked for just now with no event handled in between.
  // Replaces the sets of live processes. Sessions with nothing alive become kEnded and are returned, by number; a
  // session that was kEnded before is not returned again and stays so.
  std::vector<SessionNumber> Reconcile(const std::vector<std::pair<SessionNumber, ProcessId>>& alive);

  // Sum of processes that did not fit into Limits::processes_per_session.
  uint64_t untracked_processes() const { return untracked_; }

 private:
  struct Entry {
    Session session;
    absl::flat_hash_set<ProcessId> live;
    bool incomplete = false;  // some process did not fit
  };

  std::string id_prefix_;
  Limits limits_;
  std::map<SessionNumber, Entry> entries_;
  absl::flat_hash_map<ProcessId, SessionNumber> by_process_;
  absl::flat_hash_set<ProcessId> exited_;
  std::vector<ProcessId> exited_ring_;
  size_t exited_next_ = 0;
  uint64_t untracked_ = 0;
};

}  // namespace holdpoint
