#include "agent/parse/curl_options.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace holdpoint {
namespace {

// From `curl --help all` and the manual.
constexpr absl::string_view kWithValue =
    "abstract-unix-socket alt-svc aws-sigv4 cacert capath cert,E cert-type ciphers config,K connect-timeout connect-to "
    "continue-at,C cookie,b cookie-jar,c create-file-mode crlfile curves data,d data-ascii data-binary data-raw "
    "data-urlencode delegation dns-interface dns-ipv4-addr dns-ipv6-addr dns-servers doh-url dump-header,D ech "
    "egd-file "
    "engine etag-compare etag-save expect100-timeout form,F form-string ftp-account ftp-alternative-to-user ftp-method "
    "ftp-port,P ftp-ssl-ccc-mode happy-eyeballs-timeout-ms haproxy-clientip header,H hostpubmd5 hostpubsha256 hsts "
    "interface ip-tos ipfs-gateway json keepalive-cnt keepalive-time key key-type knownhosts krb libcurl limit-rate "
    "local-port login-options mail-auth mail-from mail-rcpt max-filesize max-redirs max-time,m netrc-file noproxy "
    "oauth2-bearer output,o output-dir parallel-max parallel-max-host pass pinnedpubkey preproxy proto proto-default "
    "proto-redir proxy,x proxy-cacert proxy-capath proxy-cert proxy-cert-type proxy-ciphers proxy-crlfile proxy-header "
    "proxy-key proxy-key-type proxy-pass proxy-pinnedpubkey proxy-service-name proxy-tls13-ciphers proxy-tlsauthtype "
    "proxy-tlspassword proxy-tlsuser proxy-user,U proxy1.0 pubkey quote,Q random-file range,r rate referer,e request,X "
    "request-target resolve retry retry-delay retry-max-time sasl-authzid service-name sigalgs socks4 socks4a socks5 "
    "socks5-gssapi-service socks5-hostname speed-limit,Y speed-time,y ssl-sessions stderr telnet-option,t tftp-blksize "
    "time-cond,z tls-max tls13-ciphers tlsauthtype tlspassword tlsuser trace trace-ascii trace-config unix-socket "
    "upload-file,T url url-query user,u user-agent,A variable vlan-priority write-out,w";

constexpr absl::string_view kFlags =
    "anyauth append,a basic ca-native cert-status compressed compressed-ssh create-dirs crlf digest disable,q "
    "disable-eprt disable-epsv disallow-username-in-url doh-cert-status doh-insecure dump-ca-embed eprt epsv fail,f "
    "fail-early fail-with-body false-start follow form-escape ftp-create-dirs ftp-pasv ftp-pret ftp-skip-pasv-ip "
    "ftp-ssl ftp-ssl-ccc ftp-ssl-control ftp-ssl-reqd get,G globoff,g haproxy-protocol head,I help,h http0.9 http1.0,0 "
    "http1.1 http2 http2-prior-knowledge http3 http3-only ignore-content-length include,i insecure,k ipv4,4 ipv6,6 "
    "junk-session-cookies,j list-only,l location,L location-trusted mail-rcpt-allowfails manual,M metalink mptcp "
    "negotiate netrc,n netrc-optional next,: no-alpn no-buffer,N no-clobber no-get no-globoff no-head "
    "no-keepalive no-location no-netrc no-npn no-path-as-is no-progress-meter no-sessionid ntlm ntlm-wb out-null "
    "parallel,Z parallel-immediate path-as-is post301 post302 post303 progress-bar,# proxy-anyauth proxy-basic "
    "proxy-ca-native proxy-digest proxy-http2 proxy-insecure proxy-negotiate proxy-ntlm proxy-ssl-allow-beast "
    "proxy-ssl-auto-client-cert proxy-tlsv1 proxytunnel,p raw remote-header-name,J remote-name,O remote-name-all "
    "remote-time,R remove-on-error retry-all-errors retry-connrefused sasl-ir show-error,S show-headers silent,s "
    "skip-existing socks5-basic socks5-gssapi socks5-gssapi-nec ssl ssl-allow-beast ssl-auto-client-cert ssl-no-revoke "
    "ssl-reqd ssl-revoke-best-effort sslv2,2 sslv3,3 styled-output suppress-connect-headers tcp-fastopen tcp-nodelay "
    "tftp-no-options tls-earlydata tlsv1,1 tlsv1.0 tlsv1.1 tlsv1.2 tlsv1.3 tr-encoding trace-ids trace-time "
    "use-ascii,B "
    "verbose,v version,V xattr";

// Reads a value: quoted, or up to white space.
std::string TakeValue(absl::string_view rest) {
  if (!absl::ConsumePrefix(&rest, "\"")) return std::string(rest.substr(0, rest.find_first_of(" \t")));
  std::string value;
  for (size_t i = 0; i < rest.size() && rest[i] != '"'; ++i) {
    if (rest[i] == '\\' && i + 1 < rest.size()) {
      switch (rest[++i]) {
        case 't':
          value += '\t';
          break;
        case 'n':
          value += '\n';
          break;
        case 'r':
          value += '\r';
          break;
        case 'v':
          value += '\v';
          break;
        default:
          value += rest[i];
      }
    } else {
      value += rest[i];
    }
  }
  return value;
}

}  // namespace

const OptionTable& CurlOptions() {
  static const OptionTable* const table = [] {
    std::vector<OptionSpec> specs;
    const auto add = [&](absl::string_view words, OptionValue value) {
      for (absl::string_view word : absl::StrSplit(words, ' ')) {
        specs.push_back({absl::StrSplit(word, ','), value});
        if (value != OptionValue::kRequired) continue;
        specs.push_back({{absl::StrCat("expand-", specs.back().names.front())}, value});
      }
    };
    add(kWithValue, OptionValue::kRequired);
    add(kFlags, OptionValue::kNone);
    return new OptionTable(std::move(specs), {.ignore_case = true});
  }();
  return *table;
}

std::vector<CurlConfigLine> ParseCurlConfig(absl::string_view text) {
  std::vector<CurlConfigLine> lines;
  absl::ConsumePrefix(&text, "\xef\xbb\xbf");
  for (absl::string_view line : absl::StrSplit(text, absl::ByAnyChar("\r\n"))) {
    line = absl::StripLeadingAsciiWhitespace(line);
    if (line.empty() || line[0] == '#') continue;
    CurlConfigLine out;
    const bool dashed = line[0] == '-';
    // "=" and ":" divide only behind an option without dashes.
    size_t end = std::min(line.find_first_of(dashed ? " \t" : " \t=:"), line.size());
    absl::string_view name = line.substr(0, end);
    absl::string_view rest = line.substr(end);
    rest.remove_prefix(std::min(rest.find_first_not_of(dashed ? " \t" : " \t=:"), rest.size()));
    absl::ConsumePrefix(&name, "--");
    out.option = std::string(name);
    if (!rest.empty()) out.value = TakeValue(rest);
    lines.push_back(std::move(out));
  }
  return lines;
}

}  // namespace holdpoint
