#include "agent/gate/tickets.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace {

bool StillPending(Ticket::State state) {
  return state == Ticket::State::kHeld || state == Ticket::State::kOpen || state == Ticket::State::kApproved;
}

std::string BytesOf(const hp_connect_key& key) {
  return std::string(reinterpret_cast<const char*>(&key), sizeof(key));  // no padding that is not a field
}

}  // namespace

std::string ReadableId(absl::string_view prefix, uint32_t bits) {
  static constexpr char kLetters[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  std::string id(prefix);
  for (int i = 0; i < 4; ++i, bits >>= 5) id += kLetters[bits & 31];
  return id;
}

const char* TicketStateName(Ticket::State state) {
  switch (state) {
    case Ticket::State::kHeld:
      return "held";
    case Ticket::State::kOpen:
      return "open";
    case Ticket::State::kApproved:
      return "approved";
    case Ticket::State::kUsed:
      return "used";
    case Ticket::State::kDenied:
      return "denied";
    case Ticket::State::kExpired:
      return "expired";
  }
  return "unknown";
}

Ticket* TicketTable::Find(SessionNumber session, const std::string& digest, absl::Time now) {
  const auto found = by_act_.find(Act(session, digest));
  if (found == by_act_.end()) return nullptr;
  Ticket* ticket = found->second;
  const bool useful = StillPending(ticket->state) || ticket->state == Ticket::State::kDenied;
  return useful && now < ticket->expires ? ticket : nullptr;
}

Ticket* TicketTable::FindByTarget(SessionNumber session, const std::string& target, absl::Time now) {
  if (target.empty()) return nullptr;
  for (auto& [id, ticket] : by_id_) {
    if (StillPending(ticket.state) && ticket.session == session && ticket.judgement.target_digest() == target &&
        now < ticket.expires) {
      return &ticket;
    }
  }
  return nullptr;
}

Ticket* TicketTable::FindById(const std::string& id) {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &found->second;
}

Ticket* TicketTable::FindByExec(uint64_t exec_id) {
  const auto found = by_exec_.find(exec_id);
  return found != by_exec_.end() && found->second->state == Ticket::State::kHeld ? found->second : nullptr;
}

Ticket* TicketTable::FindApprovedConnect(const hp_connect_key& key) {
  if (by_connect_.empty()) return nullptr;
  const auto found = by_connect_.find(BytesOf(key));
  return found != by_connect_.end() && found->second->state == Ticket::State::kApproved ? found->second : nullptr;
}

absl::StatusOr<Ticket*> TicketTable::Open(Ticket ticket, uint32_t random) {
  if (by_id_.size() >= max_tickets_) {
    const auto oldest = std::find_if(order_.begin(), order_.end(),
                                     [this](const std::string& id) { return !StillPending(by_id_.at(id).state); });
    if (oldest == order_.end()) {
      return absl::ResourceExhaustedError(absl::StrCat("all ", max_tickets_, " tickets are open: deny or wait for some"));
    }
    Forget(*oldest);
    order_.erase(oldest);
  }
  // 2^20 ids: stepping from a random start finds a free one long before it comes round.
  while (by_id_.contains(ReadableId("HP-", random))) ++random;
  ticket.id = ReadableId("HP-", random);
  order_.push_back(ticket.id);
  Ticket* opened = &by_id_.emplace(ticket.id, std::move(ticket)).first->second;
  by_act_[Act(opened->session, opened->digest)] = opened;
  return opened;
}

void TicketTable::Forget(const std::string& id) {
  const auto found = by_id_.find(id);
  const Ticket* ticket = &found->second;
  const auto erase = [ticket](auto& index, const auto& key) {
    if (const auto at = index.find(key); at != index.end() && at->second == ticket) index.erase(at);
  };
  erase(by_act_, Act(ticket->session, ticket->digest));
  erase(by_exec_, ticket->exec_id);
  if (ticket->connect.has_value()) erase(by_connect_, BytesOf(*ticket->connect));
  by_id_.erase(found);
}

void TicketTable::Hold(Ticket& ticket, uint64_t exec_id, BootTime deadline) {
  ticket.state = Ticket::State::kHeld;
  ticket.exec_id = exec_id;
  ticket.hold_deadline = deadline;
  by_exec_[exec_id] = &ticket;
}

void TicketTable::SetConnect(Ticket& ticket, const hp_connect_key& key) {
  ticket.connect = key;
  by_connect_[BytesOf(key)] = &ticket;
}

bool TicketTable::Use(Ticket& ticket, absl::Time now) {
  if (ticket.state != Ticket::State::kApproved || now >= ticket.expires) return false;
  ticket.state = Ticket::State::kUsed;
  return true;
}

std::vector<Ticket*> TicketTable::Expire(absl::Time now) {
  std::vector<Ticket*> expired;
  for (auto& [id, ticket] : by_id_) {
    if ((ticket.state == Ticket::State::kOpen || ticket.state == Ticket::State::kApproved) && now >= ticket.expires) {
      ticket.state = Ticket::State::kExpired;
      expired.push_back(&ticket);
    }
  }
  return expired;
}

size_t TicketTable::Held() const {
  return static_cast<size_t>(std::count_if(by_exec_.begin(), by_exec_.end(), [](const auto& entry) {
    return entry.second->state == Ticket::State::kHeld;
  }));
}

size_t TicketTable::Pending() const {
  return static_cast<size_t>(
      std::count_if(by_id_.begin(), by_id_.end(), [](const auto& entry) { return StillPending(entry.second.state); }));
}

std::vector<const Ticket*> TicketTable::All() const {
  std::vector<const Ticket*> all;
  for (const std::string& id : order_) all.push_back(&by_id_.at(id));
  return all;
}

}  // namespace holdpoint
