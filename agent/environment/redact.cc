#include "agent/environment/redact.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "agent/base/utf8.h"
#include "agent/environment/fingerprint.h"
#include "agent/environment/secrets.h"

namespace holdpoint {
namespace {

// How much of a word is looked at beyond what is kept: a secret that begins before the cut is seen as one.
constexpr size_t kLookAhead = 4096;

std::string Mark(absl::string_view key, absl::string_view secret) {
  return key.empty() ? "<redacted>" : absl::StrCat("<redacted ", Fingerprint(key, secret), ">");
}

// `text` with its secrets replaced, cut to `max` bytes of result; `whole_size` is what a reader is told of.
std::string Replace(absl::string_view key, absl::string_view text, const std::vector<SecretSpan>& spans, size_t max,
                    size_t whole_size) {
  std::string out;
  size_t from = 0;
  const auto keep = [&](size_t end) {
    const size_t room = max - std::min(max, out.size());
    const size_t size = std::min(end - from, room);
    absl::StrAppend(&out, text.substr(from, size));
    from += size;
    return from == end;
  };
  bool complete = true;
  for (const SecretSpan& span : spans) {
    complete = keep(span.begin);
    const std::string mark = Mark(key, text.substr(span.begin, span.size));
    complete = complete && out.size() + mark.size() <= max;
    if (!complete) break;
    absl::StrAppend(&out, mark);
    from = span.begin + span.size;
  }
  if (complete) keep(text.size());
  out = ToValidUtf8(out);  // A cut may have gone through a character.
  if (from < whole_size) absl::StrAppend(&out, "...(+", whole_size - from, " bytes)");
  return out;
}

}  // namespace

std::vector<std::string> RedactArgv(absl::string_view key, absl::Span<const std::string> argv) {
  std::vector<std::string> heads;
  heads.reserve(std::min(argv.size(), kMaxRedactedWords));
  for (const std::string& word : argv.subspan(0, kMaxRedactedWords)) {
    heads.push_back(word.substr(0, kMaxRedactedWord + kLookAhead));
  }
  std::vector<std::vector<SecretSpan>> spans(heads.size());
  for (ArgvSecret& secret : FindSecretsInArgv(heads)) spans[secret.word].push_back(std::move(secret.span));
  std::vector<std::string> out;
  out.reserve(heads.size() + 1);
  for (size_t i = 0; i < heads.size(); ++i) {
    out.push_back(Replace(key, heads[i], spans[i], kMaxRedactedWord, argv[i].size()));
  }
  if (argv.size() > heads.size()) out.push_back(absl::StrCat("...(+", argv.size() - heads.size(), " words)"));
  return out;
}

std::string RedactText(absl::string_view key, absl::string_view text, size_t max) {
  const absl::string_view head = text.substr(0, std::min(max + kLookAhead, kMaxScannedText));
  return Replace(key, head, FindSecretsInText(head), max, text.size());
}

void RemoveSecretsOf(absl::string_view key, absl::Span<const std::string> argv, absl::Span<std::string* const> texts) {
  constexpr size_t kShortest = 8;
  for (const ArgvSecret& secret : FindSecretsInArgv(argv)) {
    const absl::string_view value = absl::string_view(argv[secret.word]).substr(secret.span.begin, secret.span.size);
    if (value.size() < kShortest) continue;
    for (std::string* const text : texts) {
      if (absl::StrContains(*text, value)) *text = absl::StrReplaceAll(*text, {{value, Mark(key, value)}});
    }
  }
}

std::vector<std::string> SplitRawArgv(absl::string_view raw) {
  std::vector<std::string> words;
  words.reserve(static_cast<size_t>(std::count(raw.begin(), raw.end(), '\0')) + 1);
  while (!raw.empty()) {
    const size_t end = std::min(raw.find('\0'), raw.size());
    words.emplace_back(raw.substr(0, end));
    raw.remove_prefix(std::min(end + 1, raw.size()));
  }
  return words;
}

}  // namespace holdpoint
