#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/base/escape.h"
#include "agent/parse/curl_glob.h"
#include "agent/parse/curl_operation.h"
#include "agent/parse/curl_options.h"
#include "agent/parse/curl_variables.h"
#include "agent/parse/http_internal.h"
#include "agent/parse/http_request.h"
#include "agent/parse/uri.h"

namespace holdpoint {
namespace {

using http_internal::AddBlindSpot;
using http_internal::CurlOperation;
using http_internal::FileReader;
using http_internal::kMaxBytes;
using http_internal::kMaxRequests;

constexpr int kMaxConfigDepth = 4;

class CurlParser {
 public:
  explicit CurlParser(const AttachedFiles& files) : files_(files, &command_) {}

  HttpCommand Run(absl::Span<const std::string> argv) {
    const ParsedArgv parsed = ParseArgv(CurlOptions(), argv);
    NoteUnknown(parsed);
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
    // --help and --version end curl before it sends anything, but what stands behind an unknown option may be its
    // value.
    if (ends_before_requests_ && parsed.unknown.empty()) {
      command_.needed_files.clear();
      return std::move(command_);
    }
    Emit();
    return std::move(command_);
  }

 private:
  void AddUrl(std::string url) {
    if (operation_.urls.size() < kMaxRequests) {
      operation_.urls.push_back(std::move(url));
    } else {
      AddBlindSpot(absl::StrCat("more than ", kMaxRequests, " URLs: the others are unseen"), &command_.blind_spots);
    }
  }

  // --url @file, of curl 8.13 and newer.
  void AddUrlList(absl::string_view path) {
    const AttachedFile* file = files_.Read(path, NeededFile::Use::kUrlList, false, "URLs", &command_.blind_spots);
    if (!file) return;
    for (absl::string_view line : absl::StrSplit(file->bytes, absl::ByAnyChar("\r\n"), absl::SkipWhitespace())) {
      if (line[0] != '#') AddUrl(std::string(absl::StripAsciiWhitespace(line)));
    }
  }

  void NoteUnknown(const ParsedArgv& parsed) {
    for (const std::string& option : parsed.unknown) {
      if (absl::StartsWith(option, "--no-")) continue;  // Every flag can be taken back.
      AddBlindSpot(absl::StrCat("option not known: ", EscapeAndClip(option, 32)), &command_.blind_spots);
    }
  }

  void Apply(absl::string_view name, const std::optional<std::string>& given, int depth) {
    std::string value = given.value_or("");
    if (absl::ConsumePrefix(&name, "expand-")) {
      bool complete = true;
      value = variables_.Expand(value, &complete);
      if (!complete) AddBlindSpot(absl::StrCat("variables of --expand-", name, " unseen"), &operation_.blind_spots);
    }
    if (ApplyBody(name, value) || ApplyWhere(name, value) || ApplyIdentity(name, value)) return;
    if (name == "request") {
      operation_.method = value;
    } else if (name == "get" || name == "no-get") {
      operation_.get = name == "get";
    } else if (name == "head" || name == "no-head") {
      operation_.head = name == "head";
    } else if (name == "header") {
      operation_.AddHeader(value, &files_);
    } else if (name == "user-agent" || name == "referer") {
      operation_.PushHeader({std::string(name), value});
    } else if (name == "config") {
      ReadConfig(value, /*implied=*/false, depth);
    } else if (name == "variable") {
      SetVariable(value);
    } else if (name == "next") {
      Emit();
      operation_ = CurlOperation();
    } else if (name == "help" || name == "version" || name == "manual") {
      ends_before_requests_ |= depth == 0;  // In a configuration file they end nothing.
    } else if (name == "quote") {
      operation_.quotes.push_back(value);
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
      operation_.AddData(value, /*at_is_file=*/true, /*strip=*/true, "&", &files_);
    } else if (name == "data-binary") {
      operation_.AddData(value, true, false, "&", &files_);
    } else if (name == "data-raw") {
      operation_.AddData(value, false, false, "&", &files_);
    } else if (name == "json") {
      operation_.json = true;
      operation_.AddData(value, true, false, "", &files_);
    } else if (name == "data-urlencode") {
      operation_.AddUrlencoded(value, &files_);
    } else if (name == "form" || name == "form-string") {
      operation_.AddForm(value, name == "form-string", &files_);
    } else if (name == "upload-file") {
      operation_.uploads.push_back(value);
    } else {
      return false;
    }
    return true;
  }

  // True where the option says where the request goes.
  bool ApplyWhere(absl::string_view name, const std::string& value) {
    if (name == "url" && absl::StartsWith(value, "@")) {
      AddUrlList(value.substr(1));
    } else if (name == "url") {
      AddUrl(value);
    } else if (name == "url-query") {
      operation_.url_query.push_back(value);
    } else if (name == "request-target") {
      operation_.request_target = value;
    } else if (name == "globoff" || name == "no-globoff") {
      operation_.globoff = name == "globoff";
    } else if (name == "location" || name == "location-trusted" || name == "follow" || name == "no-location") {
      operation_.redirects = name != "no-location";
    } else if (name == "proto-default") {
      operation_.proto_default = absl::AsciiStrToLower(value);
    } else if (name == "connect-to") {
      operation_.connect_to.push_back(value);
    } else if (name == "resolve") {
      operation_.resolve.push_back(value);
    } else if (name == "proxy" || name == "preproxy" || name == "proxy1.0" || absl::StartsWith(name, "socks")) {
      const auto url = ParseUrl(value);
      if (url.ok()) operation_.proxy = url->host;
    } else if (name == "unix-socket" || name == "abstract-unix-socket") {
      operation_.unix_socket = absl::StrCat(name == "unix-socket" ? "" : "@", value);
    } else {
      return false;
    }
    return true;
  }

  // True where the option says who is asking.
  bool ApplyIdentity(absl::string_view name, const std::string& value) {
    if (name == "user") {
      operation_.user = value;
    } else if (name == "oauth2-bearer") {
      operation_.bearer = value;
    } else if (name == "cert") {
      operation_.certificate = value;
    } else if (name == "netrc" || name == "netrc-optional") {
      operation_.netrc_optional = name != "netrc";
      if (operation_.netrc.empty()) operation_.netrc = "~/.netrc";
    } else if (name == "netrc-file") {
      operation_.netrc = value;
    } else if (name == "no-netrc") {
      operation_.netrc.clear();
    } else if (name == "cookie") {
      if (value.find('=') == value.npos) {
        AddBlindSpot(absl::StrCat("cookies unseen: ", EscapeAndClip(value, 128)), &operation_.blind_spots);
      } else if (operation_.cookie.size() < kMaxBytes) {
        absl::StrAppend(&operation_.cookie, operation_.cookie.empty() ? "" : "; ", value);
      }
    } else {
      return false;
    }
    return true;
  }

  void SetVariable(absl::string_view value) {
    absl::ConsumePrefix(&value, "%");  // From the environment, which is not seen; "=" gives a default.
    const size_t mark = value.find_first_of("=@");
    if (mark == value.npos) return;
    const absl::string_view name = value.substr(0, mark), content = value.substr(mark + 1);
    if (value[mark] == '=') {
      variables_.Set(name, std::string(content));
    } else if (const AttachedFile* file =
                   files_.Read(content, NeededFile::Use::kVariable, false, "variable", &operation_.blind_spots)) {
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
    for (size_t i = 0; i < operation_.urls.size(); ++i) {
      CurlGlob glob;
      if (operation_.globoff) {
        glob.urls = {operation_.urls[i]};
      } else {
        glob = ExpandCurlGlob(operation_.urls[i], kMaxRequests);
      }
      if (glob.cut) AddBlindSpot("a pattern makes more URLs: the others are unseen", &command_.blind_spots);
      if (glob.invalid) AddBlindSpot("a pattern in the URL is not understood", &command_.blind_spots);
      for (const std::string& url : glob.urls) {
        if (command_.requests.size() >= kMaxRequests) {
          AddBlindSpot(absl::StrCat("more than ", kMaxRequests, " URLs: the others are unseen"), &command_.blind_spots);
          return;
        }
        auto request =
            operation_.MakeRequest(url, i < operation_.uploads.size() ? &operation_.uploads[i] : nullptr, &files_);
        if (request.ok()) {
          http_internal::AddRequest(*std::move(request), &command_);
        } else {
          AddBlindSpot(absl::StrCat("not understood: ", request.status().message()), &command_.blind_spots);
        }
      }
    }
  }

  HttpCommand command_;
  FileReader files_;
  CurlOperation operation_;
  CurlVariables variables_;
  size_t config_bytes_ = 0;
  bool ends_before_requests_ = false;
};

}  // namespace

HttpCommand ParseCurl(absl::Span<const std::string> argv, const AttachedFiles& files) {
  return CurlParser(files).Run(argv);
}

}  // namespace holdpoint
