#pragma once

#include "agent/base/clock.h"
#include "agent/gate/active_policy.h"
#include "agent/gate/approvals.h"
#include "agent/gate/emergency.h"
#include "agent/gate/event_loop.h"
#include "agent/gate/facts.h"
#include "agent/gate/intent_ledger.h"
#include "agent/gate/judge_link.h"
#include "agent/gate/ledger.h"
#include "agent/gate/options.h"
#include "agent/gate/owners.h"
#include "agent/gate/tickets.h"
#include "agent/kernel/decode.h"
#include "agent/kernel/kernel.h"
#include "agent/response/response.h"
#include "agent/session/rollup.h"
#include "agent/session/session_table.h"

namespace holdpoint {

// What the gate's desks share. Everything is borrowed from Gate, which makes it before the desks and ends it after
// them; used on the event thread only.
struct Core {
  const Options& options;
  const Clock& clock;
  EventLoop& loop;
  Kernel& kernel;
  Responder& responder;
  JudgeLink& judge;
  Ledger& ledger;
  SessionTable& sessions;
  Rollups& rollups;
  TicketTable& tickets;
  IntentLedger& intent;
  Owners& owners;
  ActivePolicy& policy;
  FactsReader& facts;
  ApprovalBook& approvals;
  Emergency& emergency;
};

// Whom the judge is told the act belongs to.
v1::SessionContext ContextOf(const Session& session);

// The session that the process of an event is in. The event's own, unless that one is not known (any more) and the
// process carries the label of another by now.
SessionNumber CarriedSession(const Core& core, const ExecEvent& event);

// 32 unpredictable bits.
uint32_t RandomBits();

}  // namespace holdpoint
