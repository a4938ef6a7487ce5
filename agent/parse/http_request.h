#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace holdpoint {

// The requests that a command line will send, as far as argv and the files it names show them.

struct HttpHeader {
  std::string name;  // lower case
  std::string value;
};

// Something that lets the request in. The value is a secret: fingerprint it, never print or record it.
struct HttpCredential {
  enum class Kind {
    kBearer,         // Authorization: Bearer, or --oauth2-bearer; value is the token alone
    kBasic,          // -u, user:password in the URL, Authorization: Basic (decoded), .netrc; value is "user:password"
    kAuthorization,  // another scheme of the Authorization header; value is what follows the scheme
    kHeader,         // a header that is a token by its name (Project-Access-Token, X-Api-Key, ...)
    kCookie,         // value is the cookie text
    kUrlParameter,   // ?access_token=, ?api_key= ...
    kClientCertificate,  // value is the path
  };
  Kind kind = Kind::kHeader;
  std::string name;   // header or parameter, lower case; empty for -u and certificates
  std::string value;  // secret
};

struct HttpBodyPart {
  enum class Source { kInline, kFile, kStdin };
  Source source = Source::kInline;
  std::string path;      // kFile: as written on the command line, relative to the command's working directory
  std::string bytes;     // what is sent, where it is known: after newline stripping and URL encoding
  bool seen = false;     // bytes are all of it
  std::string field;     // name of a multipart field, empty for other bodies
  std::string filename;  // of a multipart file
};

struct HttpRequest {
  std::string method;           // as sent; upper case unless the command spells it otherwise
  std::string method_override;  // upper case; from X-HTTP-Method-Override and its kin, or a _method field
  std::string scheme, host;     // see uri.h
  int port = 0;
  std::string raw_path, path;       // as written, and for matching (see NormalizePath)
  std::string query;                // still encoded, without "?"
  std::vector<HttpHeader> headers;  // given and implied by options (content-type of --json and of -d); in order
  std::vector<HttpCredential> credentials;
  std::string content_type;  // of headers, lower case, without parameters
  std::vector<HttpBodyPart> parts;
  bool multipart = false;  // -F: parts are fields, `body` is empty
  std::string body;        // the parts' bytes as sent, as far as they are known
  bool has_body = false;
  bool body_seen = true;                   // false: some bytes of the body are not in `body` or `parts`
  std::string host_header;                 // lower case, without port; set only where it differs from `host`
  std::vector<std::string> connect_hosts;  // where --resolve, --connect-to lead this host; normalised
  std::string proxy;                       // host of -x and its kin, normalised
  std::string unix_socket;                 // path; abstract ones start with "@"
  bool follows_redirects = false;          // a redirect may lead it, and its body, to another host
  std::vector<std::string> quotes;         // commands of other protocols (curl -Q for ftp and sftp)
  std::vector<std::string> blind_spots;    // "body unseen: standard input", ...; no secrets

  // The override where there is one, else the method, in upper case.
  std::string EffectiveMethod() const;
  // First header of this (lower-case) name, nullptr for none.
  const std::string* Header(absl::string_view name) const;
  // Every name or address this request may reach: host, host_header, connect_hosts. No duplicates.
  std::vector<std::string> Hosts() const;
};

// A file's bytes as the caller could read them. Key: the path as NeededFile gives it; "-" is standard input.
struct AttachedFile {
  std::string bytes;
  bool cut = false;     // there was more
  std::string problem;  // "no permission": why there are no bytes; becomes a blind spot
};
using AttachedFiles = std::map<std::string, AttachedFile, std::less<>>;

struct NeededFile {
  enum class Use { kBody, kHeaders, kConfig, kUrlList, kNetrc, kVariable };
  std::string path;  // as written, relative to the working directory; "~/" is the session's home; "-" standard input
  Use use = Use::kBody;
  bool implied = false;  // not named by the command (~/.curlrc): that it does not exist is usual and no blind spot
};

struct HttpCommand {
  std::vector<HttpRequest> requests;     // empty for --help, --version and a command without URL
  std::vector<NeededFile> needed_files;  // those that were not attached
  std::vector<std::string> outputs;      // local files that it writes, as written: -o, -D, -c, -O of wget, ...
  std::vector<std::string> blind_spots;  // of the whole command: a configuration file unseen, too many URLs, ...
};

// Divides a curl command line (argv[0] is the program; tables of curl 7.88 and newer). To complete bodies, headers and
// configuration, read `needed_files` and call again with them attached; a configuration may name further files, so up
// to three rounds. A file that stays unattached is a blind spot. Several URLs, --next and globs give several requests
// (at most 64). Pure, bounded: a body or configuration beyond 1 MiB is cut, and that is said.
HttpCommand ParseCurl(absl::Span<const std::string> argv, const AttachedFiles& files = {});

// The same for GNU wget (1.21 and the options of wget2 that it shares).
HttpCommand ParseWget(absl::Span<const std::string> argv, const AttachedFiles& files = {});

}  // namespace holdpoint
