#include "agent/gate/intent_ledger.h"

#include <algorithm>
#include <utility>

namespace holdpoint {

v1::History IntentLedger::Of(SessionNumber session, uint32_t uid, BootTime now, absl::Duration window) const {
  v1::History history;
  if (const auto found = attempts_.find(session); found != attempts_.end()) {
    for (const v1::History::Attempt& attempt : found->second.refused) *history.add_refused() = attempt;
    history.set_repeated(found->second.repeated);
  }
  const auto lost = losses_.find(uid);
  if (lost == losses_.end()) return history;
  std::map<std::pair<std::string, std::string>, v1::History::Tally> tallies;
  for (const Loss& loss : lost->second) {
    if (now - loss.when >= window) continue;
    v1::History::Tally& tally = tallies[{loss.family, loss.pool}];
    tally.set_user(tally.user() + loss.count);
    if (loss.session == session) tally.set_session(tally.session() + loss.count);
  }
  for (auto& [key, tally] : tallies) {
    if (history.losses_size() == static_cast<int>(limits_.tallies)) break;
    tally.set_family(key.first);
    tally.set_pool(key.second);
    *history.add_losses() = std::move(tally);
  }
  return history;
}

void IntentLedger::Refused(SessionNumber session, const v1::Judgement& judgement, const std::string& ticket,
                           const v1::Footprint& footprint) {
  if (ticket.empty() || footprint.targets().empty()) return;
  if (!attempts_.contains(session) && attempts_.size() >= limits_.sessions) attempts_.erase(attempts_.begin());
  Attempts& attempts = attempts_[session];
  const bool known = std::any_of(attempts.refused.begin(), attempts.refused.end(), [&](const auto& attempt) {
    return attempt.act_digest() == judgement.act_digest();
  });
  if (known) return;
  if (!judgement.repeats().empty()) ++attempts.repeated;
  v1::History::Attempt attempt;
  attempt.set_act_digest(judgement.act_digest());
  attempt.set_ticket(ticket);
  attempt.set_repeats(judgement.repeats());
  *attempt.mutable_targets() = footprint.targets();
  attempts.refused.push_back(std::move(attempt));
  const auto targets = [&attempts] {
    size_t count = 0;
    for (const v1::History::Attempt& each : attempts.refused) count += static_cast<size_t>(each.targets_size());
    return count;
  };
  while (attempts.refused.size() > 1 && (attempts.refused.size() > limits_.attempts || targets() > limits_.targets)) {
    attempts.refused.pop_front();
  }
}

void IntentLedger::Approved(SessionNumber session, uint32_t uid, const std::string& ticket, bool for_losses) {
  if (for_losses) losses_.erase(uid);
  const auto found = attempts_.find(session);
  if (found == attempts_.end()) return;
  std::deque<v1::History::Attempt>& refused = found->second.refused;
  std::string first = ticket;
  for (const v1::History::Attempt& attempt : refused) {
    if (attempt.ticket() == ticket && !attempt.repeats().empty()) first = attempt.repeats();
  }
  std::erase_if(refused, [&first](const auto& attempt) { return attempt.ticket() == first || attempt.repeats() == first; });
}

void IntentLedger::Passed(SessionNumber session, uint32_t uid, const v1::Footprint& footprint, BootTime now) {
  if (footprint.small_losses() == 0) return;
  if (!losses_.contains(uid) && losses_.size() >= limits_.users) {
    // The user whose last loss is the longest ago.
    losses_.erase(std::min_element(losses_.begin(), losses_.end(), [](const auto& a, const auto& b) {
      return a.second.back().when.ns < b.second.back().when.ns;
    }));
  }
  std::deque<Loss>& losses = losses_[uid];
  losses.push_back({now, session, footprint.family(), footprint.pool(), footprint.small_losses()});
  if (losses.size() > limits_.losses) losses.pop_front();
}

}  // namespace holdpoint
