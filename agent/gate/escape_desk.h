#pragma once

#include <string>

#include "agent/gate/core.h"
#include "agent/kernel/decode.h"

namespace holdpoint {

// What a session hands to a server that is not part of it, and processes that leave the scope: recorded, not stopped.
class EscapeDesk {
 public:
  explicit EscapeDesk(Core core) : core_(core) {}

  void OnUnix(const UnixEvent& event);
  void OnLeft(const LeftEvent& event);
  // Every connect of a session: one to this host may be to such a server.
  void OnConnect(const ConnectEvent& event);
  // An exec of a program that hands work on by other ways (crontab, systemd-run).
  void OnCommand(const Session& session, const v1::Process& process, const std::string& kind);

 private:
  void AskServer(SessionNumber session, v1::Escaped escaped, v1::ConsultServer question, const EventHead& head);
  void Write(const Session& session, v1::Escaped escaped, uint64_t boot_ns);

  Core core_;
};

}  // namespace holdpoint
