#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "agent/presence/owners.h"

namespace holdpoint {

// Somebody wants to approve or deny a ticket.
struct DecisionAttempt {
  uid_t peer_uid = 0;                        // who connected to the control socket
  bool peer_in_session = false;              // carries the label of any session, not only of the ticket's
  std::string as_user = {};                  // the owner it decides as
  uid_t session_uid = 0;                     // the session whose act it is
  std::vector<EligibleOwner> eligible = {};  // of the ticket's environment
  bool two_persons = false;
  std::vector<uid_t> approved_by = {};  // owners who approved this ticket before
  bool by_signature = false;            // proven by the owner's key: whoever brings it may be anybody
};

// May this attempt go on to the proof of presence? OK, or kPermissionDenied with one sentence for the person at the
// terminal. Pure. Lineage and uid only ever refuse: being allowed here proves nobody's presence.
//
//  - never from inside a session, whatever its uid;
//  - the owner is eligible for the environment, and the peer is root (it came through sudo) or that owner, or brings
//    that owner's signature;
//  - the owner is not the session's own user, unless nobody else is eligible and one person is enough: so a
//    one-person machine can decide, and a session of root needs an owner other than root in every case;
//  - of two persons, the second is another one.
absl::Status MayDecide(const DecisionAttempt& attempt);

// May the peer end a session, take a label off, reload the policy or forget classes? Root, outside every session.
absl::Status MayAdminister(uid_t peer_uid, bool peer_in_session);

// The owners who may decide on an act of a session of `session_uid`, each once, in the order of `eligible`.
std::vector<EligibleOwner> WhoMayDecide(const std::vector<EligibleOwner>& eligible, uid_t session_uid,
                                        bool two_persons);

// Can a hold of this session be released by anybody? False means refuse at once. Two persons need two of them.
bool AnybodyMayDecide(const std::vector<EligibleOwner>& eligible, uid_t session_uid, bool two_persons);

}  // namespace holdpoint
