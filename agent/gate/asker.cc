#include "agent/gate/asker.h"

#include "agent/gate/notice_desk.h"

namespace holdpoint {

Asker AskerOf(const Core& core, const ControlCall& call) {
  Asker asker{.uid = call.peer().uid};
  absl::StatusOr<hp_label> label = core.kernel.Label(call.peer().pidfd->get());
  if (!label.ok() || label->session == 0) return asker;
  const Session* session = core.sessions.Find(label->session);
  asker.session = label->session;
  asker.in_session = session == nullptr || session->state != SessionState::kDissolved;
  return asker;
}

bool MaySee(const Asker& asker, SessionNumber session, uint32_t session_uid) {
  if (asker.in_session) return asker.session == session;
  return asker.uid == 0 || asker.uid == session_uid;
}

bool MaySee(const Core& core, const Asker& asker, const Ticket& ticket) {
  if (asker.in_session) return asker.session == ticket.session;
  return NoticeDesk::MaySee(core, asker.uid, ticket);
}

}  // namespace holdpoint
