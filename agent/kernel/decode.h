#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "agent/base/ids.h"
#include "bpf/shared/hp_abi.h"

namespace holdpoint {

// What every event carries.
struct EventHead {
  hp_event_kind kind;
  ProcessId process;  // tgid and start of its leader
  SessionNumber session = 0;
  uint64_t boot_ns = 0;
  uint64_t cpu_seq = 0;  // per cpu and ring, starts at 1; a step over a number is a lost event
  uint16_t cpu = 0;
  uint32_t flags = 0;  // HP_FLAG_*
};

// CANDIDATE, ASK, EXEC, KILLED; PROGRAM, whose exec_id is hp_program_key.script. The texts are bytes that a session chose: any byte, not NUL-terminated.
struct ExecEvent {
  EventHead head;
  uint64_t exec_id = 0;
  ProcessId parent;
  uint64_t cgroup_id = 0;
  FileId file;
  uint64_t file_size = 0;  // of the running file, to the next KiB
  uint32_t uid = 0;
  uint32_t gid = 0;
  pid_t pgid = 0;
  pid_t parent_pgid = 0;
  pid_t tracer = 0;
  hp_reason reason = HP_REASON_NONE;
  hp_class_value class_value = HP_CLASS_UNKNOWN;
  std::string executable{};  // path of the file that runs, in the mount namespace of the process
  std::string filename{};    // as given to execve; the script, where HP_FLAG_SCRIPT
  std::string cwd{};
  std::string argv{};  // NUL-separated, first HP_ARGV_MAX bytes; see HP_FLAG_ARGV_CUT and HP_FLAG_ARGV_FAILED

  // argv as words. A last word that was cut is there, cut.
  std::vector<std::string> Argv() const;
};

struct ConnectEvent {
  EventHead head;
  uint64_t exec_id = 0;
  std::string address{};  // 4 or 16 bytes, network order; an IPv4-mapped address is 4
  uint16_t port = 0;
  uint16_t protocol = 0;     // IPPROTO_*
  uint16_t environment = 0;  // of the destination
  hp_action action = HP_ACTION_ALLOW;
  uint8_t key_address[16] = {};  // as hp_connect_key wants it
};

struct ExitEvent {
  EventHead head;
  uint64_t exec_id = 0;
  int exit_code = 0;  // as wait(2) gives it
  hp_task_state state = HP_TASK_RUN;
  uint32_t label_flags = 0;
};

struct SignalEvent {
  EventHead head;
  uint64_t exec_id = 0;
  int signal = 0;
  pid_t sender = 0;
  uint32_t guard = 0;  // 0: only told; else which guard ended the task, see hp_signal_event
};

// Connected to a unix socket of a server that is not of this session.
struct UnixEvent {
  EventHead head;
  uint64_t exec_id = 0;
  SessionNumber peer_session = 0;
  pid_t peer = 0;      // who called listen(2)
  std::string path{};  // as the server bound it, any bytes; a leading NUL is an abstract name
};

// A labelled process was moved out of the scope's cgroup.
struct LeftEvent {
  EventHead head;
  uint64_t exec_id = 0;
  uint64_t cgroup_id = 0;
  pid_t mover = 0;
};

struct TamperEvent {
  EventHead head;  // of the session's process
  uint64_t exec_id = 0;
  hp_tamper what = HP_TAMPER_SIGNAL;
  int signal = 0;
  pid_t target = 0;
  bool denied = false;
};

using KernelEvent =
    std::variant<ExecEvent, ConnectEvent, ExitEvent, SignalEvent, UnixEvent, LeftEvent, TamperEvent>;

// Checks and copies one record of a ring. Pure; survives any bytes. kDataLoss: what is wrong with the record.
absl::StatusOr<KernelEvent> DecodeEvent(absl::Span<const std::byte> record);

}  // namespace holdpoint
