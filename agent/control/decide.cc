#include "agent/control/decide.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/base/escape.h"

namespace holdpoint {
namespace {

constexpr size_t kNamesShown = 8;

std::set<uid_t> Uids(const std::vector<EligibleOwner>& owners) {
  std::set<uid_t> uids;
  for (const EligibleOwner& owner : owners) uids.insert(owner.uid);
  return uids;
}

// The owners of `eligible` who may decide on an act of a session of `session_uid`.
std::set<uid_t> Deciders(const std::vector<EligibleOwner>& eligible, uid_t session_uid, bool two_persons) {
  std::set<uid_t> uids = Uids(eligible);
  const bool alone = uids.size() == 1 && !two_persons && session_uid != 0;
  if (!alone) uids.erase(session_uid);
  return uids;
}

std::string NamesOf(const std::vector<EligibleOwner>& eligible, const std::set<uid_t>& uids) {
  std::vector<std::string> names;
  for (const EligibleOwner& owner : eligible) {
    if (!uids.contains(owner.uid) || std::find(names.begin(), names.end(), owner.user) != names.end()) continue;
    if (names.size() == kNamesShown) {
      names.back() = "...";
      break;
    }
    names.push_back(owner.user);
  }
  return absl::StrJoin(names, ", ");
}

}  // namespace

absl::Status MayDecide(const DecisionAttempt& attempt) {
  if (attempt.peer_in_session) {
    return absl::PermissionDeniedError(
        "a decision cannot come from inside a coding agent's session: use a terminal that no session started");
  }
  const std::string as = EscapeAndClip(attempt.as_user, 64);
  if (attempt.eligible.empty()) {
    return absl::PermissionDeniedError(
        "nobody may decide: no owner of this environment is a user with a password, codes or a key on this host");
  }
  const std::set<uid_t> deciders = Deciders(attempt.eligible, attempt.session_uid, attempt.two_persons);
  const auto owner = std::find_if(attempt.eligible.begin(), attempt.eligible.end(),
                                  [&attempt](const EligibleOwner& e) { return e.user == attempt.as_user; });
  if (owner == attempt.eligible.end()) {
    return absl::PermissionDeniedError(absl::StrCat(as, " is no owner of this environment; may decide: ",
                                                    deciders.empty() ? "nobody" : NamesOf(attempt.eligible, deciders),
                                                    " (say who you are with --as)"));
  }
  if (attempt.peer_uid != 0 && attempt.peer_uid != owner->uid && !attempt.by_signature) {
    return absl::PermissionDeniedError(
        absl::StrCat("uid ", attempt.peer_uid, " cannot decide as ", as, ": be that user, or use sudo"));
  }
  if (!deciders.contains(owner->uid)) {
    if (attempt.session_uid == 0) {
      return absl::PermissionDeniedError("a session of root needs the decision of an owner other than root");
    }
    return absl::PermissionDeniedError(
        absl::StrCat("the session runs as ", as, ", who cannot decide on it",
                     deciders.empty() ? " alone: two persons are asked"
                                      : absl::StrCat("; may decide: ", NamesOf(attempt.eligible, deciders))));
  }
  if (std::find(attempt.approved_by.begin(), attempt.approved_by.end(), owner->uid) != attempt.approved_by.end()) {
    return absl::PermissionDeniedError(
        absl::StrCat(as, " has approved this ticket already: the second person must be another one"));
  }
  return absl::OkStatus();
}

absl::Status MayAdminister(uid_t peer_uid, bool peer_in_session) {
  if (peer_in_session) {
    return absl::PermissionDeniedError("this cannot come from inside a coding agent's session");
  }
  if (peer_uid != 0) return absl::PermissionDeniedError("only root may do this: use sudo");
  return absl::OkStatus();
}

std::vector<EligibleOwner> WhoMayDecide(const std::vector<EligibleOwner>& eligible, uid_t session_uid,
                                        bool two_persons) {
  std::set<uid_t> uids = Deciders(eligible, session_uid, two_persons);
  std::vector<EligibleOwner> owners;
  for (const EligibleOwner& owner : eligible) {
    if (uids.erase(owner.uid) != 0) owners.push_back(owner);
  }
  return owners;
}

bool AnybodyMayDecide(const std::vector<EligibleOwner>& eligible, uid_t session_uid, bool two_persons) {
  return Deciders(eligible, session_uid, two_persons).size() >= (two_persons ? 2u : 1u);
}

}  // namespace holdpoint
