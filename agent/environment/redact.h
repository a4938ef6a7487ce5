#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace holdpoint {

inline constexpr size_t kMaxRedactedWords = 64;
inline constexpr size_t kMaxRedactedWord = 512;

// The argv as it may be recorded: each secret (secrets.h) is replaced by "<redacted fp:0123456789abcdef>", each word is
// cut to kMaxRedactedWord bytes ("...(+N bytes)"), and words past kMaxRedactedWords become one "...(+N words)".
// What is cut off is not looked at; what is kept was looked at whole. The result is valid UTF-8 (other bytes become "?")
// and not escaped. `key` is the
// fingerprint key; without one the mark is "<redacted>". Pure.
std::vector<std::string> RedactArgv(absl::string_view key, absl::Span<const std::string> argv);

// The same for free text, cut to `max` bytes.
std::string RedactText(absl::string_view key, absl::string_view text, size_t max);

// Takes out of each of `texts` the values of the secrets that FindSecretsInArgv finds in `argv`: what only its place gave away is not known
// by it in a text that was made from a part of the argv, such as the path of a URL. Values shorter than 8 bytes stay.
void RemoveSecretsOf(absl::string_view key, absl::Span<const std::string> argv, absl::Span<std::string* const> texts);

// Splits NUL-separated bytes as the kernel has them; a last word without NUL counts.
std::vector<std::string> SplitRawArgv(absl::string_view raw);

}  // namespace holdpoint
