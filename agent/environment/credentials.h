#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "agent/environment/configuration.h"
#include "agent/environment/tags.h"

// Which credentials an act carries, and which environment they belong to.
namespace holdpoint {

struct FoundCredential {
  std::string kind;  // as SecretSpan::kind, or "variable NAME", "word"
  std::string fingerprint;
  std::string tag_name;         // of the configured credential, empty where none matches
  EnvironmentTag tag;           // unknown where none matches
  bool in_environment = false;  // only inherited: the act did not name it
};

// In argv: every secret by place or shape, and every long word that matches a configured fingerprint. In the
// environment ("NAME=VALUE" words): configured variables, and values that match a configured fingerprint; other
// secret-looking variables are not listed. At most 64; equal fingerprints once. `home` is for ~ in globs. Pure.
std::vector<FoundCredential> FindCredentials(const Configuration& configuration, absl::string_view key,
                                             absl::Span<const std::string> argv,
                                             absl::Span<const std::string> environment);

// The same in free text: a body, a file's content.
std::vector<FoundCredential> FindCredentialsInText(const Configuration& configuration, absl::string_view key,
                                                   absl::string_view text);

// Fingerprints of every secret and token-like word in a text, at most `max`.
std::vector<std::string> FingerprintsIn(absl::string_view key, absl::string_view text, size_t max = 64);

}  // namespace holdpoint
