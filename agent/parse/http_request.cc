#include "agent/parse/http_request.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/base/escape.h"
#include "agent/parse/http_internal.h"
#include "agent/parse/json_body.h"
#include "agent/parse/uri.h"

namespace holdpoint {

std::string HttpRequest::EffectiveMethod() const {
  return absl::AsciiStrToUpper(absl::StripAsciiWhitespace(method_override.empty() ? method : method_override));
}

const std::string* HttpRequest::Header(absl::string_view name) const {
  for (const HttpHeader& header : headers) {
    if (header.name == name) return &header.value;
  }
  return nullptr;
}

std::vector<std::string> HttpRequest::Hosts() const {
  std::vector<std::string> hosts = {host};
  for (const std::string& other : connect_hosts) hosts.push_back(other);
  if (!host_header.empty()) hosts.push_back(host_header);
  std::vector<std::string> unique;
  for (std::string& name : hosts) {
    if (!name.empty() && std::find(unique.begin(), unique.end(), name) == unique.end())
      unique.push_back(std::move(name));
  }
  return unique;
}

namespace http_internal {
namespace {

constexpr size_t kMaxBlindSpots = 16;

// project-access-token, x_api_key, apikey, ...: what lets in, by the name it goes under.
bool IsCredentialName(absl::string_view name) {
  if (absl::EndsWith(name, "token") || absl::EndsWith(name, "secret") || absl::EndsWith(name, "password")) return true;
  for (absl::string_view word : absl::StrSplit(name, absl::ByAnyChar("-_."))) {
    for (absl::string_view known : {"token", "key", "apikey", "auth", "authorization", "authentication", "secret",
                                    "password", "passwd", "credential", "jwt"}) {
      if (word == known) return true;
    }
  }
  return false;
}

void AddAuthorization(absl::string_view value, std::vector<HttpCredential>* out) {
  value = absl::StripAsciiWhitespace(value);
  const size_t space = std::min(value.find(' '), value.size());
  const absl::string_view scheme = value.substr(0, space);
  const std::string rest(absl::StripAsciiWhitespace(value.substr(space)));
  std::string decoded;
  if (rest.empty()) {
    out->push_back({HttpCredential::Kind::kAuthorization, "authorization", std::string(value)});
  } else if (absl::EqualsIgnoreCase(scheme, "bearer")) {
    out->push_back({HttpCredential::Kind::kBearer, "authorization", rest});
  } else if (absl::EqualsIgnoreCase(scheme, "basic") && absl::Base64Unescape(rest, &decoded)) {
    out->push_back({HttpCredential::Kind::kBasic, "authorization", decoded});
  } else {
    out->push_back({HttpCredential::Kind::kAuthorization, "authorization", rest});
  }
}

void FindCredentials(HttpRequest* request) {
  for (const HttpHeader& header : request->headers) {
    if (header.value.empty()) continue;
    if (header.name == "authorization") {
      AddAuthorization(header.value, &request->credentials);
    } else if (header.name == "cookie") {
      request->credentials.push_back({HttpCredential::Kind::kCookie, "cookie", header.value});
    } else if (IsCredentialName(header.name)) {
      request->credentials.push_back({HttpCredential::Kind::kHeader, header.name, header.value});
    }
  }
  for (const auto& [name, value] : DecodeForm(request->query)) {
    const std::string lower = absl::AsciiStrToLower(name);
    if (!value.empty() && IsCredentialName(lower)) {
      request->credentials.push_back({HttpCredential::Kind::kUrlParameter, lower, value});
    }
  }
}

// Frameworks let a POST say another method: by header, by a field of the form (Rails, Laravel), in the query.
std::string FindOverride(const HttpRequest& request) {
  for (absl::string_view name : {"x-http-method-override", "x-http-method", "x-method-override"}) {
    if (const std::string* value = request.Header(name); value && !value->empty()) return *value;
  }
  const auto is_override = [](absl::string_view name) {
    return absl::EqualsIgnoreCase(name, "_method") || absl::EqualsIgnoreCase(name, "x-http-method-override");
  };
  for (const auto& [name, value] : DecodeForm(request.query)) {
    if (is_override(name)) return value;
  }
  for (const HttpBodyPart& part : request.parts) {
    if (request.multipart && is_override(part.field)) return part.bytes;
  }
  if (request.multipart) return "";
  const auto holds = [&](absl::string_view text) { return absl::StrContains(request.body, text); };
  if (holds("ethod") || holds("%")) {
    for (const auto& [name, value] : DecodeForm(request.body)) {
      if (is_override(name)) return value;
    }
  }
  if (!absl::StartsWith(absl::StripLeadingAsciiWhitespace(request.body), "{") || !(holds("ethod") || holds("\\u"))) {
    return "";
  }
  if (const auto json = ParseJson(request.body); json.ok()) {
    for (const JsonValue* value : json->root.FindAnyCase("_method")) return value->text;
  }
  return "";
}

}  // namespace

void AddBlindSpot(std::string text, std::vector<std::string>* blind_spots) {
  if (blind_spots->size() < kMaxBlindSpots &&
      std::find(blind_spots->begin(), blind_spots->end(), text) == blind_spots->end()) {
    blind_spots->push_back(std::move(text));
  }
}

const AttachedFile* FileReader::Read(absl::string_view path, NeededFile::Use use, bool implied, absl::string_view what,
                                     std::vector<std::string>* blind_spots) {
  const std::string shown = path == "-" ? "standard input" : EscapeAndClip(path, 128);
  const auto it = files_.find(path);
  if (it == files_.end()) {
    const bool known = std::any_of(command_->needed_files.begin(), command_->needed_files.end(),
                                   [&](const NeededFile& f) { return f.path == path && f.use == use; });
    if (!known && command_->needed_files.size() < kMaxRequests) {
      command_->needed_files.push_back({std::string(path), use, implied});
    }
    if (!implied) AddBlindSpot(absl::StrCat(what, " unseen: ", shown), blind_spots);
    return nullptr;
  }
  if (!it->second.problem.empty()) {
    if (!implied) {
      AddBlindSpot(absl::StrCat(what, " unseen: ", shown, ": ", EscapeAndClip(it->second.problem, 128)), blind_spots);
    }
    return nullptr;
  }
  if (it->second.cut) AddBlindSpot(absl::StrCat(what, " cut: ", shown), blind_spots);
  return &it->second;
}

void BodyBuilder::AddBytes(absl::string_view bytes) {
  if (bytes_ + bytes.size() > kMaxBytes) {
    AddUnseen("");
    return;
  }
  bytes_ += bytes.size();
  if (parts_.empty() || parts_.back().source != HttpBodyPart::Source::kInline || !parts_.back().seen) {
    parts_.emplace_back().seen = true;
  }
  absl::StrAppend(&parts_.back().bytes, bytes);
}

void BodyBuilder::AddUnseen(absl::string_view path) {
  if (parts_.size() >= kMaxHeaders) return;
  HttpBodyPart part;
  part.source = path == "-"    ? HttpBodyPart::Source::kStdin
                : path.empty() ? HttpBodyPart::Source::kInline
                               : HttpBodyPart::Source::kFile;
  part.path = std::string(path == "-" ? "" : path);
  parts_.push_back(std::move(part));
}

void BodyBuilder::AddFile(absl::string_view path, std::string bytes, bool whole) {
  if (bytes_ + bytes.size() > kMaxBytes) {
    bytes.resize(kMaxBytes - bytes_);
    whole = false;
  }
  bytes_ += bytes.size();
  if (parts_.size() >= kMaxHeaders) return AddBytes(bytes);
  AddUnseen(path);
  parts_.back().bytes = std::move(bytes);
  parts_.back().seen = whole;
}

std::string BodyBuilder::Bytes(bool* seen) const {
  std::string bytes;
  for (const HttpBodyPart& part : parts_) {
    if (!part.seen) *seen = false;
    absl::StrAppend(&bytes, part.bytes);
  }
  return bytes;
}

bool SplitHeader(absl::string_view line, HttpHeader* header) {
  const size_t colon = line.find_first_of(":;");
  if (colon == line.npos) return false;
  header->name = absl::AsciiStrToLower(absl::StripAsciiWhitespace(line.substr(0, colon)));
  header->value = std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
  return !header->name.empty();
}

void AddRequest(HttpRequest request, HttpCommand* command) {
  const auto bytes = [](const HttpRequest& r) {
    size_t sum = r.body.size();
    for (const HttpBodyPart& part : r.parts) sum += part.bytes.size();
    return sum;
  };
  size_t before = 0;
  for (const HttpRequest& other : command->requests) before += bytes(other);
  if (!command->requests.empty() && before + bytes(request) > kMaxBytes) {
    request.body.clear();
    for (HttpBodyPart& part : request.parts) {
      part.bytes.clear();
      part.seen = false;
    }
    request.body_seen = false;
    AddBlindSpot("body unseen: too much for so many URLs", &request.blind_spots);
  }
  command->requests.push_back(std::move(request));
}

void SetUrl(const Url& url, HttpRequest* request) {
  request->scheme = url.scheme;
  request->host = url.host;
  request->port = url.port;
  request->raw_path = url.raw_path;
  request->path = url.path;
  request->query = url.query;
  if (url.userinfo) {
    request->credentials.push_back({HttpCredential::Kind::kBasic, "", PercentDecode(*url.userinfo, false)});
  }
  if (std::any_of(url.host.begin(), url.host.end(), [](unsigned char c) { return c >= 0x80; })) {
    AddBlindSpot("the host name is not ASCII: it is sent in another spelling", &request->blind_spots);
  }
}

std::string FindInNetrc(absl::string_view netrc, absl::string_view host) {
  const std::vector<absl::string_view> words = absl::StrSplit(netrc, absl::ByAnyChar(" \t\r\n"), absl::SkipEmpty());
  bool ours = false;
  std::string login, password;
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "machine" || words[i] == "default") {
      if (ours && !password.empty()) break;
      ours = words[i] == "default" || (i + 1 < words.size() && absl::EqualsIgnoreCase(words[i + 1], host));
      if (words[i] == "machine") ++i;
    } else if (ours && i + 1 < words.size() && words[i] == "login") {
      login = std::string(words[++i]);
    } else if (ours && i + 1 < words.size() && words[i] == "password") {
      password = std::string(words[++i]);
    }
  }
  return login.empty() && password.empty() ? "" : absl::StrCat(login, ":", password);
}

void FinishRequest(HttpRequest* request) {
  if (const std::string* type = request->Header("content-type")) {
    const size_t end = type->find(';');
    request->content_type = absl::AsciiStrToLower(absl::StripAsciiWhitespace(absl::string_view(*type).substr(0, end)));
    const std::string lower = absl::AsciiStrToLower(*type);
    const size_t charset = lower.find("charset=");
    if (request->has_body && charset != lower.npos) {
      const absl::string_view name = absl::string_view(lower).substr(charset + 8);
      if (!absl::StrContains(name, "utf-8") && !absl::StrContains(name, "utf8") && !absl::StrContains(name, "ascii")) {
        AddBlindSpot(absl::StrCat("body is sent as ", EscapeAndClip(name, 32), ", which is not decoded"),
                     &request->blind_spots);
        request->body_seen = false;
      }
    }
  }
  const std::string* encoding = request->Header("content-encoding");
  if (request->has_body && encoding && !absl::EqualsIgnoreCase(*encoding, "identity")) {
    AddBlindSpot(absl::StrCat("body is compressed: ", EscapeAndClip(*encoding, 32)), &request->blind_spots);
    request->body_seen = false;
  }
  if (const std::string* host = request->Header("host")) {
    absl::string_view name = absl::StripAsciiWhitespace(*host);
    if (!absl::StartsWith(name, "[")) name = name.substr(0, name.find(':'));
    request->host_header = NormalizeHost(name);
    if (request->host_header == request->host) request->host_header.clear();
  }
  for (const HttpHeader& header : request->headers) {
    if (header.value.find_first_of("\r\n") != header.value.npos ||
        header.name.find_first_of("\r\n") != header.name.npos) {
      AddBlindSpot("a header holds line breaks: there may be more headers or a second request in it",
                   &request->blind_spots);
    }
  }
  if (request->method.find_first_of(" \t\r\n") != request->method.npos) {
    AddBlindSpot("the method holds white space: the request line is not what it seems", &request->blind_spots);
  }
  request->method_override = absl::AsciiStrToUpper(absl::StripAsciiWhitespace(FindOverride(*request))).substr(0, 32);
  FindCredentials(request);
}

}  // namespace http_internal
}  // namespace holdpoint
