#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/control/wire.h"
#include "agent/gate/challenge.h"
#include "agent/gate/hold_desk.h"
#include "agent/gate/tickets.h"

namespace holdpoint {

// What a request to decide, or for a challenge, asks for. Pure.

// "once", "session" or "until": how far it would let an act pass, whether it may or not.
const char* ScopeOf(const ControlRequest& request);

// Exactly one scope, with a date that is to come and near enough. kInvalidArgument with a sentence for whoever asks.
absl::StatusOr<Grant> ScopeAsked(const ControlRequest& request, absl::Time now);
// The same with its reason, which is wanted where something is remembered.
absl::StatusOr<Grant> GrantAsked(const ControlRequest& request, absl::Time now);

// The question that an owner's key answers by its signature. Two requests that would let different things pass have
// different questions, whatever bits they consist of.
Challenge QuestionAsked(const Ticket& ticket, const ControlRequest& request, bool approve);

}  // namespace holdpoint
