#include "agent/presence/account.h"

#include <pwd.h>
#include <shadow.h>
#include <time.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/presence/root_file.h"
#include "agent/presence/totp_store.h"

namespace holdpoint {
namespace {

// A hash begins with $, _ or a character of its salt; "!" and "*" lock, and nothing at all proves nothing.
bool IsUsableHash(absl::string_view hash) { return !hash.empty() && hash[0] != '!' && hash[0] != '*'; }

bool HasExpired(const spwd* shadow) {
  const long today = time(nullptr) / 86400;
  return shadow != nullptr && shadow->sp_expire > 0 && today >= shadow->sp_expire;
}

}  // namespace

bool IsUsableAccount(const std::string& user) {
  return getpwnam(user.c_str()) != nullptr && !HasExpired(getspnam(user.c_str()));
}

absl::StatusOr<std::vector<OwnerKey>> ReadOwnerKeys(const std::string& folder, const std::string& user) {
  HP_RETURN_IF_ERROR(CheckOwnerName(user));
  const std::string name = absl::StrCat(user, ".keys");
  absl::StatusOr<std::string> text = ReadRootFile(folder, name, kOwnerKeysMaxBytes, /*hidden=*/false);
  if (absl::IsNotFound(text.status())) {
    return absl::NotFoundError(absl::StrCat("no key is known for ", user, ": root writes them into ", folder, "/", name));
  }
  if (!text.ok()) return absl::FailedPreconditionError(text.status().message());
  absl::StatusOr<std::vector<OwnerKey>> keys = ParseOwnerKeys(*text);
  if (keys.ok()) return keys;
  return absl::FailedPreconditionError(absl::StrCat(folder, "/", name, ": ", keys.status().message()));
}

std::string PresenceMethods(const std::string& user, const PresenceFolders& folders) {
  const passwd* account = getpwnam(user.c_str());
  if (account == nullptr) return "";
  const std::string hash = account->pw_passwd;
  const spwd* shadow = getspnam(user.c_str());
  if (HasExpired(shadow)) return "";
  std::vector<std::string> methods;
  if (IsUsableHash(shadow != nullptr ? shadow->sp_pwdp : hash)) methods.push_back("pam");
  if (!folders.codes.empty() && TotpStore(folders.codes).Has(user)) methods.push_back("totp");
  if (folders.keys.empty()) return absl::StrJoin(methods, ",");
  const absl::StatusOr<std::vector<OwnerKey>> keys = ReadOwnerKeys(folders.keys, user);
  if (keys.ok() && !keys->empty()) methods.push_back("key");
  if (!keys.ok() && !absl::IsNotFound(keys.status())) LogWarning(keys.status().message());
  return absl::StrJoin(methods, ",");
}

}  // namespace holdpoint
