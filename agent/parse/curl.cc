#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/base/escape.h"
#include "agent/parse/curl_glob.h"
#include "agent/parse/curl_options.h"
#include "agent/parse/curl_variables.h"
#include "agent/parse/http_internal.h"
#include "agent/parse/http_request.h"
#include "agent/parse/uri.h"

namespace holdpoint {
namespace {

using http_internal::AddBlindSpot;
using http_internal::BodyBuilder;
using http_internal::FileReader;
using http_internal::kMaxBytes;
using http_internal::kMaxHeaders;
using http_internal::kMaxRequests;

constexpr int kMaxConfigDepth = 4;

// What one group of options (between --next) asks for: curl applies all of them to all URLs of the group.
struct Operation {
  std::vector<std::string> urls;
  std::vector<std::string> uploads;  // the n-th belongs to the n-th URL
  BodyBuilder data;
  bool has_data = false, json = false;
  std::vector<HttpBodyPart> form;
  std::vector<HttpHeader> headers;
  std::vector<std::string> removed_headers;
  std::vector<std::string> url_query;
  std::string method, user, bearer, cookie, request_target, proxy, unix_socket, proto_default = "http";
  std::string certificate;
  bool get = false, head = false, globoff = false, redirects = false;
  std::vector<std::string> connect_to, resolve, quotes;
  std::string netrc;
  bool netrc_optional = false;
  std::vector<std::string> blind_spots;
};

// Name and rest of "host:port:what": an address in brackets keeps its colons.
absl::string_view TakeHostWord(absl::string_view* rest) {
  size_t end = rest->find(':');
  if (absl::StartsWith(*rest, "[")) end = rest->find(':', std::min(rest->find(']'), rest->size()));
  const absl::string_view word = rest->substr(0, end);
  rest->remove_prefix(end == rest->npos ? rest->size() : end + 1);
  return word;
}

std::string HostWord(absl::string_view word) {
  if (absl::ConsumePrefix(&word, "[")) return absl::AsciiStrToLower(absl::StripSuffix(word, "]"));
  return NormalizeHost(word);
}

class CurlParser {
 public:
  explicit CurlParser(const AttachedFiles& files) : files_(files, &command_) {}

  HttpCommand Run(absl::Span<const std::string> argv) {
    const ParsedArgv parsed = ParseArgv(CurlOptions(), argv);
    // -q counts only as the first word; without it ~/.curlrc comes before all that argv says.
    const bool no_default = argv.size() > 1 && (argv[1] == "--disable" || absl::StartsWith(argv[1], "-q"));
    if (!no_default) ReadConfig("~/.curlrc", /*implied=*/true, 0);

    size_t option = 0, operand = 0;
    while (option < parsed.options.size() || operand < parsed.operands.size()) {
      if (operand == parsed.operands.size() ||
          (option < parsed.options.size() && parsed.options[option].index < parsed.operands[operand].index)) {
        Apply(parsed.options[option].name, parsed.options[option].value, 0);
        ++option;
      } else {
        AddUrl(parsed.operands[operand++].value);
      }
    }
    if (ends_before_requests_) {
      command_.needed_files.clear();
      return std::move(command_);
    }
    Emit();
    return std::move(command_);
  }

 private:
  Operation& op() { return operation_; }

  void AddUrl(std::string url) {
    if (op().urls.size() < kMaxRequests) {
      op().urls.push_back(std::move(url));
    } else {
      AddBlindSpot(absl::StrCat("more than ", kMaxRequests, " URLs: the others are unseen"), &command_.blind_spots);
    }
  }

  void Apply(absl::string_view name, const std::optional<std::string>& given, int depth) {
    std::string value = given.value_or("");
    if (absl::ConsumePrefix(&name, "expand-")) {
      bool complete = true;
      value = variables_.Expand(value, &complete);
      if (!complete) AddBlindSpot(absl::StrCat("variables of --expand-", name, " unseen"), &op().blind_spots);
    }
    if (ApplyBody(name, value) || ApplyWhere(name, value) || ApplyIdentity(name, value)) return;
    if (name == "request") {
      op().method = value;
    } else if (name == "get" || name == "no-get") {
      op().get = name == "get";
    } else if (name == "head" || name == "no-head") {
      op().head = name == "head";
    } else if (name == "header") {
      AddHeader(value);
    } else if (name == "user-agent" || name == "referer") {
      PushHeader({std::string(name), value});
    } else if (name == "config") {
      ReadConfig(value, /*implied=*/false, depth);
    } else if (name == "variable") {
      SetVariable(value);
    } else if (name == "next") {
      Emit();
      operation_ = Operation();
    } else if (name == "help" || name == "version" || name == "manual") {
      ends_before_requests_ = true;
    } else if (name == "quote") {
      op().quotes.push_back(value);
    } else {
      for (absl::string_view output : {"output", "dump-header", "cookie-jar", "trace", "trace-ascii", "libcurl",
                                       "stderr", "etag-save", "hsts", "alt-svc"}) {
        if (name == output && !value.empty() && value != "-") command_.outputs.push_back(value);
      }
    }
  }

  // True where the option says something about the body.
  bool ApplyBody(absl::string_view name, const std::string& value) {
    if (name == "data" || name == "data-ascii") {
      AddData(value, /*at_is_file=*/true, /*strip=*/true, "&");
    } else if (name == "data-binary") {
      AddData(value, true, false, "&");
    } else if (name == "data-raw") {
      AddData(value, false, false, "&");
    } else if (name == "json") {
      op().json = true;
      AddData(value, true, false, "");
    } else if (name == "data-urlencode") {
      AddUrlencoded(value);
    } else if (name == "form" || name == "form-string") {
      AddForm(value, name == "form-string");
    } else if (name == "upload-file") {
      op().uploads.push_back(value);
    } else {
      return false;
    }
    return true;
  }

  // True where the option says where the request goes.
  bool ApplyWhere(absl::string_view name, const std::string& value) {
    if (name == "url") {
      AddUrl(value);
    } else if (name == "url-query") {
      op().url_query.push_back(value);
    } else if (name == "request-target") {
      op().request_target = value;
    } else if (name == "globoff" || name == "no-globoff") {
      op().globoff = name == "globoff";
    } else if (name == "location" || name == "location-trusted" || name == "follow" || name == "no-location") {
      op().redirects = name != "no-location";
    } else if (name == "proto-default") {
      op().proto_default = absl::AsciiStrToLower(value);
    } else if (name == "connect-to") {
      op().connect_to.push_back(value);
    } else if (name == "resolve") {
      op().resolve.push_back(value);
    } else if (name == "proxy" || name == "preproxy" || name == "proxy1.0" || absl::StartsWith(name, "socks")) {
      const auto url = ParseUrl(value);
      if (url.ok()) op().proxy = url->host;
    } else if (name == "unix-socket" || name == "abstract-unix-socket") {
      op().unix_socket = absl::StrCat(name == "unix-socket" ? "" : "@", value);
    } else {
      return false;
    }
    return true;
  }

  // True where the option says who is asking.
  bool ApplyIdentity(absl::string_view name, const std::string& value) {
    if (name == "user") {
      op().user = value;
    } else if (name == "oauth2-bearer") {
      op().bearer = value;
    } else if (name == "cert") {
      op().certificate = value;
    } else if (name == "netrc" || name == "netrc-optional") {
      op().netrc_optional = name != "netrc";
      if (op().netrc.empty()) op().netrc = "~/.netrc";
    } else if (name == "netrc-file") {
      op().netrc = value;
    } else if (name == "no-netrc") {
      op().netrc.clear();
    } else if (name == "cookie") {
      if (value.find('=') == value.npos) {
        AddBlindSpot(absl::StrCat("cookies unseen: ", EscapeAndClip(value, 128)), &op().blind_spots);
      } else if (op().cookie.size() < kMaxBytes) {
        absl::StrAppend(&op().cookie, op().cookie.empty() ? "" : "; ", value);
      }
    } else {
      return false;
    }
    return true;
  }

  void AddData(absl::string_view value, bool at_is_file, bool strip, absl::string_view separator) {
    if (op().has_data) op().data.AddBytes(separator);
    op().has_data = true;
    if (!at_is_file || !absl::ConsumePrefix(&value, "@")) {
      op().data.AddBytes(value);
      return;
    }
    const AttachedFile* file = files_.Read(value, NeededFile::Use::kBody, false, "body", &op().blind_spots);
    if (!file) {
      op().data.AddUnseen(value);
      return;
    }
    std::string bytes = file->bytes;
    // --data drops line ends and NULs of a file.
    if (strip) {
      bytes.erase(
          std::remove_if(bytes.begin(), bytes.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; }),
          bytes.end());
    }
    op().data.AddFile(value, std::move(bytes), !file->cut);
  }

  // content, =content, name=content, @file, name@file.
  void AddUrlencoded(absl::string_view value) {
    if (op().has_data) op().data.AddBytes("&");
    op().has_data = true;
    size_t mark = value.find('=');
    if (mark == value.npos) mark = value.find('@');
    if (mark == value.npos) {
      op().data.AddBytes(PercentEncode(value, true));
      return;
    }
    if (mark > 0) op().data.AddBytes(absl::StrCat(value.substr(0, mark), "="));
    const absl::string_view rest = value.substr(mark + 1);
    if (value[mark] == '=') {
      op().data.AddBytes(PercentEncode(rest, true));
    } else if (const AttachedFile* file = files_.Read(rest, NeededFile::Use::kBody, false, "body", &op().blind_spots)) {
      op().data.AddFile(rest, PercentEncode(file->bytes, true), !file->cut);
    } else {
      op().data.AddUnseen(rest);
    }
  }

  // name=content, name=@file[,file];filename=x;type=y, name=<file.
  void AddForm(absl::string_view value, bool literal) {
    if (op().form.size() >= kMaxHeaders) return;
    HttpBodyPart part;
    const size_t equals = std::min(value.find('='), value.size());
    part.field = std::string(value.substr(0, equals));
    absl::string_view content = value.substr(std::min(equals + 1, value.size()));
    const bool file = !literal && (absl::StartsWith(content, "@") || absl::StartsWith(content, "<"));
    if (literal) {
      part.bytes = std::string(content);
      part.seen = true;
      op().form.push_back(std::move(part));
      return;
    }
    const bool upload = absl::StartsWith(content, "@");
    if (file) content.remove_prefix(1);
    for (absl::string_view word : SplitFormContent(content, &part.filename)) {
      HttpBodyPart one = part;
      if (file) {
        FillFormFile(word, upload, &one);
      } else {
        one.bytes = std::string(word);
        one.seen = true;
      }
      op().form.push_back(std::move(one));
      if (!upload) break;
    }
  }

  // The content (files divided by commas, perhaps quoted) without ;type=, ;filename= and their kin.
  std::vector<absl::string_view> SplitFormContent(absl::string_view content, std::string* filename) {
    std::vector<absl::string_view> words;
    if (absl::ConsumePrefix(&content, "\"")) {
      words.push_back(content.substr(0, content.find('"')));
      content.remove_prefix(std::min(words[0].size() + 1, content.size()));
    } else {
      const absl::string_view head = content.substr(0, content.find(';'));
      words = absl::StrSplit(head, absl::MaxSplits(',', 16));
      words.insert(words.begin(), head);  // A text may hold commas; a file's name too.
      if (words.size() == 2) words.pop_back();
      content.remove_prefix(head.size());
    }
    if (const size_t at = content.find("filename="); at != content.npos) {
      absl::string_view name = content.substr(at + 9);
      name = absl::ConsumePrefix(&name, "\"") ? name.substr(0, name.find('"')) : name.substr(0, name.find(';'));
      *filename = std::string(name);
    }
    return words;
  }

  void FillFormFile(absl::string_view path, bool upload, HttpBodyPart* part) {
    part->source = path == "-" ? HttpBodyPart::Source::kStdin : HttpBodyPart::Source::kFile;
    if (path != "-") part->path = std::string(path);
    if (upload && part->filename.empty()) part->filename = std::string(path.substr(path.rfind('/') + 1));
    if (const AttachedFile* file = files_.Read(path, NeededFile::Use::kBody, false, "body", &op().blind_spots)) {
      part->bytes = file->bytes.substr(0, kMaxBytes);
      part->seen = !file->cut && file->bytes.size() <= kMaxBytes;
    }
  }

  void PushHeader(HttpHeader header) {
    if (op().headers.size() < kMaxHeaders) {
      op().headers.push_back(std::move(header));
    } else {
      AddBlindSpot("too many headers: some are unseen", &op().blind_spots);
    }
  }

  void AddHeader(absl::string_view value) {
    if (absl::ConsumePrefix(&value, "@")) {
      const AttachedFile* file = files_.Read(value, NeededFile::Use::kHeaders, false, "headers", &op().blind_spots);
      if (!file) return;
      for (absl::string_view line : absl::StrSplit(file->bytes, absl::ByAnyChar("\r\n"), absl::SkipEmpty())) {
        AddHeaderLine(line);
      }
      return;
    }
    AddHeaderLine(value);
  }

  void AddHeaderLine(absl::string_view line) {
    HttpHeader header;
    if (!http_internal::SplitHeader(line, &header)) return;
    // "Name:" takes curl's own header away, "Name;" sends an empty one.
    if (header.value.empty() && line.find(';') == line.npos) {
      op().removed_headers.push_back(header.name);
    } else {
      PushHeader(std::move(header));
    }
  }

  void SetVariable(absl::string_view value) {
    absl::ConsumePrefix(&value, "%");  // From the environment, which is not seen; "=" gives a default.
    const size_t mark = value.find_first_of("=@");
    if (mark == value.npos) return;
    const absl::string_view name = value.substr(0, mark), content = value.substr(mark + 1);
    if (value[mark] == '=') {
      variables_.Set(name, std::string(content));
    } else if (const AttachedFile* file =
                   files_.Read(content, NeededFile::Use::kVariable, false, "variable", &op().blind_spots)) {
      variables_.Set(name, file->bytes);
    }
  }

  void ReadConfig(absl::string_view path, bool implied, int depth) {
    if (depth >= kMaxConfigDepth) {
      AddBlindSpot("configuration files name each other: some are unseen", &command_.blind_spots);
      return;
    }
    const AttachedFile* file =
        files_.Read(path, NeededFile::Use::kConfig, implied, "configuration", &command_.blind_spots);
    if (!file) return;
    config_bytes_ += file->bytes.size();
    if (config_bytes_ > kMaxBytes) {
      AddBlindSpot("configuration files too large: some are unseen", &command_.blind_spots);
      return;
    }
    for (const CurlConfigLine& line : ParseCurlConfig(file->bytes)) {
      // As if the line stood on the command line.
      std::vector<std::string> words = {"curl", line.option};
      if (!absl::StartsWith(line.option, "-")) words[1] = absl::StrCat("--", line.option);
      if (line.value) words.push_back(*line.value);
      const ParsedArgv parsed = ParseArgv(CurlOptions(), words);
      for (const ParsedOption& option : parsed.options) Apply(option.name, option.value, depth + 1);
    }
  }

  void Emit() {
    for (size_t i = 0; i < std::max(op().urls.size(), size_t{0}); ++i) {
      CurlGlob glob;
      if (op().globoff) {
        glob.urls = {op().urls[i]};
      } else {
        glob = ExpandCurlGlob(op().urls[i], kMaxRequests);
      }
      if (glob.cut) AddBlindSpot("a pattern makes more URLs: the others are unseen", &command_.blind_spots);
      if (glob.invalid) AddBlindSpot("a pattern in the URL is not understood", &command_.blind_spots);
      for (const std::string& url : glob.urls) {
        if (command_.requests.size() >= kMaxRequests) {
          AddBlindSpot(absl::StrCat("more than ", kMaxRequests, " URLs: the others are unseen"), &command_.blind_spots);
          return;
        }
        EmitOne(url, i < op().uploads.size() ? &op().uploads[i] : nullptr);
      }
    }
  }

  void EmitOne(absl::string_view text, const std::string* upload) {
    const auto url = ParseUrl(text, op().proto_default);
    if (!url.ok()) {
      AddBlindSpot(absl::StrCat("not understood: ", url.status().message()), &command_.blind_spots);
      return;
    }
    HttpRequest request;
    request.blind_spots = op().blind_spots;
    http_internal::SetUrl(*url, &request);
    SetBody(upload, &request);
    SetQuery(&request);
    request.method = !op().method.empty() ? op().method
                     : op().head          ? "HEAD"
                     : op().get           ? "GET"
                     : upload             ? "PUT"
                     : request.has_body   ? "POST"
                                          : "GET";
    SetHeaders(&request);
    SetRoute(&request);
    SetCredentials(&request);
    http_internal::FinishRequest(&request);
    http_internal::AddRequest(std::move(request), &command_);
  }

  void SetBody(const std::string* upload, HttpRequest* request) {
    if (op().has_data && !op().get) {
      request->has_body = true;
      request->parts = op().data.parts();
      request->body = op().data.Bytes(&request->body_seen);
    }
    if (!op().form.empty()) {
      request->has_body = request->multipart = true;
      request->parts.insert(request->parts.end(), op().form.begin(), op().form.end());
      for (const HttpBodyPart& part : op().form) request->body_seen = request->body_seen && part.seen;
    }
    if (upload && !upload->empty()) {
      request->has_body = true;
      const absl::string_view path = *upload == "." ? "-" : absl::string_view(*upload);
      BodyBuilder body;
      if (const AttachedFile* file = files_.Read(path, NeededFile::Use::kBody, false, "body", &request->blind_spots)) {
        body.AddFile(path, file->bytes, !file->cut);
      } else {
        body.AddUnseen(path);
      }
      request->parts = body.parts();
      request->body = body.Bytes(&request->body_seen);
      // A URL that ends in "/" gets the file's name.
      if (absl::EndsWith(request->raw_path, "/") && path != "-") {
        absl::StrAppend(&request->raw_path, PercentEncode(path.substr(path.rfind('/') + 1)));
        request->path = NormalizePath(request->raw_path);
      }
    }
  }

  void SetQuery(HttpRequest* request) {
    const auto append = [&](absl::string_view text) {
      if (text.empty()) return;
      absl::StrAppend(&request->query, request->query.empty() ? "" : "&", text);
    };
    if (op().has_data && op().get) {
      bool seen = true;
      append(op().data.Bytes(&seen));
      if (!seen) AddBlindSpot("query unseen", &request->blind_spots);
    }
    for (absl::string_view query : op().url_query) {
      if (absl::ConsumePrefix(&query, "+")) {
        append(query);
        continue;
      }
      const size_t mark = query.find('=');
      append(mark == query.npos ? PercentEncode(query, true)
                                : absl::StrCat(query.substr(0, mark), mark == 0 ? "" : "=",
                                               PercentEncode(query.substr(mark + 1), true)));
    }
    if (op().request_target.empty()) return;
    absl::string_view target = op().request_target;
    if (const size_t scheme = target.find("://"); scheme != target.npos) {
      target.remove_prefix(std::min(target.find('/', scheme + 3), target.size()));
    }
    const size_t question = std::min(target.find('?'), target.size());
    request->raw_path = std::string(target.substr(0, question));
    request->path = NormalizePath(request->raw_path);
    request->query = std::string(target.substr(std::min(question + 1, target.size())));
  }

  void SetHeaders(HttpRequest* request) {
    request->headers = op().headers;
    const auto imply = [&](absl::string_view name, absl::string_view value) {
      const bool removed =
          std::find(op().removed_headers.begin(), op().removed_headers.end(), name) != op().removed_headers.end();
      if (!removed && !request->Header(name)) request->headers.push_back({std::string(name), std::string(value)});
    };
    if (op().json) {
      imply("content-type", "application/json");
      imply("accept", "application/json");
    } else if (request->multipart) {
      imply("content-type", "multipart/form-data");
    } else if (request->has_body && op().has_data) {
      imply("content-type", "application/x-www-form-urlencoded");
    }
    if (!op().cookie.empty()) request->headers.push_back({"cookie", op().cookie});
  }

  void SetRoute(HttpRequest* request) {
    request->proxy = op().proxy;
    request->unix_socket = op().unix_socket;
    request->follows_redirects = op().redirects;
    request->quotes = op().quotes;
    // HOST:PORT:ADDRESS[,ADDRESS], perhaps behind "+"; "*" is every host. "-HOST:PORT" takes one away.
    for (absl::string_view entry : op().resolve) {
      if (absl::StartsWith(entry, "-")) continue;
      absl::ConsumePrefix(&entry, "+");
      const std::string name = HostWord(TakeHostWord(&entry));
      TakeHostWord(&entry);
      if (name != "*" && name != request->host) continue;
      for (absl::string_view address : absl::StrSplit(entry, absl::MaxSplits(',', 16), absl::SkipEmpty())) {
        request->connect_hosts.push_back(HostWord(address));
      }
    }
    // HOST1:PORT1:HOST2:PORT2; an empty one is every host, or the same.
    for (absl::string_view entry : op().connect_to) {
      const absl::string_view from = TakeHostWord(&entry), port = TakeHostWord(&entry);
      const std::string to = HostWord(TakeHostWord(&entry));
      int number = 0;
      const bool same_port = port.empty() || (absl::SimpleAtoi(port, &number) && number == request->port);
      if ((from.empty() || HostWord(from) == request->host) && same_port && !to.empty()) {
        request->connect_hosts.push_back(to);
      }
    }
  }

  void SetCredentials(HttpRequest* request) {
    using Kind = HttpCredential::Kind;
    if (!op().user.empty()) request->credentials.push_back({Kind::kBasic, "", op().user});
    if (!op().bearer.empty()) request->credentials.push_back({Kind::kBearer, "authorization", op().bearer});
    if (!op().certificate.empty()) {
      const absl::string_view path = op().certificate;
      request->credentials.push_back({Kind::kClientCertificate, "", std::string(path.substr(0, path.rfind(':')))});
    }
    if (op().netrc.empty() || !op().user.empty()) return;
    const AttachedFile* file =
        files_.Read(op().netrc, NeededFile::Use::kNetrc, op().netrc_optional, "credential", &request->blind_spots);
    const std::string found = file ? http_internal::FindInNetrc(file->bytes, request->host) : "";
    if (!found.empty()) request->credentials.push_back({Kind::kBasic, "", found});
  }

  HttpCommand command_;
  FileReader files_;
  Operation operation_;
  CurlVariables variables_;
  size_t config_bytes_ = 0;
  bool ends_before_requests_ = false;
};

}  // namespace

HttpCommand ParseCurl(absl::Span<const std::string> argv, const AttachedFiles& files) {
  return CurlParser(files).Run(argv);
}

}  // namespace holdpoint
