#include "agent/parse/uri.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxUrl = 64 * 1024;
constexpr size_t kMaxFormPairs = 1024;

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = absl::ascii_tolower(static_cast<unsigned char>(c));
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int DefaultPort(absl::string_view scheme) {
  static constexpr std::pair<absl::string_view, int> kPorts[] = {
      {"http", 80},   {"https", 443}, {"ws", 80},     {"wss", 443},   {"ftp", 21},   {"ftps", 990},
      {"sftp", 22},   {"scp", 22},    {"ldap", 389},  {"smtp", 25},   {"imap", 143}, {"pop3", 110},
      {"dict", 2628}, {"gopher", 70}, {"telnet", 23}, {"mqtt", 1883}, {"tftp", 69}};
  for (const auto& [name, port] : kPorts) {
    if (name == scheme) return port;
  }
  return 0;
}

absl::string_view GuessScheme(absl::string_view host, absl::string_view fallback) {
  for (absl::string_view name : {"ftp", "dict", "ldap", "imap", "smtp", "pop3"}) {
    if (absl::StartsWithIgnoreCase(host, name) && host.size() > name.size() && host[name.size()] == '.') return name;
  }
  return fallback;
}

// One part of an inet_aton address: decimal, 0 octal, 0x hexadecimal.
bool ParseAddressPart(absl::string_view part, uint64_t* value) {
  int base = 10;
  if (absl::StartsWithIgnoreCase(part, "0x")) {
    base = 16;
    part.remove_prefix(2);
  } else if (part.size() > 1 && part[0] == '0') {
    base = 8;
    part.remove_prefix(1);
  }
  if (part.empty() || part.size() > 12) return false;
  *value = 0;
  for (char c : part) {
    const int digit = HexDigit(c);
    if (digit < 0 || digit >= base) return false;
    *value = *value * base + digit;
  }
  return *value <= 0xffffffffu;
}

// Four decimals for any form that inet_aton reads, empty for a name.
std::string NumericAddress(absl::string_view host) {
  const std::vector<absl::string_view> parts = absl::StrSplit(host, absl::MaxSplits('.', 4));
  if (parts.size() > 4) return "";
  uint32_t address = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    uint64_t value = 0;
    if (!ParseAddressPart(parts[i], &value)) return "";
    if (i + 1 < parts.size()) {
      if (value > 255) return "";
      address |= static_cast<uint32_t>(value) << (24 - 8 * i);
    } else {
      const int bits = 32 - 8 * static_cast<int>(i);  // The last part fills what is left.
      if (bits < 32 && value >> bits) return "";
      address |= static_cast<uint32_t>(value);
    }
  }
  return absl::StrCat(address >> 24, ".", (address >> 16) & 255, ".", (address >> 8) & 255, ".", address & 255);
}

absl::Status BadUrl(absl::string_view why) { return absl::InvalidArgumentError(absl::StrCat("URL: ", why)); }

}  // namespace

std::string PercentDecode(absl::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 && HexDigit(text[i + 2]) >= 0) {
      out.push_back(static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2])));
      i += 2;
    } else {
      out.push_back(plus_is_space && text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

std::string PercentEncode(absl::string_view text, bool space_is_plus) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || c == '-' || c == '.' || c == '_' || c == '~') {
      out.push_back(c);
    } else if (c == ' ' && space_is_plus) {
      out.push_back('+');
    } else {
      out.append({'%', kHex[byte >> 4], kHex[byte & 15]});
    }
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> DecodeForm(absl::string_view text) {
  std::vector<std::pair<std::string, std::string>> pairs;
  while (!text.empty() && pairs.size() < kMaxFormPairs) {
    const size_t end = std::min(text.find('&'), text.size());
    const absl::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    const size_t equals = std::min(pair.find('='), pair.size());
    pairs.emplace_back(PercentDecode(pair.substr(0, equals), true),
                       PercentDecode(pair.substr(std::min(equals + 1, pair.size())), true));
  }
  return pairs;
}

std::string NormalizeHost(absl::string_view host) {
  std::string decoded = absl::AsciiStrToLower(PercentDecode(host, false));
  if (decoded.size() > 1 && decoded.back() == '.') decoded.pop_back();
  const std::string address = NumericAddress(decoded);
  return address.empty() ? decoded : address;
}

std::string NormalizePath(absl::string_view raw_path) {
  const std::string decoded = PercentDecode(raw_path, false);
  std::vector<absl::string_view> kept;
  absl::string_view last;
  for (absl::string_view segment : absl::StrSplit(decoded, '/')) {
    last = segment;
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (!segment.empty() && segment != ".") {
      kept.push_back(segment);
    }
  }
  // "/a/" and "/a/." name the directory, "/a" does not.
  const bool directory = !kept.empty() && (last.empty() || last == "." || last == "..");
  return absl::StrCat("/", absl::StrJoin(kept, "/"), directory ? "/" : "");
}

absl::StatusOr<Url> ParseUrl(absl::string_view text, absl::string_view default_scheme) {
  if (text.size() > kMaxUrl) return BadUrl(absl::StrCat("want at most ", kMaxUrl, " bytes, got ", text.size()));
  if (std::any_of(text.begin(), text.end(), [](unsigned char c) { return c <= ' ' || c == 0x7f; })) {
    return BadUrl("want no space or control character; write it as %XX");
  }
  Url url;
  absl::string_view rest = text;
  // A scheme is a word before ":/"; "host:80/x" has none.
  const size_t colon = rest.find(':');
  if (colon != rest.npos && colon > 0 && rest.substr(colon + 1, 1) == "/" && absl::ascii_isalpha(rest[0]) &&
      std::all_of(rest.begin(), rest.begin() + colon,
                  [](unsigned char c) { return absl::ascii_isalnum(c) || c == '+' || c == '-' || c == '.'; })) {
    url.scheme = absl::AsciiStrToLower(rest.substr(0, colon));
    rest.remove_prefix(colon + 1);
    for (int slashes = 0; slashes < 3 && absl::ConsumePrefix(&rest, "/"); ++slashes) {
      if (url.scheme == "file" && slashes == 1) break;  // file:///path has an empty host.
    }
  }

  const size_t authority_end = std::min(rest.find_first_of("/?#"), rest.size());
  absl::string_view authority = rest.substr(0, authority_end);
  rest.remove_prefix(authority_end);
  rest = rest.substr(0, rest.find('#'));
  const size_t question = std::min(rest.find('?'), rest.size());
  url.query = std::string(rest.substr(std::min(question + 1, rest.size())));
  url.raw_path = question == 0 ? "/" : std::string(rest.substr(0, question));
  url.path = NormalizePath(url.raw_path);

  if (const size_t at = authority.rfind('@'); at != authority.npos) {
    url.userinfo = std::string(authority.substr(0, at));
    authority.remove_prefix(at + 1);
  }
  absl::string_view port;
  if (absl::ConsumePrefix(&authority, "[")) {
    const size_t close = authority.find(']');
    if (close == authority.npos) return BadUrl("an address in \"[\" has no \"]\"");
    url.host = absl::AsciiStrToLower(authority.substr(0, close));
    port = authority.substr(close + 1);
    if (!port.empty() && port[0] != ':') return BadUrl("want \":\" and a port behind \"]\"");
  } else {
    const size_t port_colon = authority.find(':');
    url.host = NormalizeHost(authority.substr(0, port_colon));
    if (port_colon != authority.npos) port = authority.substr(port_colon);
  }
  absl::ConsumePrefix(&port, ":");
  if (url.scheme.empty()) url.scheme = std::string(GuessScheme(url.host, default_scheme));
  url.port = DefaultPort(url.scheme);
  if (!port.empty() && (!absl::SimpleAtoi(port, &url.port) || url.port < 0 || url.port > 65535)) {
    return BadUrl("want a port from 0 to 65535");
  }
  if (url.host.empty() && url.scheme != "file") return BadUrl("there is no host");
  return url;
}

}  // namespace holdpoint
