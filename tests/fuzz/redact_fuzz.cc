// Where secrets stand in what a session wrote, and what is recorded of it: spans lie inside their word, in order and
// apart; the record is bounded; a secret that was found is in no recorded word.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "agent/environment/credentials.h"
#include "agent/environment/load.h"
#include "agent/environment/redact.h"
#include "agent/environment/secrets.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void RequireApart(const std::vector<holdpoint::SecretSpan>& spans, size_t size) {
  size_t end = 0;
  for (const holdpoint::SecretSpan& span : spans) {
    Require(span.begin >= end && span.size > 0 && span.begin + span.size <= size);
    end = span.begin + span.size;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  RequireApart(holdpoint::FindSecretsInText(text), text.size());

  const std::vector<std::string> argv = holdpoint::SplitRawArgv(text);
  std::vector<std::vector<holdpoint::SecretSpan>> spans(argv.size());
  for (holdpoint::ArgvSecret& secret : holdpoint::FindSecretsInArgv(argv)) {
    Require(secret.word < argv.size());
    spans[secret.word].push_back(std::move(secret.span));
  }
  const std::vector<std::string> redacted = holdpoint::RedactArgv("", argv);
  Require(redacted.size() <= holdpoint::kMaxRedactedWords + 1);
  for (size_t i = 0; i < argv.size(); ++i) {
    RequireApart(spans[i], argv[i].size());
    if (i >= holdpoint::kMaxRedactedWords) continue;
    Require(redacted[i].size() <= holdpoint::kMaxRedactedWord + 32);
    // Only where one secret is all of the word: elsewhere the same text may stand in a harmless place too.
    if (spans[i].size() == 1 && spans[i][0].size == argv[i].size() && argv[i].size() < 500) {
      Require(redacted[i] == "<redacted>");
    }
  }
  const std::string key(32, 'k');
  Require(holdpoint::FindCredentials(holdpoint::BuiltInConfiguration(), key, argv, argv).size() <= 64);
  Require(holdpoint::RedactText(key, text, 100).size() <= 100 + 32);
  return 0;
}
