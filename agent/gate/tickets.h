#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/base/clock.h"
#include "agent/base/ids.h"
#include "agent/presence/owners.h"
#include "bpf/shared/hp_abi.h"
#include "holdpoint/v1/event.pb.h"

namespace holdpoint {

// The open question that a hold or a refusal leaves behind.
struct Ticket {
  enum class State {
    kHeld,      // a process is stopped and waits
    kOpen,      // refused; an approval lets the identical act pass once
    kApproved,  // the next identical act passes
    kUsed,
    kDenied,    // the identical act is refused without asking again
    kExpired,
  };
  std::string id;  // "HP-4K7Q"
  State state = State::kOpen;
  SessionNumber session = 0;
  std::string session_id;
  uint32_t session_uid = 0;
  std::string digest;       // 32 bytes
  std::string environment;  // whose owners decide; empty where nobody does
  v1::Judgement judgement;
  uint64_t attempts = 1;    // at the same resource, by whatever command
  std::vector<std::string> approval;  // owners of the target's environment, as configured
  std::vector<std::string> rollback;
  std::string command;  // argv for people: redacted and escaped
  std::string working_directory;
  std::vector<std::string> started_by;  // nearest first
  absl::Time opened;
  absl::Time expires;
  BootTime hold_deadline;             // kHeld only
  uint64_t exec_id = 0;               // of the held process: set by TicketTable::Hold
  uint32_t tgid = 0;
  std::optional<hp_connect_key> connect;  // where the act was a connect: set by TicketTable::SetConnect
  std::vector<EligibleOwner> approved_by;  // so far, where two persons are asked for
  std::string scope = "once";              // as the first of them said; of what was decided: "session", "until"
  absl::Time until = absl::InfiniteFuture();  // of scope "until"
  std::string remembered;                  // AP-4K7Q, where the approval goes further than once
  std::string decided_by;
  std::string decision_reason;
};

const char* TicketStateName(Ticket::State state);

// `prefix` and four letters of Crockford's alphabet, which has no I, L, O and U to be misread.
std::string ReadableId(absl::string_view prefix, uint32_t bits);

// Every ticket of this run. Pure: time comes in, nothing goes out. At most `max_tickets` are kept: past it the oldest
// that is not held, open or approved goes; where all are, Open() says kResourceExhausted and the act is refused
// without a ticket. What the gate asks with every exec and connect is looked up, never searched for.
class TicketTable {
 public:
  explicit TicketTable(size_t max_tickets) : max_tickets_(max_tickets) {}

  // The ticket of this session for this act that is still of use (held, open, approved, denied and not expired).
  Ticket* Find(SessionNumber session, const std::string& digest, absl::Time now);
  // The one of this session that is held, open or approved for another act on the same resource. An empty target is none.
  Ticket* FindByTarget(SessionNumber session, const std::string& target, absl::Time now);
  Ticket* FindById(const std::string& id);
  Ticket* FindByExec(uint64_t exec_id);  // held
  // Approved, of this very connect; null as a rule.
  Ticket* FindApprovedConnect(const hp_connect_key& key);

  // A new ticket with an id that no other ticket has. `random` are 32 unpredictable bits per call.
  absl::StatusOr<Ticket*> Open(Ticket ticket, uint32_t random);

  // Any state -> kHeld, for the process of this exec.
  void Hold(Ticket& ticket, uint64_t exec_id, BootTime deadline);
  void SetConnect(Ticket& ticket, const hp_connect_key& key);

  // kApproved -> kUsed: true once.
  bool Use(Ticket& ticket, absl::Time now);

  // Marks what has run out; returns those that changed.
  std::vector<Ticket*> Expire(absl::Time now);

  size_t Held() const;
  size_t Pending() const;  // held, open or approved
  std::vector<const Ticket*> All() const;

 private:
  using Act = std::pair<SessionNumber, std::string>;  // digest

  void Forget(const std::string& id);

  size_t max_tickets_;
  std::map<std::string, Ticket> by_id_;
  std::deque<std::string> order_;  // oldest first
  // The newest ticket of each: an older one of the same act is of no use any more.
  absl::flat_hash_map<Act, Ticket*> by_act_;
  absl::flat_hash_map<std::string, Ticket*> by_connect_;  // bytes of the key
  absl::flat_hash_map<uint64_t, Ticket*> by_exec_;
};

}  // namespace holdpoint
