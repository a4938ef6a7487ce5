#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "agent/environment/secrets.h"

namespace holdpoint {
namespace {

// A name that ends so: "pgpassword", "authToken".
constexpr absl::string_view kSecretEndings[] = {"password", "passwd", "passphrase", "passcode",    "secret",
                                                "token",    "apikey", "credential", "credentials", "authorization"};
// One of its words is this.
constexpr absl::string_view kSecretWords[] = {"secrets", "cookie", "bearer", "jwt", "dsn", "set-cookie"};
// Its last word is this: DB_PASS, REDIS_AUTH.
constexpr absl::string_view kSecretLastWords[] = {"pass", "auth", "pw"};
// What comes before a last word "key".
constexpr absl::string_view kKeyKinds[] = {"api",     "access",  "secret", "private", "signing", "encryption", "master",
                                           "service", "account", "auth",   "shared",  "deploy",  "storage",    "app"};
// The value says where, what kind or how long, not the secret.
constexpr absl::string_view kHarmlessLastWords[] = {
    "file",   "path",     "dir",         "name",    "names",    "url",    "uri",    "type",     "limit",  "limits",
    "count",  "expiry",   "expires",     "ttl",     "length",   "id",     "ids",    "endpoint", "policy", "regex",
    "prefix", "format",   "mode",        "timeout", "lifetime", "size",   "budget", "usage",    "env",    "helper",
    "store",  "provider", "command",     "cmd",     "stdin",    "fd",     "arn",    "version",  "jar",    "field",
    "column", "only",     "parallelism", "list",    "arg",      "prompt", "hint",   "manager"};

template <typename List>
bool Contains(const List& list, absl::string_view word) {
  return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

// "X-Api-Key", "accessToken" and "APIKey" fall into lower-case words.
std::vector<std::string> NameWords(absl::string_view name) {
  std::vector<std::string> words;
  std::string word;
  const auto finish = [&] {
    if (!word.empty()) words.push_back(std::move(word));
    word.clear();
  };
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c))) {
      finish();
      continue;
    }
    const bool upper = absl::ascii_isupper(static_cast<unsigned char>(c));
    const bool after_lower = i > 0 && absl::ascii_islower(static_cast<unsigned char>(name[i - 1]));
    const bool before_lower = i + 1 < name.size() && absl::ascii_islower(static_cast<unsigned char>(name[i + 1]));
    const bool after_upper = i > 0 && absl::ascii_isupper(static_cast<unsigned char>(name[i - 1]));
    if (upper && (after_lower || (after_upper && before_lower))) finish();
    word += absl::ascii_tolower(static_cast<unsigned char>(c));
  }
  finish();
  return words;
}

enum class Body { kAlnum, kAlnumDash, kUpperDigit, kHexDigit, kTokenChars };

struct Shape {
  absl::string_view prefix;
  absl::string_view kind;
  size_t min_body;
  Body body;
};

// Prefixes that issuers document, so that a leaked token can be found. Longer prefixes stand first.
constexpr Shape kShapes[] = {
    {"github_pat_", "github token", 22, Body::kAlnumDash},
    {"ghp_", "github token", 30, Body::kAlnum},
    {"gho_", "github token", 30, Body::kAlnum},
    {"ghu_", "github token", 30, Body::kAlnum},
    {"ghs_", "github token", 30, Body::kAlnum},
    {"ghr_", "github token", 30, Body::kAlnum},
    {"glpat-", "gitlab token", 20, Body::kTokenChars},
    {"gldt-", "gitlab token", 20, Body::kTokenChars},
    {"glrt-", "gitlab token", 20, Body::kTokenChars},
    {"glptt-", "gitlab token", 20, Body::kTokenChars},
    {"glcbt-", "gitlab token", 20, Body::kTokenChars},
    {"glsoat-", "gitlab token", 20, Body::kTokenChars},
    {"glft-", "gitlab token", 20, Body::kTokenChars},
    {"glagent-", "gitlab token", 20, Body::kTokenChars},
    {"sk-ant-", "anthropic key", 20, Body::kAlnumDash},
    {"sk-", "openai key", 20, Body::kAlnumDash},
    {"sk_live_", "stripe key", 16, Body::kAlnum},
    {"sk_test_", "stripe key", 16, Body::kAlnum},
    {"rk_live_", "stripe key", 16, Body::kAlnum},
    {"rk_test_", "stripe key", 16, Body::kAlnum},
    {"whsec_", "stripe secret", 16, Body::kTokenChars},
    {"AKIA", "aws key id", 16, Body::kUpperDigit},
    {"ASIA", "aws key id", 16, Body::kUpperDigit},
    {"AIza", "google key", 30, Body::kAlnumDash},
    {"ya29.", "google token", 20, Body::kTokenChars},
    {"GOCSPX-", "google secret", 20, Body::kAlnumDash},
    {"xoxb-", "slack token", 10, Body::kAlnumDash},
    {"xoxp-", "slack token", 10, Body::kAlnumDash},
    {"xoxa-", "slack token", 10, Body::kAlnumDash},
    {"xoxs-", "slack token", 10, Body::kAlnumDash},
    {"xoxr-", "slack token", 10, Body::kAlnumDash},
    {"xoxe-", "slack token", 10, Body::kAlnumDash},
    {"xoxe.", "slack token", 10, Body::kTokenChars},
    {"xapp-", "slack token", 10, Body::kAlnumDash},
    {"npm_", "npm token", 30, Body::kAlnum},
    {"pypi-", "pypi token", 30, Body::kAlnumDash},
    {"hf_", "hugging face token", 24, Body::kAlnum},
    {"dop_v1_", "digitalocean token", 40, Body::kHexDigit},
    {"doo_v1_", "digitalocean token", 40, Body::kHexDigit},
    {"hvs.", "vault token", 20, Body::kTokenChars},
    {"hvb.", "vault token", 20, Body::kTokenChars},
    {"SG.", "sendgrid key", 30, Body::kTokenChars},
    {"dckr_pat_", "docker token", 20, Body::kAlnumDash},
    {"shpat_", "shopify token", 24, Body::kHexDigit},
    {"glsa_", "grafana token", 20, Body::kAlnumDash},
    {"lin_api_", "linear key", 20, Body::kAlnum},
    {"ATATT3", "atlassian token", 30, Body::kTokenChars},
    {"sbp_", "supabase token", 30, Body::kHexDigit},
    {"PMAK-", "postman key", 30, Body::kAlnumDash},
    {"NRAK-", "new relic key", 20, Body::kAlnum},
    {"r8_", "replicate token", 30, Body::kAlnum},
    {"EAACEdEose0cBA", "facebook token", 10, Body::kAlnum},
    {"gsk_", "groq key", 30, Body::kAlnum},
    {"xai-", "xai key", 40, Body::kAlnumDash},
    {"pplx-", "perplexity key", 30, Body::kAlnum},
    {"rubygems_", "rubygems key", 40, Body::kHexDigit},
    {"pul-", "pulumi token", 40, Body::kHexDigit},
    {"dapi", "databricks token", 32, Body::kHexDigit},
    {"key-", "mailgun key", 32, Body::kHexDigit},
    {"SK", "twilio key", 32, Body::kHexDigit},
    {"sntrys_", "sentry token", 30, Body::kTokenChars},
    {"sntryu_", "sentry token", 30, Body::kHexDigit},
    {"ntn_", "notion token", 30, Body::kAlnum},
    {"figd_", "figma token", 30, Body::kAlnumDash},
    {"pscale_tkn_", "planetscale token", 30, Body::kAlnumDash},
    {"pscale_pw_", "planetscale password", 30, Body::kAlnumDash},
    {"pscale_oauth_", "planetscale token", 30, Body::kAlnumDash},
    {"fm1r_", "fly token", 40, Body::kTokenChars},
    {"fm2_", "fly token", 40, Body::kTokenChars},
    {"nfp_", "netlify token", 30, Body::kAlnum},
    {"tskey-", "tailscale key", 20, Body::kAlnumDash},
    {"AGE-SECRET-KEY-1", "age key", 50, Body::kUpperDigit},
};

// The shortest that any shape takes: most words are shorter.
constexpr size_t kMinToken = [] {
  size_t least = 30;
  for (const Shape& shape : kShapes) least = std::min(least, shape.prefix.size() + shape.min_body);
  return least;
}();

bool Holds(Body body, char c) {
  const auto byte = static_cast<unsigned char>(c);
  switch (body) {
    case Body::kAlnum:
      return absl::ascii_isalnum(byte);
    case Body::kAlnumDash:
      return absl::ascii_isalnum(byte) || c == '-' || c == '_';
    case Body::kUpperDigit:
      return absl::ascii_isupper(byte) || absl::ascii_isdigit(byte);
    case Body::kHexDigit:
      return absl::ascii_isxdigit(byte);
    case Body::kTokenChars:
      return absl::ascii_isalnum(byte) || c == '-' || c == '_' || c == '.' || c == '=' || c == '+' || c == '/';
  }
  return false;
}

// "xxxxxxxxxxxxxx.atlasv1.xxxx": the issuer's mark stands in the middle.
bool IsTerraformToken(absl::string_view word) {
  const size_t mark = word.find(".atlasv1.");
  return mark != absl::string_view::npos && mark >= 10 && word.size() - mark >= 40 &&
         std::all_of(word.begin(), word.end(), [](char c) { return Holds(Body::kTokenChars, c); });
}

// Three parts of base64url, of which the first is an object: eyJ is {" .
bool IsJwt(absl::string_view word) {
  if (word.size() < 30 || word.substr(0, 3) != "eyJ") return false;
  size_t dots = 0, part = 0;
  for (const char c : word) {
    if (c == '.') {
      if (part == 0) return false;
      ++dots;
      part = 0;
    } else if (Holds(Body::kAlnumDash, c) || c == '=') {
      ++part;
    } else {
      return false;
    }
  }
  return dots == 2 || dots == 4;
}

}  // namespace

bool IsSecretName(absl::string_view name) {
  if (name.size() < 2 || name.size() > 128) return false;
  const std::vector<std::string> words = NameWords(name);
  if (words.empty()) return false;
  const std::string& last = words.back();
  const bool single = words.size() == 1;
  if (!single && Contains(kHarmlessLastWords, last)) return false;
  if (Contains(kSecretLastWords, last) || (!single && last == "pwd")) return true;
  if (last == "key" && !single && Contains(kKeyKinds, words[words.size() - 2])) return true;
  for (const std::string& word : words) {
    if (Contains(kSecretWords, word)) return true;
    for (const absl::string_view ending : kSecretEndings) {
      if (absl::EndsWith(word, ending)) return true;
    }
  }
  return false;
}

absl::string_view TokenKind(absl::string_view word) {
  if (word.size() < kMinToken) return {};
  for (const Shape& shape : kShapes) {
    if (!absl::StartsWith(word, shape.prefix) || word.size() < shape.prefix.size() + shape.min_body) continue;
    const absl::string_view body = word.substr(shape.prefix.size());
    if (std::all_of(body.begin(), body.end(), [&](char c) { return Holds(shape.body, c); })) return shape.kind;
  }
  if (IsTerraformToken(word)) return "terraform token";
  return IsJwt(word) ? absl::string_view("jwt") : absl::string_view();
}

}  // namespace holdpoint
