#include "agent/presence/prove.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/base/status.h"
#include "agent/presence/account.h"
#include "agent/presence/key_proof.h"
#include "agent/presence/pam.h"
#include "agent/presence/root_file.h"
#include "agent/presence/service.h"
#include "agent/presence/totp_store.h"

namespace holdpoint {
namespace {

// PAM looks at the account by itself.
absl::Status CheckAccount(const std::string& user) {
  if (IsUsableAccount(user)) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat("the account of ", user, " is not there or has expired"));
}

absl::StatusOr<std::string> ByCode(const PresenceQuestion& question, const Secret& secret, absl::Time now) {
  HP_RETURN_IF_ERROR(CheckAccount(question.user));
  HP_RETURN_IF_ERROR(TotpStore(question.folders.codes).Check(question.user, secret.view(), now));
  return "totp";
}

absl::StatusOr<std::string> BySignature(const PresenceQuestion& question, const Secret& secret) {
  const std::string& user = question.user;
  if (question.challenge.empty()) {
    return absl::PermissionDeniedError("a signature is no proof for this: bring the password or a code");
  }
  HP_RETURN_IF_ERROR(CheckAccount(user));
  HP_ASSIGN_OR_RETURN(const std::vector<OwnerKey> keys, ReadOwnerKeys(question.folders.keys, user));
  const absl::StatusOr<KeyProof> proof = ParseKeyProof(secret.view());
  if (!proof.ok()) return absl::PermissionDeniedError(proof.status().message());
  HP_ASSIGN_OR_RETURN(const OwnerKey key, VerifyKeyProof(*proof, keys, user, question.challenge));
  return absl::StrCat("key ", KeyFingerprint(key));
}

// Digits may be a password, too. Each is counted as a guess at the code before it is known to be none.
absl::StatusOr<std::string> ByPasswordOrCode(const PresenceQuestion& question, const Secret& secret, absl::Time now) {
  const TotpStore codes(question.folders.codes);
  const bool maybe_code = LooksLikeCode(secret.view()) && codes.Has(question.user);
  absl::Status code = absl::OkStatus();
  if (maybe_code) {
    absl::StatusOr<std::string> proven = ByCode(question, secret, now);
    if (proven.ok()) return proven;
    code = proven.status();
  }
  HP_ASSIGN_OR_RETURN(const std::string service, ReadPresenceService(question.folders.keys));
  const absl::Status password = CheckPassword(service, question.user, secret);
  if (password.ok()) {
    if (maybe_code) HP_RETURN_IF_ERROR(codes.Forgive(question.user));
    return "pam";
  }
  if (!maybe_code) return password;
  return absl::Status(password.code(), absl::StrCat(code.message(), " (and as a password: ", password.message(), ")"));
}

}  // namespace

absl::StatusOr<std::string> ProvePresence(const PresenceQuestion& question, const Secret& secret, absl::Time now) {
  HP_RETURN_IF_ERROR(CheckOwnerName(question.user));
  switch (question.by) {
    case PresenceQuestion::By::kCode:
      return ByCode(question, secret, now);
    case PresenceQuestion::By::kSignature:
      return BySignature(question, secret);
    case PresenceQuestion::By::kPasswordOrCode:
      return ByPasswordOrCode(question, secret, now);
  }
  return absl::InvalidArgumentError("want a password, a code or a signature");
}

}  // namespace holdpoint
