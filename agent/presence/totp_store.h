#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/presence/totp.h"

namespace holdpoint {

// The owners' secrets for codes, and which codes have been used: one file each, FOLDER/OWNER.totp, that root alone
// reads. Several processes may use it at once; each function holds the owner's lock while it works.
//
// What a check means for the next one is on stable storage before the answer is known to anybody: a power cut gives no
// code a second life and no guess back. Where it cannot be kept, the answer is kUnavailable.
class TotpStore {
 public:
  explicit TotpStore(std::string folder) : folder_(std::move(folder)) {}

  bool Has(const std::string& user) const;

  // kNotFound: no codes are known for this owner. Else as CheckTotp().
  absl::Status Check(const std::string& user, absl::string_view code, absl::Time now) const;

  // The owner has proven to be there in another way: what was not a code was no guess at one.
  absl::Status Forgive(const std::string& user) const;

  // Makes a secret that counts once it was confirmed, and gives its URI. The one in use stays in use until then.
  absl::StatusOr<std::string> Begin(const std::string& user, TotpKey key, absl::string_view host) const;

  // The first code of the new secret puts it in the place of the old one. kNotFound: none was begun in the last quarter
  // of an hour.
  absl::Status Confirm(const std::string& user, absl::string_view code, absl::Time now) const;

  // kNotFound: there is none.
  absl::Status Remove(const std::string& user) const;

 private:
  absl::StatusOr<TotpState> Read(const std::string& name) const;

  const std::string folder_;
};

}  // namespace holdpoint
