#include "agent/presence/service.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/base/status.h"
#include "agent/presence/root_file.h"

namespace holdpoint {
namespace {

constexpr char kService[] = "holdpoint";
constexpr size_t kNameMax = 32, kFileMax = 64;

}  // namespace

absl::StatusOr<std::string> ParsePresenceService(absl::string_view text) {
  absl::ConsumeSuffix(&text, "\n");
  const bool plain = std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '_' || c == '-';
  });
  if (plain && !text.empty() && text.size() <= kNameMax && absl::ascii_islower(static_cast<unsigned char>(text[0]))) {
    return std::string(text);
  }
  return absl::InvalidArgumentError("wanted the name of a PAM service, one word of lower-case letters, digits, _ and -");
}

absl::StatusOr<std::string> ReadPresenceService(const std::string& folder) {
  const absl::StatusOr<std::string> text = ReadRootFile(folder, kPresenceServiceFile, kFileMax, /*hidden=*/false);
  if (absl::IsNotFound(text.status())) return kService;
  if (!text.ok()) return text.status();
  absl::StatusOr<std::string> service = ParsePresenceService(*text);
  if (service.ok()) return service;
  return absl::FailedPreconditionError(
      absl::StrCat(folder, "/", kPresenceServiceFile, ": ", service.status().message()));
}

}  // namespace holdpoint
