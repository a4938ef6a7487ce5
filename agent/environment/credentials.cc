#include "agent/environment/credentials.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/environment/fingerprint.h"
#include "agent/environment/secrets.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxFound = 64;
constexpr size_t kMaxCandidates = 256;  // Words of which a fingerprint is made, about a microsecond each.
constexpr size_t kMinWord = 8;
constexpr size_t kMaxWord = 512;

bool IsTokenChar(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains("-_.+/=~:", c);
}

// Calls `take` with each run of token characters that is long enough to be a credential.
template <typename Take>
void ForEachWord(absl::string_view text, Take take) {
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    while (end < text.size() && IsTokenChar(text[end])) ++end;
    if (end - i >= kMinWord && end - i <= kMaxWord && !take(text.substr(i, end - i))) return;
    i = end + 1;
  }
}

bool AnyFingerprintConfigured(const Configuration& configuration) {
  return std::any_of(configuration.credentials.begin(), configuration.credentials.end(),
                     [](const CredentialConfig& credential) { return !credential.fingerprints.empty(); });
}

class Finder {
 public:
  Finder(const Configuration& configuration, absl::string_view key)
      : configuration_(configuration), key_(key), by_value_(AnyFingerprintConfigured(configuration)) {}

  // A secret by place or shape: listed whether or not it is configured.
  void TakeSecret(absl::string_view value, const SecretSpan& span) {
    constexpr absl::string_view kVariable = "variable ";
    CredentialUse use;
    if (absl::StartsWith(span.kind, kVariable)) use.variable = span.kind.substr(kVariable.size());
    Take(value, span.kind, std::move(use), /*always=*/true, /*in_environment=*/false);
    std::string decoded;
    if (span.kind == "basic" && absl::Base64Unescape(value, &decoded)) {
      const size_t colon = decoded.find(':');
      if (colon != std::string::npos && colon + 1 < decoded.size()) {
        Take(absl::string_view(decoded).substr(colon + 1), "basic password", {}, true, false);
      }
    }
  }

  // Any words: listed only where a configured fingerprint matches.
  void TakeWords(absl::string_view text) {
    if (!by_value_) return;
    ForEachWord(text, [this](absl::string_view word) {
      if (++candidates_ > kMaxCandidates) return false;
      Take(word, "word", {}, /*always=*/false, /*in_environment=*/false);
      // NAME=VALUE and user:value are one run of token characters.
      for (const char sign : {'=', ':'}) {
        const size_t at = word.find(sign);
        if (at != absl::string_view::npos && word.size() - at > kMinWord) {
          Take(word.substr(at + 1), "word", {}, false, false);
        }
      }
      return true;
    });
  }

  void TakeVariable(absl::string_view word) {
    const size_t equals = word.find('=');
    if (equals == absl::string_view::npos || equals == 0 || equals + 1 == word.size()) return;
    const absl::string_view name = word.substr(0, equals), value = word.substr(equals + 1);
    CredentialUse use;
    use.variable = std::string(name);
    const bool configured = !CredentialTag(configuration_, use).name.empty();
    const bool worth_hashing = by_value_ && value.size() >= kMinWord && value.size() <= kMaxWord &&
                               (IsSecretName(name) || !TokenKind(value).empty()) && ++candidates_ <= kMaxCandidates;
    if (configured || worth_hashing) {
      Take(value, absl::StrCat("variable ", name), std::move(use), configured, /*in_environment=*/true);
    }
  }

  std::vector<FoundCredential> Found() { return std::move(found_); }

 private:
  void Take(absl::string_view value, absl::string_view kind, CredentialUse use, bool always, bool in_environment) {
    if (found_.size() >= kMaxFound || value.empty()) return;
    use.fingerprint = Fingerprint(key_, value);
    CredentialMatch match = CredentialTag(configuration_, use);
    if (!always && match.name.empty()) return;
    for (FoundCredential& other : found_) {
      if (other.fingerprint == use.fingerprint) {
        other.in_environment = other.in_environment && in_environment;
        return;
      }
    }
    found_.push_back(FoundCredential{std::string(kind), std::move(use.fingerprint), std::move(match.name),
                                     std::move(match.tag), in_environment});
  }

  const Configuration& configuration_;
  const absl::string_view key_;
  const bool by_value_;
  size_t candidates_ = 0;
  std::vector<FoundCredential> found_;
};

}  // namespace

std::vector<FoundCredential> FindCredentials(const Configuration& configuration, absl::string_view key,
                                             absl::Span<const std::string> argv,
                                             absl::Span<const std::string> environment) {
  Finder finder(configuration, key);
  for (const ArgvSecret& secret : FindSecretsInArgv(argv)) {
    finder.TakeSecret(absl::string_view(argv[secret.word]).substr(secret.span.begin, secret.span.size), secret.span);
  }
  size_t scanned = 0;
  for (const std::string& word : argv) {
    scanned += word.size();
    if (scanned > kMaxScannedText) break;
    finder.TakeWords(word);
  }
  for (const std::string& word : environment) finder.TakeVariable(word);
  return finder.Found();
}

std::vector<FoundCredential> FindCredentialsInText(const Configuration& configuration, absl::string_view key,
                                                   absl::string_view text) {
  Finder finder(configuration, key);
  for (const SecretSpan& span : FindSecretsInText(text)) {
    finder.TakeSecret(text.substr(span.begin, span.size), span);
  }
  finder.TakeWords(text.substr(0, kMaxScannedText));
  return finder.Found();
}

std::vector<std::string> FingerprintsIn(absl::string_view key, absl::string_view text, size_t max) {
  std::vector<std::string> fingerprints;
  const auto add = [&](absl::string_view value) {
    std::string fingerprint = Fingerprint(key, value);
    if (std::find(fingerprints.begin(), fingerprints.end(), fingerprint) == fingerprints.end()) {
      fingerprints.push_back(std::move(fingerprint));
    }
    return fingerprints.size() < max;
  };
  text = text.substr(0, kMaxScannedText);
  for (const SecretSpan& span : FindSecretsInText(text)) {
    if (fingerprints.size() >= max || !add(text.substr(span.begin, span.size))) return fingerprints;
  }
  ForEachWord(text, [&](absl::string_view word) {
    const size_t equals = word.find('=');  // NAME=VALUE is one run of token characters
    const absl::string_view value = equals == absl::string_view::npos ? "" : word.substr(equals + 1);
    return (word.size() < 16 || add(word)) && (value.size() < 16 || add(value));
  });
  return fingerprints;
}

}  // namespace holdpoint
