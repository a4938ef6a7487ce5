#include "agent/policy/connection_text.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/parse/uri.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxBytes = 16 * 1024;
constexpr size_t kMaxScheme = 32;

// A port that is no number leaves `otherwise`.
uint32_t PortOf(absl::string_view text, uint32_t otherwise) {
  uint32_t port = 0;
  return absl::SimpleAtoi(text, &port) && port > 0 && port <= 65535 ? port : otherwise;
}

// host[:port][,host[:port]...]: libpq and MongoDB take several.
void AddHosts(absl::string_view text, ConnectionText* out) {
  for (const absl::string_view each : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    ConnectionText::Host host{.name = PercentDecode(each, false)};
    if (absl::StartsWith(host.name, "/")) {
      out->hosts.push_back(std::move(host));
      continue;
    }
    const size_t bracket = host.name.rfind(']');
    const size_t colon = host.name.rfind(':');
    if (colon != std::string::npos && (bracket == std::string::npos || colon > bracket) &&
        (bracket != std::string::npos || host.name.find(':') == colon)) {
      host.port = PortOf(absl::string_view(host.name).substr(colon + 1), 0);
      if (host.port == 0) out->problem = "a port that is no number";
      out->port = host.port;
      host.name.resize(colon);
    }
    if (bracket != std::string::npos && host.name.size() >= 2) host.name = host.name.substr(1, host.name.size() - 2);
    host.name = NormalizeHost(host.name);
    out->hosts.push_back(std::move(host));
  }
}

// One value of libpq's words: to the next blank, or quoted.
std::string TakeValue(absl::string_view* text) {
  const bool quoted = absl::ConsumePrefix(text, "'");
  std::string value;
  size_t i = 0;
  for (; i < text->size(); ++i) {
    const char c = (*text)[i];
    if (c == '\\' && i + 1 < text->size()) {
      value.push_back((*text)[++i]);
    } else if (quoted ? c == '\'' : absl::ascii_isspace(static_cast<unsigned char>(c))) {
      break;
    } else {
      value.push_back(c);
    }
  }
  text->remove_prefix(std::min(i + (quoted ? 1 : 0), text->size()));
  return value;
}

ConnectionText ReadWords(absl::string_view text) {
  ConnectionText out;
  std::map<std::string, std::string> words;
  while (true) {
    text = absl::StripLeadingAsciiWhitespace(text);
    if (text.empty()) break;
    const size_t equals = text.find('=');
    if (equals == absl::string_view::npos) {
      out.problem = "connection words that were not understood";
      break;
    }
    // A word without a value in between: libpq takes none of it, another client may.
    absl::string_view name = absl::StripAsciiWhitespace(text.substr(0, equals));
    if (const size_t blank = name.find_last_of(" \t\n"); blank != absl::string_view::npos) {
      out.problem = "connection words that were not understood";
      name.remove_prefix(blank + 1);
    }
    text = absl::StripLeadingAsciiWhitespace(text.substr(equals + 1));
    words[std::string(name)] = TakeValue(&text);
  }
  if (words.contains("service")) out.problem = "a service of libpq";
  AddHosts(words.contains("hostaddr") ? words["hostaddr"] : words["host"], &out);
  out.port = PortOf(words["port"], out.port);
  out.database = words.contains("dbname") ? words["dbname"] : words["database"];
  out.secret = words["password"];
  return out;
}

// A parameter takes the place of what stands before.
void ApplyParameters(absl::string_view query, ConnectionText* out) {
  for (const auto& [name, value] : DecodeForm(query)) {
    if (name == "host" || name == "hostaddr") {
      out->hosts.clear();
      AddHosts(value, out);
    }
    if (name == "port") out->port = PortOf(value, out->port);
    if (name == "dbname") out->database = value;
    if (name == "service") out->problem = "a service of libpq";
    if (name == "socket" || name == "unix_socket") out->hosts = {{.name = value}};
  }
}

}  // namespace

bool IsConnectionText(absl::string_view word) {
  return absl::StrContains(word, "://") || absl::StrContains(word, "=");
}

ConnectionText ReadHosts(absl::string_view text) {
  ConnectionText out;
  AddHosts(text, &out);
  return out;
}

ConnectionText ReadConnectionText(absl::string_view text) {
  ConnectionText out;
  if (text.size() > kMaxBytes) {
    out.problem = "a connection text that is too long";
    return out;
  }
  if (!IsConnectionText(text)) return out;
  absl::ConsumePrefix(&text, "jdbc:");
  absl::ConsumePrefix(&text, "prisma+");
  const size_t scheme_end = text.find("://");
  if (scheme_end == absl::string_view::npos || scheme_end == 0 || scheme_end > kMaxScheme ||
      absl::StrContains(text.substr(0, scheme_end), '=')) {
    return ReadWords(text);
  }
  out.scheme = absl::AsciiStrToLower(text.substr(0, scheme_end));
  absl::string_view rest = text.substr(scheme_end + 3);
  const size_t path_at = std::min(rest.find_first_of("/?"), rest.size());
  absl::string_view authority = rest.substr(0, path_at);
  rest.remove_prefix(path_at);
  if (const size_t at = authority.rfind('@'); at != absl::string_view::npos) {
    const absl::string_view user = authority.substr(0, at);
    if (const size_t colon = user.find(':'); colon != absl::string_view::npos) {
      out.secret = PercentDecode(user.substr(colon + 1), false);
    }
    authority.remove_prefix(at + 1);
  }
  AddHosts(authority, &out);
  const size_t query_at = std::min(rest.find('?'), rest.size());
  out.database = PercentDecode(absl::StripPrefix(rest.substr(0, query_at), "/"), false);
  if (query_at < rest.size()) ApplyParameters(rest.substr(query_at + 1), &out);
  return out;
}

}  // namespace holdpoint
