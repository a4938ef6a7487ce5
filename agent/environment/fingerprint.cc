#include "agent/environment/fingerprint.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "agent/base/sha256.h"

namespace holdpoint {
namespace {

constexpr absl::string_view kPrefix = "fp:";
constexpr size_t kBytes = 8;

}  // namespace

std::string Fingerprint(absl::string_view key, absl::string_view value) {
  const std::string hex = Hex(HmacSha256(key, absl::StripAsciiWhitespace(value)));
  return absl::StrCat(kPrefix, hex.substr(0, 2 * kBytes));
}

bool IsFingerprint(absl::string_view text) {
  if (text.size() != kPrefix.size() + 2 * kBytes || text.substr(0, kPrefix.size()) != kPrefix) return false;
  return text.substr(kPrefix.size()).find_first_not_of("0123456789abcdef") == absl::string_view::npos;
}

}  // namespace holdpoint
