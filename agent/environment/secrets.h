#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

// Where in a text a secret stands: by its shape (tokens that name their issuer, JWT, private keys), by the words
// before it (Authorization: Bearer, password=, --token, -u user:), or by its place in a URL. One table serves the
// redaction of what is recorded and the recognition of credentials that an act carries. Linear, bounded, pure.
namespace holdpoint {

struct SecretSpan {
  size_t begin = 0;
  size_t size = 0;
  std::string
      kind;  // "bearer", "header x-api-key", "variable DB_PASSWORD", "option --token", "url", "basic", "ghp", ...
};

// A secret in one word of an argv.
struct ArgvSecret {
  size_t word = 0;
  SecretSpan span;
};

// Secrets in free text: a request body, a script, one header. In order, not overlapping. Only the first
// `kMaxScannedText` bytes are looked at.
inline constexpr size_t kMaxScannedText = 256 * 1024;
std::vector<SecretSpan> FindSecretsInText(absl::string_view text);

// Secrets in an argv, which also knows what an option of curl, mysql, sshpass and their like takes, and looks into
// the text after -c. Only the first 256 words and 256 KiB are looked at.
std::vector<ArgvSecret> FindSecretsInArgv(absl::Span<const std::string> argv);

// Sorts by place and joins overlapping ones under the kind of the first.
void MergeSpans(std::vector<SecretSpan>* spans);

// The name of a variable, option, header or JSON key says that its value is a secret: API_KEY, db-password,
// accessToken; not TOKEN_FILE, MAX_TOKENS, PWD.
bool IsSecretName(absl::string_view name);

// The whole word has the shape of a token with an issuer's prefix, a JWT or the like. Empty where not, else its kind.
absl::string_view TokenKind(absl::string_view word);

}  // namespace holdpoint
