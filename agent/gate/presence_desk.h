#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/control/server.h"
#include "agent/gate/challenge.h"
#include "agent/gate/core.h"
#include "agent/presence/owners.h"

namespace holdpoint {

// How an owner has proven to be there, as the record says it.
struct PresenceProof {
  std::string how;  // "pam", "totp", "key"
  // Of a key: which one, what it signed, and the signature, so that others can verify it after us.
  std::string key = {}, challenge = {}, signature = {};
};

// Where holdpoint-presence finds what owners prove with: its --keys and --codes.
std::vector<std::string> PresenceFolderArgs(const Options& options);

// The proof that an owner is there, for every desk that decides something. What the request brought is checked by
// holdpoint-presence, a process for one question; the gate only carries it.
//
// It says nothing of who may decide: MayDecide() comes first. The proofs of all desks together are bounded.
class PresenceDesk {
 public:
  explicit PresenceDesk(Core core);

  // OK with the proof; kPermissionDenied where it was not accepted; kUnavailable where it could not be checked, or too
  // many are under way. The message is a sentence for the person at the terminal, and for the record.
  using Done = std::function<void(absl::StatusOr<PresenceProof>)>;

  // Takes the secret out of `call` and proves with it that `owner` is there: a password or a code, or what the flags of
  // the request say that it is. `done` is called once, on the loop or at once. A signature counts where there is a
  // question that it answers, and answers it once.
  void Prove(const std::shared_ptr<ControlCall>& call, const EligibleOwner& owner, Done done);
  void Prove(const std::shared_ptr<ControlCall>& call, const EligibleOwner& owner, const Challenge& question, Done done);

  // The line that a key would have to sign.
  std::string LineOf(const Challenge& question) const { return ChallengeLine(question, source_); }

 private:
  Core core_;
  ChallengeSource source_;
  AnsweredChallenges answered_;
  int under_way_ = 0;
};

}  // namespace holdpoint
