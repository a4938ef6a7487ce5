#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace holdpoint {

// One person who may decide: an OS user, and the name of the configuration through which it may. A user who is named
// twice ("dana", and as a member of "%sudo") is there twice.
struct EligibleOwner {
  std::string user = {};
  uid_t uid = 0;
  std::string through = {};  // "dana" or "%sudo"
  std::string methods = {};  // how they can prove to be there, joined with commas: "pam", "totp", "key"

  friend bool operator==(const EligibleOwner&, const EligibleOwner&) = default;
};

inline constexpr size_t kMaxOwnerNames = 128;      // asked for at once
inline constexpr size_t kMaxEligibleOwners = 512;  // answered

// The lines that `holdpoint-presence resolve` prints, "USER UID THROUGH METHODS" each, both ways. Reading gives kDataLoss
// for anything else. Pure: no look-up of names happens in the process that reads.
std::string FormatEligibleOwners(const std::vector<EligibleOwner>& owners);
absl::StatusOr<std::vector<EligibleOwner>> ParseEligibleOwners(absl::string_view lines);

}  // namespace holdpoint
