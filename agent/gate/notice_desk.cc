#include "agent/gate/notice_desk.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "agent/control/views.h"
#include "agent/gate/hold_view.h"

namespace holdpoint {
namespace {

constexpr char kChanged[] = "changed", kOpenAgain[] = "open again";  // for who watches, no news for others
constexpr int kExitUnavailable = 69;
constexpr int kExitNotPermitted = 77;

bool Waits(Ticket::State state) {
  return state == Ticket::State::kHeld || state == Ticket::State::kOpen || state == Ticket::State::kApproved;
}

}  // namespace

bool NoticeDesk::MaySee(const Core& core, uint32_t uid, const Ticket& ticket) {
  if (uid == 0 || uid == ticket.session_uid) return true;
  const std::vector<EligibleOwner> deciders = DecidersOf(core, ticket);
  return std::any_of(deciders.begin(), deciders.end(), [uid](const EligibleOwner& owner) { return owner.uid == uid; });
}

std::string NoticeDesk::ChangeOf(const Ticket& ticket) {
  const auto found = told_.find(ticket.id);
  const std::optional<Ticket::State> before = found == told_.end() ? std::nullopt : std::optional(found->second);
  if (Waits(ticket.state)) {
    told_[ticket.id] = ticket.state;
  } else {
    told_.erase(ticket.id);
  }
  if (!before.has_value() && (ticket.state == Ticket::State::kHeld || ticket.state == Ticket::State::kOpen)) {
    return "opened";
  }
  if (before == ticket.state) return kChanged;
  if (ticket.state == Ticket::State::kOpen) return before == Ticket::State::kHeld ? "hold ran out" : kOpenAgain;
  return TicketStateName(ticket.state);
}

void NoticeDesk::OnTicket(const Ticket& ticket) {
  const std::string change = ChangeOf(ticket);
  // A client that does not read is dropped on the way, which changes the map.
  const std::map<uint64_t, std::shared_ptr<ControlCall>> watching = watching_;
  for (const auto& [id, call] : watching) {
    const uint32_t uid = call->peer().uid;
    if (MaySee(core_, uid, ticket)) call->Send(WatchBodies(change, {HoldViewOf(core_, ticket, uid)}));
  }
  if (on_notice && change != kChanged && change != kOpenAgain) on_notice(change, ticket);
}

void NoticeDesk::Watch(const std::shared_ptr<ControlCall>& call, bool in_session) {
  const uint32_t uid = call->peer().uid;
  if (in_session) {
    return call->Reply(kExitNotPermitted,
                       "nobody watches from inside a coding agent's session: use a terminal that no session started");
  }
  const auto of_uid = std::count_if(watching_.begin(), watching_.end(),
                                    [uid](const auto& entry) { return entry.second->peer().uid == uid; });
  if (watching_.size() >= kMaxWatching || static_cast<size_t>(of_uid) >= kMaxOfOneUid) {
    return call->Reply(kExitUnavailable, "too many watch already: end one of them");
  }
  std::vector<HoldView> views;
  const std::vector<const Ticket*> all = core_.tickets.All();
  for (auto ticket = all.rbegin(); ticket != all.rend() && views.size() < kMaxShown; ++ticket) {
    if (Waits((*ticket)->state) && MaySee(core_, uid, **ticket)) views.push_back(HoldViewOf(core_, **ticket, uid));
  }
  std::reverse(views.begin(), views.end());
  std::vector<std::string> bodies = WatchBodies("now", views);
  bodies.push_back(WatchBodies("begun", {})[0]);
  const uint64_t id = next_++;
  watching_.emplace(id, call);
  call->OnGone([this, id] { watching_.erase(id); });
  call->Send(std::move(bodies));
}

}  // namespace holdpoint
