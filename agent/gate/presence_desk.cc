#include "agent/gate/presence_desk.h"

#include <sys/wait.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/gate/child.h"

namespace holdpoint {
namespace {

constexpr absl::Duration kBudget = absl::Seconds(20);  // PAM modules delay after a wrong password.
constexpr int kMaxUnderWay = 8;
constexpr int kExitNotPermitted = 77;

absl::StatusOr<PresenceProof> FromHelper(const absl::StatusOr<HelperResult>& result, const std::string& user) {
  const bool ended = result.ok() && WIFEXITED(result->wait_status);
  if (ended && WEXITSTATUS(result->wait_status) == 0) return PresenceProof{.how = "pam"};
  if (ended && WEXITSTATUS(result->wait_status) == kExitNotPermitted) {
    return absl::PermissionDeniedError(absl::StrCat("the password of ", user, " was not accepted"));
  }
  return absl::UnavailableError("presence can't be checked: is the PAM service file there? (holdpoint doctor)");
}

}  // namespace

void PresenceDesk::Prove(const std::shared_ptr<ControlCall>& call, const EligibleOwner& owner, Done done) {
  if (under_way_ >= kMaxUnderWay) {
    return done(absl::UnavailableError("too many proofs of presence at once: try again"));
  }
  HelperRequest proof;
  proof.spec.path = absl::StrCat(core_.options.bin, "/holdpoint-presence");
  const std::string& service = core_.policy.configured().presence_service();
  proof.spec.args = {"--service", service.empty() ? "holdpoint" : service, "--user", owner.user};
  proof.input = call->TakeSecret();
  proof.input_as = 3;
  proof.output_as = 4;
  proof.budget = kBudget;
  ++under_way_;
  RunHelper(core_.loop, core_.clock, std::move(proof),
            [this, user = owner.user, done = std::move(done)](absl::StatusOr<HelperResult> result) {
              --under_way_;
              done(FromHelper(result, user));
            });
}

}  // namespace holdpoint
