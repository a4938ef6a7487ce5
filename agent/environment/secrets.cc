#include "agent/environment/secrets.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxName = 128;
constexpr size_t kMinSignature = 20;

bool IsNameChar(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.';
}

bool IsQuote(char c) { return c == '"' || c == '\'' || c == '`'; }

// `$NAME`, `${NAME}` and `$(...)` in a script name a secret and do not hold it.
bool IsReference(absl::string_view value) {
  if (value.size() < 2 || value[0] != '$') return false;
  if (value[1] == '(' || value[1] == '{') return true;
  return std::all_of(value.begin() + 1, value.end(),
                     [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_'; });
}

bool IsHarmlessValue(absl::string_view value) {
  if (value.empty() || IsReference(value) || absl::StartsWith(value, "<redacted")) return true;
  for (const absl::string_view word : {"true", "false", "null", "none", "yes", "no", "{}", "[]"}) {
    if (absl::EqualsIgnoreCase(value, word)) return true;
  }
  return false;
}

// A header's "Bearer ", "Basic ", ... in front of the secret itself.
absl::string_view SchemeOf(absl::string_view value) {
  for (const absl::string_view scheme : {"bearer", "basic", "token", "digest", "apikey", "bot", "key", "negotiate"}) {
    if (value.size() > scheme.size() + 1 && value[scheme.size()] == ' ' &&
        absl::EqualsIgnoreCase(value.substr(0, scheme.size()), scheme)) {
      return value.substr(0, scheme.size());
    }
  }
  return "";
}

class TextScanner {
 public:
  explicit TextScanner(absl::string_view text) : text_(text.substr(0, kMaxScannedText)) {}

  std::vector<SecretSpan> Scan() {
    size_t i = 0;
    while (i < text_.size()) {
      if (const size_t end = TryAt(i); end > i) {
        i = end;
      } else if (text_[i] == '\\' && i + 1 < text_.size() && absl::StrContains("nrt", text_[i + 1])) {
        i += 2;
      } else if (IsNameChar(text_[i])) {
        while (i < text_.size() && IsNameChar(text_[i])) ++i;
      } else {
        ++i;
      }
    }
    AddPrivateKeys();
    AddWebhooks();
    AddMarked();
    AddNetrc();
    MergeSpans(&spans_);
    return std::move(spans_);
  }

 private:
  // Looks for a secret that is introduced at `i`; the place behind it, or `i` where there is none.
  size_t TryAt(size_t i) {
    if (text_[i] == ':' && text_.substr(i, 3) == "://") return TryUserInfo(i + 3);
    if (!IsNameChar(text_[i])) return i;
    size_t end = i;
    while (end < text_.size() && IsNameChar(text_[end])) ++end;
    while (end > i + 1 && (text_[end - 1] == '.' || text_[end - 1] == '-')) --end;  // The end of a sentence.
    const absl::string_view word = text_.substr(i, end - i);
    if (const absl::string_view kind = TokenKind(word); !kind.empty()) return Add(i, word.size(), kind);
    // A token may go on with characters that a name does not have.
    size_t long_end = end;
    while (long_end < text_.size() && (IsNameChar(text_[long_end]) || absl::StrContains("+/=", text_[long_end]))) {
      ++long_end;
    }
    if (long_end > end && long_end - i < 4096) {
      if (const absl::string_view kind = TokenKind(text_.substr(i, long_end - i)); !kind.empty()) {
        return Add(i, long_end - i, kind);
      }
    }
    if (absl::EqualsIgnoreCase(word, "bearer")) {
      if (const size_t after = TryBearer(end); after > end) return after;
    }
    // Options are names too: --db-password=x.
    absl::string_view name = word;
    while (!name.empty() && (name[0] == '-' || name[0] == '.')) name.remove_prefix(1);
    if (name.size() > kMaxName) return i;
    const size_t after = TryValue(i, end, name);
    return after > end ? after : i;
  }

  size_t Add(size_t begin, size_t size, absl::string_view kind) {
    if (size > 0) spans_.push_back(SecretSpan{begin, size, std::string(kind)});
    return begin + size;
  }

  size_t SkipBlanks(size_t i) const {
    while (i < text_.size() && (text_[i] == ' ' || text_[i] == '\t')) ++i;
    return i;
  }

  // An opening or closing quote at `i`, also behind backslashes (JSON in a string); its end, or `i`.
  size_t SkipQuote(size_t i) const {
    size_t at = i;
    while (at < text_.size() && text_[at] == '\\') ++at;
    return at < text_.size() && IsQuote(text_[at]) ? at + 1 : i;
  }

  size_t TryBearer(size_t i) {
    const size_t begin = SkipBlanks(i);
    size_t end = begin;
    while (end < text_.size() && !absl::ascii_isspace(static_cast<unsigned char>(text_[end])) && !IsQuote(text_[end]) &&
           text_[end] != '\\') {
      ++end;
    }
    if (begin == i || end - begin < 8 || IsHarmlessValue(text_.substr(begin, end - begin))) return i;
    return Add(begin, end - begin, "bearer");
  }

  // scheme://user:password@host, scheme://token@host.
  size_t TryUserInfo(size_t begin) {
    size_t end = begin;
    size_t at = absl::string_view::npos, colon = absl::string_view::npos;
    while (end < text_.size() && end - begin < 2048) {
      const char c = text_[end];
      if (c == '/' || c == '?' || c == '#' || IsQuote(c) || absl::ascii_isspace(static_cast<unsigned char>(c))) break;
      if (c == '@') at = end;
      if (c == ':' && colon == absl::string_view::npos) colon = end;
      ++end;
    }
    if (at == absl::string_view::npos && colon != absl::string_view::npos) at = AtBehindSlash(colon);
    if (at == absl::string_view::npos) return begin;
    if (colon != absl::string_view::npos && colon < at) {
      const absl::string_view password = text_.substr(colon + 1, at - colon - 1);
      if (!IsHarmlessValue(password)) Add(colon + 1, password.size(), "url password");
      const absl::string_view user = text_.substr(begin, colon - begin);
      if (password.empty() && user.size() >= 16) Add(begin, user.size(), "url user");
    } else if (at - begin >= 16) {
      Add(begin, at - begin, "url user");
    }
    return at + 1;
  }

  // The @ of "://user:pass/word@host": what follows the colon is no port, so the slash belongs to the password.
  size_t AtBehindSlash(size_t colon) const {
    size_t i = colon + 1;
    while (i < text_.size() && absl::ascii_isdigit(static_cast<unsigned char>(text_[i]))) ++i;
    if (i >= text_.size() || text_[i] == '/' || i - colon > 2048) return absl::string_view::npos;
    for (; i < text_.size() && i - colon < 2048; ++i) {
      if (IsQuote(text_[i]) || absl::ascii_isspace(static_cast<unsigned char>(text_[i]))) break;
      if (text_[i] == '@') return i;
    }
    return absl::string_view::npos;
  }

  // -----BEGIN ... PRIVATE KEY-----, whatever stands around it.
  void AddPrivateKeys() {
    constexpr absl::string_view kBegin = "-----BEGIN ";
    for (size_t i = text_.find(kBegin); i != absl::string_view::npos; i = text_.find(kBegin, i + 1)) {
      const size_t head_end = text_.find("-----", i + kBegin.size());
      if (head_end == absl::string_view::npos) return;
      if (head_end - i > 80 || !absl::StrContains(text_.substr(i, head_end - i), "PRIVATE KEY")) continue;
      const size_t begin = head_end + 5;
      const size_t end = std::min(text_.find("-----END", begin), text_.size());
      Add(begin, end - begin, "private key");
      i = end - 1;
    }
  }

  size_t EndOfRun(size_t i, absl::string_view more) const {
    while (i < text_.size() &&
           (absl::ascii_isalnum(static_cast<unsigned char>(text_[i])) || absl::StrContains(more, text_[i]))) {
      ++i;
    }
    return i;
  }

  // Addresses that are a secret as a whole: who has one may post.
  void AddWebhooks() {
    for (const absl::string_view place :
         {"hooks.slack.com/services/", "hooks.slack.com/workflows/", "hooks.slack.com/triggers/",
          "discord.com/api/webhooks/", "discordapp.com/api/webhooks/", "webhook.office.com/webhookb2/"}) {
      for (size_t i = text_.find(place); i != absl::string_view::npos; i = text_.find(place, i + 1)) {
        const size_t begin = i + place.size();
        Add(begin, EndOfRun(begin, "-_./+=@") - begin, "webhook");
      }
    }
  }

  // Tokens with their issuer's mark in the middle and characters that no name has.
  void AddMarked() {
    for (size_t i = text_.find("Q~"); i != absl::string_view::npos; i = text_.find("Q~", i + 1)) {
      if (i < 4 || !absl::ascii_isdigit(static_cast<unsigned char>(text_[i - 1]))) continue;
      const size_t end = EndOfRun(i + 2, "_~.-");
      if (end - i >= 32) Add(i - 4, end - i + 4, "azure client secret");
    }
    for (size_t i = text_.find(":AA"); i != absl::string_view::npos; i = text_.find(":AA", i + 1)) {
      size_t begin = i;
      while (begin > 0 && i - begin < 12 && absl::ascii_isdigit(static_cast<unsigned char>(text_[begin - 1]))) --begin;
      const size_t end = EndOfRun(i + 1, "-_");
      if (i - begin >= 8 && end - i > 34) Add(begin, end - begin, "telegram token");
    }
  }

  // "login NAME password VALUE".
  void AddNetrc() {
    constexpr absl::string_view kLogin = "login ", kPassword = "password";
    for (size_t i = text_.find(kLogin); i != absl::string_view::npos; i = text_.find(kLogin, i + 1)) {
      size_t at = SkipBlanks(EndOfRun(SkipBlanks(i + kLogin.size()), "-_.@+"));
      if (text_.substr(at, kPassword.size()) != kPassword) continue;
      at += kPassword.size();
      const size_t begin = SkipBlanks(at);
      if (begin == at) continue;
      size_t end = begin;
      while (end < text_.size() && !absl::ascii_isspace(static_cast<unsigned char>(text_[end])) && !IsQuote(text_[end]) &&
             text_[end] != '\\') {
        ++end;
      }
      if (!IsHarmlessValue(text_.substr(begin, end - begin))) Add(begin, end - begin, "netrc password");
    }
  }

  // NAME=VALUE, NAME: VALUE, "NAME": "VALUE" with the name at [name_begin, name_end).
  size_t TryValue(size_t name_begin, size_t name_end, absl::string_view name) {
    size_t i = SkipQuote(name_end);
    const bool name_quoted = i > name_end;
    const size_t separator = SkipBlanks(i);
    if (separator >= text_.size()) return name_end;
    const char sign = text_[separator];
    if ((sign != '=' && sign != ':') || (sign == '=' && separator != i)) return name_end;
    if (sign == '=' && separator + 1 < text_.size() && text_[separator + 1] == '=') return name_end;
    i = separator + 1;
    if (sign == ':' || name_quoted) i = SkipBlanks(i);
    const bool blank = i > separator + 1;
    const size_t begin = SkipQuote(i);
    const bool value_quoted = begin > i;
    // "secret:latest" is an image's tag, not a value.
    if (sign == ':' && !name_quoted && !blank && !value_quoted) return name_end;
    // Who has a signed address may do what it says.
    const bool signature = absl::EqualsIgnoreCase(name, "sig") || absl::EndsWithIgnoreCase(name, "signature");
    if (!IsSecretName(name) && !(signature && sign == '=')) return name_end;
    const bool header = sign == ':' && !name_quoted && !value_quoted;
    const size_t end = value_quoted ? ClosingQuote(begin) : header ? EndOfHeader(begin) : EndOfPlainValue(begin);
    if (signature && end - begin < kMinSignature) return name_end;
    const absl::string_view kind_of = absl::StartsWith(text_.substr(name_begin), "--") ? "option --"
                                      : header                                         ? "header "
                                                                                       : "value ";
    return AddValue(begin, end, absl::StrCat(kind_of, absl::AsciiStrToLower(name)), name_end);
  }

  size_t AddValue(size_t begin, size_t end, absl::string_view kind, size_t nothing) {
    absl::string_view value = text_.substr(begin, end - begin);
    if (const absl::string_view scheme = SchemeOf(value); !scheme.empty()) {
      const size_t rest = SkipBlanks(begin + scheme.size());
      if (IsHarmlessValue(text_.substr(rest, end - rest))) return nothing;
      const std::string lower = absl::AsciiStrToLower(scheme);
      return Add(rest, end - rest, lower == "bearer" || lower == "basic" ? absl::string_view(lower) : kind);
    }
    if (IsHarmlessValue(value)) return nothing;
    return Add(begin, value.size(), kind);
  }

  size_t ClosingQuote(size_t begin) const {
    const char quote = text_[begin - 1];
    const bool escaped = begin >= 2 && text_[begin - 2] == '\\';
    for (size_t i = begin; i < text_.size(); ++i) {
      if (text_[i] != quote) continue;
      size_t slashes = 0;
      while (i > begin + slashes && text_[i - 1 - slashes] == '\\') ++slashes;
      if (escaped || slashes % 2 == 0) return i - (escaped ? slashes : 0);
    }
    return text_.size();
  }

  size_t EndOfHeader(size_t begin) const {
    size_t i = begin;
    while (i < text_.size() && text_[i] != '\n' && text_[i] != '\r' && !IsQuote(text_[i]) &&
           text_.substr(i, 2) != "\\n" && text_.substr(i, 2) != "\\\"") {
      ++i;
    }
    return i;
  }

  size_t EndOfPlainValue(size_t begin) const {
    size_t i = begin;
    while (i < text_.size() && !absl::ascii_isspace(static_cast<unsigned char>(text_[i])) && !IsQuote(text_[i]) &&
           !absl::StrContains("&;,)}]\\<>|", text_[i])) {
      ++i;
    }
    return i;
  }

  const absl::string_view text_;
  std::vector<SecretSpan> spans_;
};

}  // namespace

void MergeSpans(std::vector<SecretSpan>* spans) {
  std::stable_sort(spans->begin(), spans->end(),
                   [](const SecretSpan& a, const SecretSpan& b) { return a.begin < b.begin; });
  size_t kept = 0;
  for (size_t i = 0; i < spans->size(); ++i) {
    SecretSpan& span = (*spans)[i];
    if (kept > 0 && span.begin < (*spans)[kept - 1].begin + (*spans)[kept - 1].size) {
      SecretSpan& last = (*spans)[kept - 1];
      last.size = std::max(last.begin + last.size, span.begin + span.size) - last.begin;
    } else {
      if (kept != i) (*spans)[kept] = std::move(span);
      ++kept;
    }
  }
  spans->resize(kept);
}

std::vector<SecretSpan> FindSecretsInText(absl::string_view text) { return TextScanner(text).Scan(); }

}  // namespace holdpoint
