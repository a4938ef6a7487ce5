#include "agent/gate/core.h"

#include <sys/random.h>

#include <algorithm>

#include "agent/gate/kept_session.h"
#include "agent/response/proc.h"

namespace holdpoint {

v1::SessionContext ContextOf(const Session& session) {
  v1::SessionContext context;
  context.set_number(session.number);
  context.set_id(session.id);
  context.set_environment(session.environment);
  context.set_environment_source(session.environment_source);
  context.set_coding_agent(session.coding_agent);
  context.set_workspace(session.workspace);
  context.set_home(session.home);
  context.set_uid(session.uid);
  context.set_unattended(session.unattended);
  context.set_started_unix_ns(absl::ToUnixNanos(session.started));
  const absl::Time now = Clock::Real().Wall();
  for (const OpenedCredential& opened : session.opened_credentials) {
    v1::SeenCredential& seen = *context.add_seen_credentials();
    seen = SeenOf(opened);
    seen.set_seconds_ago(static_cast<uint32_t>(std::max<int64_t>(absl::ToInt64Seconds(now - opened.first), 0)));
  }
  context.mutable_start()->set_root(session.start_root);
  context.mutable_start()->set_changes(session.start_changes);
  context.mutable_start()->set_whole(session.start_whole);
  return context;
}

SessionNumber CarriedSession(const Core& core, const ExecEvent& event) {
  const Session* said = core.sessions.Find(event.head.session);
  if (said != nullptr && said->state != SessionState::kDissolved) return event.head.session;
  absl::StatusOr<UniqueFd> pidfd = OpenPidfd(event.head.process);
  if (!pidfd.ok()) return event.head.session;
  absl::StatusOr<hp_label> label = core.kernel.Label(pidfd->get());
  return label.ok() && label->session != 0 ? label->session : event.head.session;
}

uint32_t RandomBits() {
  uint32_t bits = 0;
  // Up to 256 bytes are given whole once the pool is ready, which it is long before a daemon starts.
  if (getrandom(&bits, sizeof(bits), 0) != sizeof(bits)) bits = static_cast<uint32_t>(Clock::Real().Boot().ns);
  return bits;
}

}  // namespace holdpoint
