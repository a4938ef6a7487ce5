#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/control/server.h"
#include "agent/gate/core.h"

namespace holdpoint {

// Whoever may decide hears at once: each change of a ticket goes to the clients that watch, and to the notifier.
// Nobody here is waited for.
class NoticeDesk {
 public:
  static constexpr size_t kMaxWatching = 32;  // clients, of the control server's
  static constexpr size_t kMaxOfOneUid = 8;
  static constexpr size_t kMaxShown = 256;    // tickets that a client is shown at its beginning, the newest ones

  explicit NoticeDesk(Core core) : core_(core) {}

  // A ticket was opened or its state is another one.
  void OnTicket(const Ticket& ticket);

  // Called with what became of a ticket: "opened", "hold ran out", or its new state.
  std::function<void(const std::string& change, const Ticket& ticket)> on_notice;

  // Serves kWatch: what waits, then every change, of the tickets that this client may see.
  void Watch(const std::shared_ptr<ControlCall>& call, bool in_session);

  // Root, the session's own user, and who may decide.
  static bool MaySee(const Core& core, uint32_t uid, const Ticket& ticket);

  size_t watching() const { return watching_.size(); }

 private:
  std::string ChangeOf(const Ticket& ticket);

  Core core_;
  std::map<uint64_t, std::shared_ptr<ControlCall>> watching_;
  uint64_t next_ = 0;
  std::map<std::string, Ticket::State> told_;  // of tickets that are not at their end
};

}  // namespace holdpoint
