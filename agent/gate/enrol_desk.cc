#include "agent/gate/enrol_desk.h"

#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "agent/base/escape.h"
#include "agent/base/status.h"
#include "agent/control/views.h"
#include "agent/gate/child.h"

namespace holdpoint {
namespace {

constexpr absl::Duration kBudget = absl::Seconds(10);
constexpr int kExitNotPermitted = 77;
constexpr size_t kSentenceMax = 400;

std::string HostName() {
  utsname names{};
  return uname(&names) == 0 ? names.nodename : "host";
}

}  // namespace

void EnrolDesk::Handle(const Call& call, bool peer_in_session) {
  const ControlRequest& request = call->request();
  if (request.command == ControlCommand::kPresence) return List(call, peer_in_session);
  const bool confirm = request.command == ControlCommand::kConfirmCode;
  Change change;
  change.what = confirm                                            ? "enrol-totp"
                : request.command == ControlCommand::kRemoveCode ? "remove-totp"
                                                                 : "enrol-totp begun";
  change.owner.user = request.text1;
  if (peer_in_session) {
    return Refuse(call, change, absl::PermissionDeniedError("this cannot come from inside a coding agent's session"));
  }
  const absl::StatusOr<EligibleOwner> owner = core_.owners.Find(request.text1);
  if (!owner.ok()) return Refuse(call, change, owner.status());
  change.owner = *owner;
  if (call->peer().uid != 0 && call->peer().uid != owner->uid) {
    return Refuse(call, change, absl::PermissionDeniedError(absl::StrCat("uid ", call->peer().uid, " is not ", owner->user,
                                                                         ": be that user, or use sudo")));
  }
  if (confirm) {
    const auto begun = begun_.find(owner->user);
    if (begun == begun_.end()) {
      return Refuse(call, change, absl::NotFoundError("nothing waits for a code: begin with presence enroll-totp"));
    }
    change.proof = begun->second;
    return Run(call, change, {"confirm-code", "--user", owner->user}, call->TakeSecret(), [this, call, change](const std::string&) {
      begun_.erase(change.owner.user);
      Record(*call, change, "");
      core_.owners.Refresh(core_.policy.configured(), [call, user = change.owner.user] {
        call->Reply(0, absl::StrCat("from here on a code of ", user, " counts as well as the password"));
      });
    });
  }
  presence_.Prove(call, *owner, [this, call, change](absl::StatusOr<PresenceProof> proof) mutable {
    if (!proof.ok()) return Refuse(call, change, proof.status());
    change.proof = *std::move(proof);
    if (call->request().command == ControlCommand::kEnrolCode) return Begin(call, std::move(change));
    Run(call, change, {"remove-code", "--user", change.owner.user}, "", [this, call, change](const std::string&) {
      Record(*call, change, "");
      core_.owners.Refresh(core_.policy.configured(), [call, user = change.owner.user] {
        call->Reply(0, absl::StrCat("codes of ", user, " count no more"));
      });
    });
  });
}

void EnrolDesk::Begin(const Call& call, Change change) {
  const ControlRequest& request = call->request();
  const bool sha256 = (request.flags & kControlSha256) != 0;
  const std::string digits = absl::StrCat(request.number == 0 ? 6 : request.number);
  std::vector<std::string> args = {"begin-code", "--user",  change.owner.user, "--hash", sha256 ? "sha256" : "sha1",
                                   "--digits",   digits, "--host", HostName()};
  Run(call, change, std::move(args), "", [this, call, change](std::string uri) {
    absl::Cleanup wipe = [&uri] { explicit_bzero(uri.data(), uri.size()); };
    begun_[change.owner.user] = change.proof;
    Record(*call, change, "");
    call->Reply(0, "a code of the new secret puts it into use", EnrolmentBodies(uri));
  });
}

void EnrolDesk::Run(const Call& call, Change change, std::vector<std::string> args, std::string secret,
                    std::function<void(std::string)> done) {
  HelperRequest request;
  request.spec.path = absl::StrCat(core_.options.bin, "/holdpoint-presence");
  for (std::string& arg : PresenceFolderArgs(core_.options)) args.push_back(std::move(arg));
  request.spec.args = std::move(args);
  request.input = std::move(secret);
  request.input_as = 3;
  request.output_as = STDOUT_FILENO;
  request.budget = kBudget;
  RunHelper(core_.loop, core_.clock, std::move(request),
            [this, call, change, done = std::move(done)](absl::StatusOr<HelperResult> result) {
              if (!result.ok()) return Refuse(call, change, absl::UnavailableError(result.status().message()));
              const int status = result->wait_status;
              if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return done(std::move(result->output));
              const std::string why = EscapeAndClip(result->output, kSentenceMax);
              const bool no = WIFEXITED(status) && WEXITSTATUS(status) == kExitNotPermitted;
              Refuse(call, change, no ? absl::PermissionDeniedError(why) : absl::UnavailableError(why));
            });
}

void EnrolDesk::List(const Call& call, bool peer_in_session) {
  std::vector<PresenceRow> rows;
  for (const EligibleOwner& owner : core_.owners.All()) {
    if (!peer_in_session && (call->peer().uid == 0 || call->peer().uid == owner.uid)) {
      rows.push_back({.owner = owner.user, .uid = owner.uid, .methods = owner.methods});
    }
  }
  call->Reply(0, "", PresenceRowBodies(rows));
}

void EnrolDesk::Record(const ControlCall& call, const Change& change, absl::string_view refused_because) {
  v1::Decision decision;
  decision.set_decision(change.what);
  decision.set_by(EscapeAndClip(change.owner.user, 64));
  decision.set_presence(change.proof.how);
  decision.set_accepted(refused_because.empty());
  decision.set_refused_because(std::string(refused_because));
  decision.set_peer_uid(call.peer().uid);
  core_.ledger.Decision(nullptr, std::move(decision));
}

void EnrolDesk::Refuse(const Call& call, const Change& change, const absl::Status& why) {
  Record(*call, change, why.message());
  call->Reply(ExitCode(why), why.message());
}

}  // namespace holdpoint
