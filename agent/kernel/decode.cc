#include "agent/kernel/decode.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

constexpr unsigned char kMappedPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

EventHead DecodeHead(const hp_event_header& raw) {
  return EventHead{
      .kind = static_cast<hp_event_kind>(raw.kind),
      .process = {.tgid = static_cast<pid_t>(raw.tgid), .start_boot_ns = raw.start_boot_ns},
      .session = raw.session,
      .boot_ns = raw.boot_ns,
      .cpu_seq = raw.cpu_seq,
      .cpu = raw.cpu,
      .flags = raw.flags,
  };
}

// A record of exactly sizeof(Raw); ring records are not aligned for C++, hence the copy.
template <typename Raw>
absl::StatusOr<Raw> Fixed(absl::Span<const std::byte> record, const char* what) {
  if (record.size() != sizeof(Raw)) {
    return absl::DataLossError(absl::StrCat(what, " record: want ", sizeof(Raw), " bytes, got ", record.size()));
  }
  Raw raw;
  std::memcpy(&raw, record.data(), sizeof(raw));
  return raw;
}

absl::StatusOr<ExecEvent> DecodeExec(absl::Span<const std::byte> record) {
  if (record.size() < HP_EXEC_EVENT_HEAD || record.size() > sizeof(hp_exec_event)) {
    return absl::DataLossError(absl::StrCat("exec record: want ", HP_EXEC_EVENT_HEAD, " to ", sizeof(hp_exec_event),
                                            " bytes, got ", record.size()));
  }
  hp_exec_event raw;
  std::memcpy(&raw, record.data(), HP_EXEC_EVENT_HEAD);
  const size_t texts =
      size_t{raw.executable_len} + size_t{raw.filename_len} + size_t{raw.cwd_len} + size_t{raw.argv_len};
  if (raw.executable_len > HP_PATH_MAX || raw.filename_len > HP_PATH_MAX || raw.cwd_len > HP_PATH_MAX ||
      raw.argv_len > HP_ARGV_MAX || HP_EXEC_EVENT_HEAD + texts != record.size()) {
    return absl::DataLossError(absl::StrCat("exec record: texts of ", raw.executable_len, ", ", raw.filename_len, ", ",
                                            raw.cwd_len, " and ", raw.argv_len, " bytes do not fit a record of ",
                                            record.size()));
  }
  if (raw.reason > HP_REASON_NO_COPY || raw.class_value > HP_CLASS_ASK) {
    return absl::DataLossError(absl::StrCat("exec record: reason ", raw.reason, ", class ", raw.class_value));
  }
  ExecEvent event{
      .head = DecodeHead(raw.hdr),
      .exec_id = raw.exec_id,
      .parent = {.tgid = static_cast<pid_t>(raw.ppid), .start_boot_ns = raw.parent_start_boot_ns},
      .cgroup_id = raw.cgroup_id,
      .file = {.dev = raw.dev, .ino = raw.ino, .ctime_ns = raw.ctime_ns},
      .file_size = uint64_t{raw.file_kib} << 10,
      .uid = raw.uid,
      .gid = raw.gid,
      .pgid = static_cast<pid_t>(raw.pgid),
      .parent_pgid = static_cast<pid_t>(raw.parent_pgid),
      .tracer = static_cast<pid_t>(raw.tracer),
      .reason = static_cast<hp_reason>(raw.reason),
      .class_value = static_cast<hp_class_value>(raw.class_value),
  };
  const char* text = reinterpret_cast<const char*>(record.data()) + HP_EXEC_EVENT_HEAD;
  auto take = [&text](size_t length) {
    std::string taken(text, length);
    text += length;
    return taken;
  };
  event.executable = take(raw.executable_len);
  event.filename = take(raw.filename_len);
  event.cwd = take(raw.cwd_len);
  event.argv = take(raw.argv_len);
  return event;
}

absl::StatusOr<ConnectEvent> DecodeConnect(absl::Span<const std::byte> record) {
  HP_ASSIGN_OR_RETURN(hp_connect_event raw, Fixed<hp_connect_event>(record, "connect"));
  if (raw.environment >= HP_ENV_MAX || raw.action > HP_ACTION_REFUSE) {
    return absl::DataLossError(absl::StrCat("connect record: environment ", raw.environment, ", action ", raw.action));
  }
  ConnectEvent event{
      .head = DecodeHead(raw.hdr),
      .exec_id = raw.exec_id,
      .port = raw.port,
      .protocol = raw.protocol,
      .environment = raw.environment,
      .action = static_cast<hp_action>(raw.action),
  };
  const char* address = reinterpret_cast<const char*>(raw.address);
  const bool mapped = std::memcmp(address, kMappedPrefix, sizeof(kMappedPrefix)) == 0;
  event.address = mapped ? std::string(address + 12, 4) : std::string(address, 16);
  std::memcpy(event.key_address, raw.address, sizeof(event.key_address));
  return event;
}

absl::StatusOr<ExitEvent> DecodeExit(absl::Span<const std::byte> record) {
  HP_ASSIGN_OR_RETURN(const hp_exit_event raw, Fixed<hp_exit_event>(record, "exit"));
  if (raw.state > HP_TASK_REFUSED) return absl::DataLossError(absl::StrCat("exit record: state ", raw.state));
  return ExitEvent{
      .head = DecodeHead(raw.hdr),
      .exec_id = raw.exec_id,
      .exit_code = raw.exit_code,
      .state = static_cast<hp_task_state>(raw.state),
      .label_flags = raw.label_flags,
  };
}

absl::StatusOr<SignalEvent> DecodeSignal(absl::Span<const std::byte> record) {
  HP_ASSIGN_OR_RETURN(const hp_signal_event raw, Fixed<hp_signal_event>(record, "signal"));
  return SignalEvent{
      .head = DecodeHead(raw.hdr),
      .exec_id = raw.exec_id,
      .signal = static_cast<int>(raw.signal),
      .sender = static_cast<pid_t>(raw.sender),
      .guard = raw.guard,
  };
}

absl::StatusOr<UnixEvent> DecodeUnix(absl::Span<const std::byte> record) {
  HP_ASSIGN_OR_RETURN(const hp_unix_event raw, Fixed<hp_unix_event>(record, "unix connect"));
  if (raw.path_len > HP_UNIX_PATH_MAX) return absl::DataLossError(absl::StrCat("unix record: path of ", raw.path_len));
  UnixEvent event{
      .head = DecodeHead(raw.hdr),
      .exec_id = raw.exec_id,
      .peer_session = raw.peer_session,
      .peer = static_cast<pid_t>(raw.peer),
  };
  event.path.assign(raw.path, raw.path_len);
  // A bound name may be counted with the NUL behind it.
  if (event.path.size() > 1 && event.path[0] != '\0') event.path.resize(strnlen(raw.path, raw.path_len));
  return event;
}

absl::StatusOr<LeftEvent> DecodeLeft(absl::Span<const std::byte> record) {
  HP_ASSIGN_OR_RETURN(const hp_left_event raw, Fixed<hp_left_event>(record, "cgroup move"));
  return LeftEvent{
      .head = DecodeHead(raw.hdr),
      .exec_id = raw.exec_id,
      .cgroup_id = raw.cgroup_id,
      .mover = static_cast<pid_t>(raw.mover),
  };
}

absl::StatusOr<TamperEvent> DecodeTamper(absl::Span<const std::byte> record) {
  HP_ASSIGN_OR_RETURN(const hp_tamper_event raw, Fixed<hp_tamper_event>(record, "tamper"));
  if (raw.what < HP_TAMPER_SIGNAL || raw.what > HP_TAMPER_BPF) {
    return absl::DataLossError(absl::StrCat("tamper record: unknown kind ", raw.what));
  }
  return TamperEvent{
      .head = DecodeHead(raw.hdr),
      .exec_id = raw.exec_id,
      .what = static_cast<hp_tamper>(raw.what),
      .signal = static_cast<int>(raw.signal),
      .target = static_cast<pid_t>(raw.target),
      .denied = raw.denied != 0,
  };
}

}  // namespace

std::vector<std::string> ExecEvent::Argv() const {
  if (argv.empty()) return {};
  absl::string_view words = argv;
  if (words.back() == '\0') words.remove_suffix(1);
  return absl::StrSplit(words, '\0');
}

absl::StatusOr<KernelEvent> DecodeEvent(absl::Span<const std::byte> record) {
  if (record.size() < sizeof(hp_event_header)) {
    return absl::DataLossError(
        absl::StrCat("event record: want at least ", sizeof(hp_event_header), " bytes, got ", record.size()));
  }
  hp_event_header header;
  std::memcpy(&header, record.data(), sizeof(header));
  if (header.size != record.size()) {
    return absl::DataLossError(
        absl::StrCat("event record: says ", header.size, " bytes, the ring gave ", record.size()));
  }
  switch (header.kind) {
    case HP_EVENT_CANDIDATE:
    case HP_EVENT_ASK:
    case HP_EVENT_EXEC:
    case HP_EVENT_KILLED:
    case HP_EVENT_PROGRAM:
      return DecodeExec(record);
    case HP_EVENT_CONNECT:
      return DecodeConnect(record);
    case HP_EVENT_EXIT:
      return DecodeExit(record);
    case HP_EVENT_SIGNAL:
      return DecodeSignal(record);
    case HP_EVENT_UNIX:
      return DecodeUnix(record);
    case HP_EVENT_LEFT:
      return DecodeLeft(record);
    case HP_EVENT_TAMPER:
      return DecodeTamper(record);
    default:
      return absl::DataLossError(absl::StrCat("event record: unknown kind ", header.kind));
  }
}

}  // namespace holdpoint
