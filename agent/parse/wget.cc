#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/base/escape.h"
#include "agent/parse/argv.h"
#include "agent/parse/http_internal.h"
#include "agent/parse/http_request.h"
#include "agent/parse/uri.h"

namespace holdpoint {
namespace {

using http_internal::AddBlindSpot;
using http_internal::BodyBuilder;
using http_internal::FileReader;
using http_internal::kMaxHeaders;
using http_internal::kMaxRequests;

// From `wget --help` and the manual. Two-letter options (-nd, -np) are shorts that begin with "n" and take the second
// letter as their value.
const OptionTable& WgetOptions() {
  static const OptionTable* const table = new OptionTable(OptionTable::FromText(
      "version,V help,h background,b execute,e= output-file,o= append-output,a= debug,d quiet,q verbose,v n= "
      "no-verbose "
      "report-speed= input-file,i= force-html,F base,B= config= no-config rejected-log= tries,t= retry-connrefused "
      "retry-on-http-error= retry-on-host-error output-document,O= no-clobber no-netrc continue,c start-pos= progress= "
      "show-progress timestamping,N no-if-modified-since no-use-server-timestamps server-response,S spider timeout,T= "
      "dns-timeout= connect-timeout= read-timeout= wait,w= waitretry= random-wait no-proxy quota,Q= bind-address= "
      "limit-rate= no-dns-cache restrict-file-names= ignore-case inet4-only,4 inet6-only,6 prefer-family= user= "
      "password= ask-password use-askpass= no-iri local-encoding= remote-encoding= unlink xattr no-directories "
      "force-directories,x no-host-directories protocol-directories directory-prefix,P= cut-dirs= http-user= "
      "http-password,http-passwd= no-cache cache default-page= adjust-extension,E html-extension "
      "ignore-length header= compression= max-redirect= proxy=? Y= proxy-user= proxy-password= proxy-passwd= referer= "
      "save-headers user-agent,U= no-http-keep-alive no-cookies cookies load-cookies= save-cookies= "
      "keep-session-cookies post-data= post-file= method= body-data= body-file= content-disposition content-on-error "
      "auth-no-challenge secure-protocol= https-only no-check-certificate certificate= certificate-type= private-key= "
      "private-key-type= ca-certificate= ca-directory= crl-file= pinnedpubkey= ciphers= no-hsts hsts-file= ftp-user= "
      "ftp-password= no-remove-listing no-glob no-passive-ftp preserve-permissions retr-symlinks ftps-implicit "
      "ftps-resume-ssl ftps-clear-data-connection ftps-fallback-to-ftp warc-file= warc-header= warc-max-size= warc-cdx "
      "warc-dedup= no-warc-compression no-warc-digests no-warc-keep-log warc-tempdir= recursive,r level,l= "
      "delete-after "
      "convert-links,k convert-file-only backups=? backup-converted,K mirror,m page-requisites,p strict-comments "
      "accept,A= reject,R= accept-regex= reject-regex= regex-type= domains,D= exclude-domains= follow-ftp follow-tags= "
      "ignore-tags= span-hosts,H relative,L include-directories,I= trust-server-names exclude-directories,X= "
      "no-parent"));
  return *table;
}

// A URL as wget takes it: blanks are encoded, "host:path" is ftp, anything else without a scheme is http.
absl::StatusOr<Url> ParseWgetUrl(absl::string_view text) {
  std::string url;
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    absl::StrAppend(&url, byte <= ' ' || byte == 0x7f ? PercentEncode(absl::string_view(&c, 1)) : std::string(1, c));
  }
  if (!absl::StrContains(url, "://")) {
    const size_t colon = url.find_first_of(":/");
    const bool ftp = colon != url.npos && url[colon] == ':' && colon + 1 < url.size() &&
                     !absl::ascii_isdigit(static_cast<unsigned char>(url[colon + 1]));
    if (ftp) url = absl::StrCat("ftp://", url.substr(0, colon), "/", url.substr(colon + 1));
    if (!ftp) url = absl::StrCat("http://", url);
  }
  return ParseUrl(url);
}

class WgetParser {
 public:
  explicit WgetParser(const AttachedFiles& files) : files_(files, &command_) {}

  HttpCommand Run(absl::Span<const std::string> argv) {
    const ParsedArgv parsed = ParseArgv(WgetOptions(), argv);
    for (const std::string& option : parsed.unknown) {
      if (absl::StartsWith(option, "--no-")) continue;
      AddBlindSpot(absl::StrCat("option not known: ", EscapeAndClip(option, 32)), &command_.blind_spots);
    }
    // They end wget before it sends anything, but what stands behind an unknown option may be its value.
    if (parsed.unknown.empty() && (parsed.Has("help") || parsed.Has("version"))) return std::move(command_);
    if (!parsed.Has("no-config") && !parsed.Has("config")) ReadConfig("~/.wgetrc", /*implied=*/true);
    for (const std::string& path : parsed.Values("config")) ReadConfig(path, /*implied=*/false);
    for (const ParsedOption& option : parsed.options) Apply(option.name, option.value.value_or(""));

    for (const ParsedOperand& operand : parsed.operands) Emit(operand.value);
    if (!input_file_.empty()) ReadUrls();
    return std::move(command_);
  }

 private:
  void Apply(absl::string_view name, const std::string& value) {
    if (name == "method") {
      method_ = absl::AsciiStrToUpper(value);
    } else if (name == "post-data" || name == "body-data") {
      post_ = post_ || name == "post-data";
      body_data_ = value;
    } else if (name == "post-file" || name == "body-file") {
      post_ = post_ || name == "post-file";
      body_file_ = value;
    } else if (name == "header") {
      AddHeader(value);
    } else if (name == "referer" || name == "user-agent") {
      headers_.push_back({std::string(name), value});
    } else if (name == "user" || name == "http-user") {
      user_ = value;
    } else if (name == "password" || name == "http-password" || name == "http-passwd") {
      password_ = value;
    } else if (name == "certificate") {
      certificate_ = value;
    } else if (name == "load-cookies") {
      AddBlindSpot(absl::StrCat("cookies unseen: ", EscapeAndClip(value, 128)), &blind_spots_);
    } else if (name == "no-netrc") {
      netrc_ = false;
    } else if (name == "input-file") {
      input_file_ = value;
    } else if (name == "base") {
      base_ = value;
    } else if (name == "spider") {
      spider_ = true;
    } else if (name == "max-redirect") {
      redirects_ = value != "0";
    } else if (name == "execute") {
      Execute(value);
    } else if ((name == "output-document" || name == "output-file" || name == "append-output" ||
                name == "save-cookies" || name == "rejected-log" || name == "warc-file" || name == "hsts-file") &&
               value != "-") {
      command_.outputs.push_back(value);
    }
  }

  // A line of .wgetrc: "post_data = x"; case, "-" and "_" of the name do not matter.
  void Execute(absl::string_view line) {
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line[0] == '#') return;
    const size_t equals = std::min(line.find('='), line.size());
    std::string name = absl::AsciiStrToLower(absl::StripAsciiWhitespace(line.substr(0, equals)));
    name.erase(std::remove_if(name.begin(), name.end(), [](char c) { return c == '-' || c == '_'; }), name.end());
    const std::string value(absl::StripAsciiWhitespace(line.substr(std::min(equals + 1, line.size()))));
    static constexpr std::pair<absl::string_view, absl::string_view> kCommands[] = {
        {"postdata", "post-data"},
        {"postfile", "post-file"},
        {"bodydata", "body-data"},
        {"bodyfile", "body-file"},
        {"method", "method"},
        {"header", "header"},
        {"user", "user"},
        {"httpuser", "http-user"},
        {"password", "password"},
        {"login", "user"},
        {"passwd", "password"},
        {"httppassword", "http-password"},
        {"httppasswd", "http-password"},
        {"input", "input-file"},
        {"base", "base"},
        {"referer", "referer"},
        {"useragent", "user-agent"},
        {"certificate", "certificate"},
        {"maxredirect", "max-redirect"},
        {"outputdocument", "output-document"},
        {"logfile", "output-file"},
        {"loadcookies", "load-cookies"}};
    for (const auto& [command, option] : kCommands) {
      if (name == command) return Apply(option, value);
    }
    if (name == "httpproxy" || name == "httpsproxy") {
      if (const auto url = ParseUrl(value); url.ok()) proxy_ = url->host;
    } else if (name == "spider") {
      spider_ = !absl::EqualsIgnoreCase(value, "off") && !absl::EqualsIgnoreCase(value, "no") && value != "0";
    }
  }

  void AddHeader(absl::string_view line) {
    if (line.empty()) {
      headers_.clear();  // An empty --header forgets those before it.
      return;
    }
    HttpHeader header;
    if (headers_.size() < kMaxHeaders && http_internal::SplitHeader(line, &header))
      headers_.push_back(std::move(header));
  }

  void ReadConfig(absl::string_view path, bool implied) {
    const AttachedFile* file =
        files_.Read(path, NeededFile::Use::kConfig, implied, "configuration", &command_.blind_spots);
    if (!file) return;
    for (absl::string_view line : absl::StrSplit(file->bytes, absl::ByAnyChar("\r\n"))) Execute(line);
  }

  void ReadUrls() {
    if (absl::StrContains(input_file_, "://")) {
      Emit(input_file_);
      AddBlindSpot("URLs unseen: they come from a list that is fetched", &command_.blind_spots);
      return;
    }
    const AttachedFile* file =
        files_.Read(input_file_, NeededFile::Use::kUrlList, false, "URLs", &command_.blind_spots);
    if (!file) return;
    for (absl::string_view line : absl::StrSplit(file->bytes, absl::ByAnyChar("\r\n"))) {
      line = absl::StripAsciiWhitespace(line);
      if (line.empty()) continue;
      const bool relative = !base_.empty() && !absl::StrContains(line, "://");
      const size_t root = base_.find('/', base_.find("://") == base_.npos ? 0 : base_.find("://") + 3);
      Emit(relative && line[0] == '/' ? absl::StrCat(base_.substr(0, root), line)
           : relative                 ? absl::StrCat(base_.substr(0, base_.rfind('/') + 1), line)
                                      : std::string(line));
    }
  }

  void Emit(const std::string& text) {
    if (command_.requests.size() >= kMaxRequests) {
      AddBlindSpot(absl::StrCat("more than ", kMaxRequests, " URLs: the others are unseen"), &command_.blind_spots);
      return;
    }
    const auto url = ParseWgetUrl(text);
    if (!url.ok()) {
      AddBlindSpot(absl::StrCat("not understood: ", url.status().message()), &command_.blind_spots);
      return;
    }
    HttpRequest request;
    request.blind_spots = blind_spots_;
    http_internal::SetUrl(*url, &request);
    request.headers = headers_;
    request.proxy = proxy_;
    request.follows_redirects = redirects_;
    SetBody(&request);
    request.method = !method_.empty() ? method_ : post_ ? "POST" : spider_ ? "HEAD" : "GET";
    SetCredentials(&request);
    http_internal::FinishRequest(&request);
    http_internal::AddRequest(std::move(request), &command_);
  }

  void SetBody(HttpRequest* request) {
    if (!body_data_ && !body_file_) return;
    request->has_body = true;
    BodyBuilder body;
    if (body_data_) body.AddBytes(*body_data_);
    if (body_file_) {
      if (const AttachedFile* file =
              files_.Read(*body_file_, NeededFile::Use::kBody, false, "body", &request->blind_spots)) {
        body.AddFile(*body_file_, file->bytes, !file->cut);
      } else {
        body.AddUnseen(*body_file_);
      }
    }
    request->parts = body.parts();
    request->body = body.Bytes(&request->body_seen);
    if (!request->Header("content-type")) {
      request->headers.push_back({"content-type", "application/x-www-form-urlencoded"});
    }
  }

  void SetCredentials(HttpRequest* request) {
    using Kind = HttpCredential::Kind;
    if (!certificate_.empty()) request->credentials.push_back({Kind::kClientCertificate, "", certificate_});
    if (!user_.empty() || !password_.empty()) {
      request->credentials.push_back({Kind::kBasic, "", absl::StrCat(user_, ":", password_)});
    } else if (netrc_) {
      const AttachedFile* file =
          files_.Read("~/.netrc", NeededFile::Use::kNetrc, /*implied=*/true, "credential", &request->blind_spots);
      const std::string found = file ? http_internal::FindInNetrc(file->bytes, request->host) : "";
      if (!found.empty()) request->credentials.push_back({Kind::kBasic, "", found});
    }
  }

  HttpCommand command_;
  FileReader files_;
  std::string method_, user_, password_, certificate_, input_file_, base_, proxy_;
  std::optional<std::string> body_data_, body_file_;
  std::vector<HttpHeader> headers_;
  std::vector<std::string> blind_spots_;
  bool post_ = false, spider_ = false, redirects_ = true, netrc_ = true;
};

}  // namespace

HttpCommand ParseWget(absl::Span<const std::string> argv, const AttachedFiles& files) {
  return WgetParser(files).Run(argv);
}

}  // namespace holdpoint
