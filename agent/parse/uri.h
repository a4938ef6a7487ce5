#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace holdpoint {

// A URL divided as curl divides it.
struct Url {
  std::string scheme;                   // lower case
  std::optional<std::string> userinfo;  // still encoded, before the last "@" of the authority
  std::string host;                     // see NormalizeHost; an IPv6 address without brackets
  int port = 0;                         // given, or the scheme's default; 0 where there is none
  std::string raw_path;                 // as written, at least "/"
  std::string path;                     // for matching, see NormalizePath
  std::string query;                    // still encoded, without "?"
};

// `text` may lack the scheme: then it is guessed from the host as curl does ("ftp.example" is ftp), else
// `default_scheme`. One to three slashes after the scheme are accepted. The fragment is dropped. Errors:
// kInvalidArgument (no host, a port that is no number, a control character or a space, more than 64 KiB).
absl::StatusOr<Url> ParseUrl(absl::string_view text, absl::string_view default_scheme = "http");

// Lower case, percent-decoded, without the dot at its end; an IPv4 address in any of inet_aton's forms (0x7f.1,
// 2130706433) as four decimals. Names that are not ASCII stay as they are.
std::string NormalizeHost(absl::string_view host);

// Percent-decoded once, "." and ".." removed, runs of "/" made one: what a server is likely to route by.
std::string NormalizePath(absl::string_view raw_path);

// %XX decoded; a "%" without two hexadecimal digits stays. `plus_is_space` for forms and queries.
std::string PercentDecode(absl::string_view text, bool plus_is_space);
// All but A-Z a-z 0-9 - . _ ~ becomes %XX; a space "+" where asked for.
std::string PercentEncode(absl::string_view text, bool space_is_plus = false);

// name=value pairs of a query or an application/x-www-form-urlencoded body, decoded, in order, at most 1024 of them.
std::vector<std::pair<std::string, std::string>> DecodeForm(absl::string_view text);

}  // namespace holdpoint
