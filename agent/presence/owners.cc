#include "agent/presence/owners.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace holdpoint {
namespace {

bool IsName(absl::string_view text) {
  return !text.empty() && text.size() < 64 &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

std::string FormatEligibleOwners(const std::vector<EligibleOwner>& owners) {
  std::string lines;
  for (const EligibleOwner& owner : owners) {
    absl::StrAppend(&lines, owner.user, " ", owner.uid, " ", owner.through, " ", owner.methods, "\n");
  }
  return lines;
}

absl::StatusOr<std::vector<EligibleOwner>> ParseEligibleOwners(absl::string_view lines) {
  std::vector<EligibleOwner> owners;
  for (absl::string_view line : absl::StrSplit(lines, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
    uint32_t uid = 0;
    if (words.size() != 4 || !IsName(words[0]) || !absl::SimpleAtoi(words[1], &uid) || !IsName(words[2]) || !IsName(words[3]) ||
        owners.size() == kMaxEligibleOwners) {
      return absl::DataLossError("owners: lines of USER UID NAME METHODS are wanted");
    }
    owners.push_back({.user = std::string(words[0]), .uid = uid, .through = std::string(words[2]),
                      .methods = std::string(words[3])});
  }
  return owners;
}

}  // namespace holdpoint
