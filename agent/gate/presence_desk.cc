#include "agent/gate/presence_desk.h"

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/base/escape.h"
#include "agent/gate/child.h"

namespace holdpoint {
namespace {

constexpr absl::Duration kBudget = absl::Seconds(20);  // PAM modules delay after a wrong password.
constexpr int kMaxUnderWay = 8;
constexpr int kExitNotPermitted = 77;
constexpr size_t kSentenceMax = 400;
constexpr char kConfiguration[] = "/etc/holdpoint/holdpoint.yaml";

absl::StatusOr<PresenceProof> FromHelper(const absl::StatusOr<HelperResult>& result) {
  if (!result.ok()) return absl::UnavailableError(absl::StrCat("presence can't be checked: ", result.status().message()));
  const std::string said = EscapeAndClip(result->output, kSentenceMax);
  const int exit_code = WIFEXITED(result->wait_status) ? WEXITSTATUS(result->wait_status) : -1;
  if (exit_code == kExitNotPermitted) return absl::PermissionDeniedError(said);
  if (exit_code != 0) {
    return absl::UnavailableError(absl::StrCat("presence can't be checked (holdpoint doctor): ", said));
  }
  absl::string_view key = said;
  if (absl::ConsumePrefix(&key, "key ")) return PresenceProof{.how = "key", .key = std::string(key)};
  if (said == "pam" || said == "totp") return PresenceProof{.how = said};
  return absl::UnavailableError("presence can't be checked: holdpoint-presence is of another version");
}

}  // namespace

std::vector<std::string> PresenceFolderArgs(const Options& options) {
  const std::filesystem::path configuration = options.config.empty() ? kConfiguration : options.config;
  return {"--keys", (configuration.parent_path() / "presence.d").string(), "--codes", absl::StrCat(options.state, "/presence")};
}

PresenceDesk::PresenceDesk(Core core) : core_(core) {
  const v1::StreamId& stream = core_.ledger.recorder().stream();
  source_.host_id = stream.host_id();
  source_.boot_id = stream.boot_id();
  for (int i = 0; i < 8; ++i) absl::StrAppend(&source_.key, RandomBits(), ".");
}

void PresenceDesk::Prove(const std::shared_ptr<ControlCall>& call, const EligibleOwner& owner, Done done) {
  Prove(call, owner, Challenge(), std::move(done));
}

void PresenceDesk::Prove(const std::shared_ptr<ControlCall>& call, const EligibleOwner& owner, const Challenge& question,
                         Done done) {
  const uint32_t flags = call->request().flags;
  const bool by_signature = (flags & kControlSignature) != 0;
  // Anybody may bring a signature, and must not keep those with a password from theirs.
  if (under_way_ >= (by_signature ? kMaxUnderWay / 2 : kMaxUnderWay)) {
    return done(absl::UnavailableError("too many proofs of presence at once: try again"));
  }
  HelperRequest proof;
  proof.spec.path = absl::StrCat(core_.options.bin, "/holdpoint-presence");
  proof.spec.args = {"prove", "--user", owner.user, "--by",
                     by_signature ? "signature" : (flags & kControlCode) != 0 ? "code" : "password"};
  for (std::string& arg : PresenceFolderArgs(core_.options)) proof.spec.args.push_back(std::move(arg));
  std::string line;
  if (by_signature && !question.ticket.empty()) {
    line = LineOf(question);
    if (absl::Status may = answered_.MayAnswer(question, line, core_.clock.Wall()); !may.ok()) return done(may);
    proof.spec.args.insert(proof.spec.args.end(), {"--challenge", line});
  }
  proof.input = call->TakeSecret();
  const std::string signature = by_signature ? proof.input : "";
  proof.input_as = 3;
  proof.output_as = STDOUT_FILENO;
  proof.budget = kBudget;
  ++under_way_;
  RunHelper(core_.loop, core_.clock, std::move(proof),
            [this, line, signature, question, done = std::move(done)](absl::StatusOr<HelperResult> result) {
              --under_way_;
              absl::StatusOr<PresenceProof> proven = FromHelper(result);
              if (proven.ok() && proven->how == "key") {
                // Two may have been under way with the same signature.
                if (!answered_.Answer(question, line)) {
                  return done(absl::PermissionDeniedError("this signature has been used"));
                }
                proven->challenge = line;
                proven->signature = signature;
              }
              done(std::move(proven));
            });
}

}  // namespace holdpoint
