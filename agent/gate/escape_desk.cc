#include "agent/gate/escape_desk.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/escape.h"
#include "agent/response/proc.h"

namespace holdpoint {
namespace {

constexpr absl::Duration kBudget = absl::Seconds(2);

std::string ExecutableOf(pid_t pid) {
  char path[4096];
  const ssize_t length = readlink(absl::StrCat("/proc/", pid, "/exe").c_str(), path, sizeof(path));
  return length > 0 ? std::string(path, static_cast<size_t>(length)) : "";
}

v1::Process Shown(const ProcessId& id, uint64_t exec_id) {
  v1::Process process;
  process.set_tgid(static_cast<uint32_t>(id.tgid));
  process.set_start_boot_ns(id.start_boot_ns);
  process.set_exec_id(exec_id);
  process.set_executable(EscapeForTerminal(ExecutableOf(id.tgid)));
  return process;
}

// Is this an address of this host? The kernel lets nobody bind to another one.
bool IsLocal(const std::string& address) {
  const bool v4 = address.size() == 4;
  UniqueFd fd(socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.ok()) return false;
  sockaddr_storage storage{};
  socklen_t length = 0;
  if (v4) {
    auto* in = reinterpret_cast<sockaddr_in*>(&storage);
    in->sin_family = AF_INET;
    memcpy(&in->sin_addr, address.data(), 4);
    length = sizeof(*in);
  } else {
    auto* in = reinterpret_cast<sockaddr_in6*>(&storage);
    in->sin6_family = AF_INET6;
    memcpy(&in->sin6_addr, address.data(), 16);
    length = sizeof(*in);
  }
  return bind(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) == 0;
}

}  // namespace

void EscapeDesk::Write(const Session& session, v1::Escaped escaped, uint64_t boot_ns) {
  v1::Envelope envelope;
  envelope.set_boot_ns(boot_ns);
  envelope.add_blind_spots("what the server starts for it carries no label");
  *envelope.mutable_escaped() = std::move(escaped);
  core_.ledger.Write(&session, std::move(envelope));
}

void EscapeDesk::AskServer(SessionNumber number, v1::Escaped escaped, v1::ConsultServer question,
                           const EventHead& head) {
  v1::ToJudge message;
  *message.mutable_server() = std::move(question);
  core_.judge.Ask(std::move(message), kBudget, nullptr,
                  [this, number, escaped, boot_ns = head.boot_ns](absl::StatusOr<v1::FromJudge> answer) {
                    const Session* session = core_.sessions.Find(number);
                    if (session == nullptr || session->state == SessionState::kDissolved) return;
                    v1::Escaped event = escaped;
                    // Nobody could say what it is: it may be one.
                    if (!answer.ok() || !answer->has_server()) {
                      event.set_kind("unknown");
                    } else if (answer->server().kind().empty()) {
                      return;
                    } else {
                      event.set_kind(answer->server().kind());
                    }
                    Write(*session, std::move(event), boot_ns);
                  });
}

void EscapeDesk::OnUnix(const UnixEvent& event) {
  v1::Escaped escaped;
  *escaped.mutable_process() = Shown(event.head.process, event.exec_id);
  escaped.set_by("unix socket");
  escaped.set_target(EscapeForTerminal(event.path));
  const std::string executable = ExecutableOf(event.peer);
  escaped.mutable_peer()->set_tgid(static_cast<uint32_t>(event.peer));
  escaped.mutable_peer()->set_executable(EscapeForTerminal(executable));
  if (event.peer_session != 0) escaped.set_peer_session(core_.sessions.IdOf(event.peer_session));
  v1::ConsultServer question;
  question.set_socket(event.path);
  question.set_executable(executable);
  AskServer(event.head.session, std::move(escaped), std::move(question), event.head);
}

void EscapeDesk::OnConnect(const ConnectEvent& event) {
  if (event.protocol != IPPROTO_TCP || event.action == HP_ACTION_REFUSE || !IsLocal(event.address)) return;
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(event.address.size() == 4 ? AF_INET : AF_INET6, event.address.data(), text, sizeof(text));
  v1::Escaped escaped;
  *escaped.mutable_process() = Shown(event.head.process, event.exec_id);
  escaped.set_by("tcp");
  escaped.set_target(absl::StrCat(text, ":", event.port));
  v1::ConsultServer question;
  question.set_port(event.port);
  AskServer(event.head.session, std::move(escaped), std::move(question), event.head);
}

void EscapeDesk::OnCommand(const Session& session, const v1::Process& process, const std::string& kind) {
  v1::Escaped escaped;
  *escaped.mutable_process() = process;
  escaped.set_kind(kind);
  escaped.set_by("command");
  escaped.set_target(process.executable());
  Write(session, std::move(escaped), static_cast<uint64_t>(core_.clock.Boot().ns));
}

void EscapeDesk::OnLeft(const LeftEvent& event) {
  const Session* session = core_.sessions.Find(event.head.session);
  if (session == nullptr || session->state == SessionState::kDissolved) return;
  v1::Escaped escaped;
  *escaped.mutable_process() = Shown(event.head.process, event.exec_id);
  escaped.set_kind("cgroup");
  escaped.set_by("moved");
  escaped.set_target(absl::StrCat("cgroup ", event.cgroup_id));
  if (event.mover != event.head.process.tgid) {
    escaped.mutable_peer()->set_tgid(static_cast<uint32_t>(event.mover));
    escaped.mutable_peer()->set_executable(EscapeForTerminal(ExecutableOf(event.mover)));
  }
  v1::Envelope envelope;
  envelope.set_boot_ns(event.head.boot_ns);
  envelope.add_blind_spots("its connects are no longer seen");
  *envelope.mutable_escaped() = std::move(escaped);
  core_.ledger.Write(session, std::move(envelope));
}

}  // namespace holdpoint
