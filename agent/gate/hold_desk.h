#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/gate/approvals.h"
#include "agent/gate/consult.h"
#include "agent/gate/core.h"
#include "agent/session/session_table.h"

namespace holdpoint {

// What an owner who was present lets pass.
struct Grant {
  EligibleOwner owner = {};
  std::string reason = {};
  std::string scope = "once";                 // this act; "session", "until": the same loss for that long
  absl::Time until = absl::InfiniteFuture();  // of "until", on the wall clock
};

// Acts that a verdict stops: their tickets, the holds, and what an owner's decision does to both. What is released is in
// the record, on stable storage, before it runs.
class HoldDesk {
 public:
  HoldDesk(Core core, Consults& consults) : core_(core), consults_(consults) {}

  // The verdict on `consult` is hold or refuse and in force: it passes by an approval or by break-glass, is held, or is
  // refused.
  void Stop(const ConsultPtr& consult, Session& session);

  // A new ticket for a refused act of this session; null (and a line in the log) where there is no room for one. The
  // caller says what becomes of it, and then calls Changed.
  Ticket* OpenTicket(const Session& session, const v1::Judgement& judgement, const v1::Process& process);

  // Whether `ticket` can be answered so now: kNotFound where it is decided or nobody is left whom it could serve,
  // kInvalidArgument where the scope is none for this act.
  absl::Status MayApprove(const Ticket& ticket, const Grant& grant) const;
  absl::Status MayDeny(const Ticket& ticket) const;

  // An owner has decided, or the last of two. OK: `ticket` is changed and what it held goes its way. What is remembered
  // is on the disk then, under `ticket.remembered`, which is set before where the scope is wider than once.
  absl::Status Approve(Ticket& ticket, const Grant& grant);
  absl::Status Deny(Ticket& ticket, const std::string& by, const std::string& reason);

  // Called with the ticket whenever one was opened or its state is another one.
  std::function<void(const Ticket&)> on_ticket;
  void Changed(const Ticket& ticket) const {
    if (on_ticket) on_ticket(ticket);
  }

 private:
  bool MayHold(const Consult& consult, const Session& session, const v1::Environment* owners) const;
  bool AnybodyFor(const Session& session, const v1::Judgement& judgement, const v1::Environment* owners) const;
  void HoldUnlessDatabase(const ConsultPtr& consult, const Session& session, const Ticket& opened);
  void Hold(const ConsultPtr& consult, Session& session, Ticket& ticket);
  void HoldRanOut(uint64_t exec_id);
  void LookAgain(const ConsultPtr& consult, const Ticket& ticket);  // what is approved is what is there now
  // It is another act by now: the approval is void, and what is there now is a question of its own.
  void Drifted(const ConsultPtr& consult, Ticket* approved, const v1::ExecVerdict& now);
  void ReleaseHeld(const ConsultPtr& consult, Ticket& ticket);
  // It runs without having been held; `why` says by what, `ticket` is empty where it is none.
  void LetPass(const ConsultPtr& consult, Session& session, const std::string& ticket, const std::string& why);
  const Approval* Remembered(const Session& session, const v1::Judgement& judgement, const v1::Environment* owners) const;
  absl::Status Remember(const Ticket& ticket, const Grant& grant);

  Core core_;
  Consults& consults_;
};

}  // namespace holdpoint
