#include "agent/parse/curl_operation.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/base/escape.h"
#include "agent/base/status.h"
#include "agent/parse/uri.h"

namespace holdpoint::http_internal {
namespace {

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

}  // namespace

void CurlOperation::AddData(absl::string_view value, bool at_is_file, bool strip, absl::string_view separator,
                            FileReader* files) {
  if (has_data) data.AddBytes(separator);
  has_data = true;
  if (!at_is_file || !absl::ConsumePrefix(&value, "@")) {
    data.AddBytes(value);
    return;
  }
  const AttachedFile* file = files->Read(value, NeededFile::Use::kBody, false, "body", &blind_spots);
  if (!file) {
    data.AddUnseen(value);
    return;
  }
  std::string bytes = file->bytes;
  // --data drops line ends and NULs of a file.
  if (strip) {
    bytes.erase(std::remove_if(bytes.begin(), bytes.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; }),
                bytes.end());
  }
  data.AddFile(value, std::move(bytes), !file->cut);
}

// content, =content, name=content, @file, name@file.
void CurlOperation::AddUrlencoded(absl::string_view value, FileReader* files) {
  if (has_data) data.AddBytes("&");
  has_data = true;
  size_t mark = value.find('=');
  if (mark == value.npos) mark = value.find('@');
  if (mark == value.npos) {
    data.AddBytes(PercentEncode(value, true));
    return;
  }
  if (mark > 0) data.AddBytes(absl::StrCat(value.substr(0, mark), "="));
  const absl::string_view rest = value.substr(mark + 1);
  if (value[mark] == '=') {
    data.AddBytes(PercentEncode(rest, true));
  } else if (const AttachedFile* file = files->Read(rest, NeededFile::Use::kBody, false, "body", &blind_spots)) {
    data.AddFile(rest, PercentEncode(file->bytes, true), !file->cut);
  } else {
    data.AddUnseen(rest);
  }
}

// name=content, name=@file[,file];filename=x;type=y, name=<file.
void CurlOperation::AddForm(absl::string_view value, bool literal, FileReader* files) {
  if (form.size() >= kMaxHeaders) return;
  HttpBodyPart part;
  const size_t equals = std::min(value.find('='), value.size());
  part.field = std::string(value.substr(0, equals));
  absl::string_view content = value.substr(std::min(equals + 1, value.size()));
  const bool file = !literal && (absl::StartsWith(content, "@") || absl::StartsWith(content, "<"));
  if (literal) {
    part.bytes = std::string(content);
    part.seen = true;
    form.push_back(std::move(part));
    return;
  }
  const bool upload = absl::StartsWith(content, "@");
  if (file) content.remove_prefix(1);
  for (absl::string_view word : SplitFormContent(content, &part.filename)) {
    HttpBodyPart one = part;
    if (file) {
      FillFormFile(word, upload, &one, files);
    } else {
      one.bytes = std::string(word);
      one.seen = true;
    }
    form.push_back(std::move(one));
    if (!upload) break;
  }
}

void CurlOperation::FillFormFile(absl::string_view path, bool upload, HttpBodyPart* part, FileReader* files) {
  part->source = path == "-" ? HttpBodyPart::Source::kStdin : HttpBodyPart::Source::kFile;
  if (path != "-") part->path = std::string(path);
  if (upload && part->filename.empty()) part->filename = std::string(path.substr(path.rfind('/') + 1));
  if (const AttachedFile* file = files->Read(path, NeededFile::Use::kBody, false, "body", &blind_spots)) {
    part->bytes = file->bytes.substr(0, kMaxBytes);
    part->seen = !file->cut && file->bytes.size() <= kMaxBytes;
  }
}

void CurlOperation::PushHeader(HttpHeader header) {
  if (headers.size() < kMaxHeaders) {
    headers.push_back(std::move(header));
  } else {
    AddBlindSpot("too many headers: some are unseen", &blind_spots);
  }
}

void CurlOperation::AddHeader(absl::string_view value, FileReader* files) {
  if (absl::ConsumePrefix(&value, "@")) {
    const AttachedFile* file = files->Read(value, NeededFile::Use::kHeaders, false, "headers", &blind_spots);
    if (!file) return;
    for (absl::string_view line : absl::StrSplit(file->bytes, absl::ByAnyChar("\r\n"), absl::SkipEmpty())) {
      AddHeaderLine(line);
    }
    return;
  }
  AddHeaderLine(value);
}

void CurlOperation::AddHeaderLine(absl::string_view line) {
  HttpHeader header;
  if (!http_internal::SplitHeader(line, &header)) return;
  // "Name:" takes curl's own header away, "Name;" sends an empty one.
  if (header.value.empty() && line.find(';') == line.npos) {
    removed_headers.push_back(header.name);
  } else {
    PushHeader(std::move(header));
  }
}

absl::StatusOr<HttpRequest> CurlOperation::MakeRequest(absl::string_view text, const std::string* upload,
                                                       FileReader* files) const {
  HP_ASSIGN_OR_RETURN(const Url url, ParseUrl(text, proto_default));
  HttpRequest request;
  request.blind_spots = blind_spots;
  http_internal::SetUrl(url, &request);
  SetBody(upload, &request, files);
  SetQuery(&request);
  request.method = !method.empty()    ? method
                   : head             ? "HEAD"
                   : get              ? "GET"
                   : upload           ? "PUT"
                   : request.has_body ? "POST"
                                      : "GET";
  SetHeaders(&request);
  SetRoute(&request);
  SetCredentials(&request, files);
  http_internal::FinishRequest(&request);
  return request;
}

void CurlOperation::SetBody(const std::string* upload, HttpRequest* request, FileReader* files) const {
  if (has_data && !get) {
    request->has_body = true;
    request->parts = data.parts();
    request->body = data.Bytes(&request->body_seen);
  }
  if (!form.empty()) {
    request->has_body = request->multipart = true;
    request->parts.insert(request->parts.end(), form.begin(), form.end());
    for (const HttpBodyPart& part : form) request->body_seen = request->body_seen && part.seen;
  }
  if (upload && !upload->empty()) {
    request->has_body = true;
    const absl::string_view path = *upload == "." ? "-" : absl::string_view(*upload);
    BodyBuilder body;
    if (const AttachedFile* file = files->Read(path, NeededFile::Use::kBody, false, "body", &request->blind_spots)) {
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

void CurlOperation::SetQuery(HttpRequest* request) const {
  const auto append = [&](absl::string_view text) {
    if (text.empty()) return;
    absl::StrAppend(&request->query, request->query.empty() ? "" : "&", text);
  };
  if (has_data && get) {
    bool seen = true;
    append(data.Bytes(&seen));
    if (!seen) AddBlindSpot("query unseen", &request->blind_spots);
  }
  for (absl::string_view query : url_query) {
    if (absl::ConsumePrefix(&query, "+")) {
      append(query);
      continue;
    }
    const size_t mark = query.find('=');
    append(mark == query.npos ? PercentEncode(query, true)
                              : absl::StrCat(query.substr(0, mark), mark == 0 ? "" : "=",
                                             PercentEncode(query.substr(mark + 1), true)));
  }
  if (request_target.empty()) return;
  absl::string_view target = request_target;
  if (const size_t scheme = target.find("://"); scheme != target.npos) {
    target.remove_prefix(std::min(target.find('/', scheme + 3), target.size()));
  }
  const size_t question = std::min(target.find('?'), target.size());
  request->raw_path = std::string(target.substr(0, question));
  request->path = NormalizePath(request->raw_path);
  request->query = std::string(target.substr(std::min(question + 1, target.size())));
}

void CurlOperation::SetHeaders(HttpRequest* request) const {
  request->headers = headers;
  const auto imply = [&](absl::string_view name, absl::string_view value) {
    const bool removed = std::find(removed_headers.begin(), removed_headers.end(), name) != removed_headers.end();
    if (!removed && !request->Header(name)) request->headers.push_back({std::string(name), std::string(value)});
  };
  if (json) {
    imply("content-type", "application/json");
    imply("accept", "application/json");
  } else if (request->multipart) {
    imply("content-type", "multipart/form-data");
  } else if (request->has_body && has_data) {
    imply("content-type", "application/x-www-form-urlencoded");
  }
  if (!cookie.empty()) request->headers.push_back({"cookie", cookie});
}

void CurlOperation::SetRoute(HttpRequest* request) const {
  request->proxy = proxy;
  request->unix_socket = unix_socket;
  request->follows_redirects = redirects;
  request->quotes = quotes;
  // HOST:PORT:ADDRESS[,ADDRESS], perhaps behind "+"; "*" is every host. "-HOST:PORT" takes one away.
  for (absl::string_view entry : resolve) {
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
  for (absl::string_view entry : connect_to) {
    const absl::string_view from = TakeHostWord(&entry), port = TakeHostWord(&entry);
    const std::string to = HostWord(TakeHostWord(&entry));
    int number = 0;
    const bool same_port = port.empty() || (absl::SimpleAtoi(port, &number) && number == request->port);
    if ((from.empty() || HostWord(from) == request->host) && same_port && !to.empty()) {
      request->connect_hosts.push_back(to);
    }
  }
}

void CurlOperation::SetCredentials(HttpRequest* request, FileReader* files) const {
  using Kind = HttpCredential::Kind;
  if (!user.empty()) request->credentials.push_back({Kind::kBasic, "", user});
  if (!bearer.empty()) request->credentials.push_back({Kind::kBearer, "authorization", bearer});
  if (!certificate.empty()) {
    const absl::string_view path = certificate;
    request->credentials.push_back({Kind::kClientCertificate, "", std::string(path.substr(0, path.rfind(':')))});
  }
  if (netrc.empty() || !user.empty()) return;
  const AttachedFile* file =
      files->Read(netrc, NeededFile::Use::kNetrc, netrc_optional, "credential", &request->blind_spots);
  const std::string found = file ? http_internal::FindInNetrc(file->bytes, request->host) : "";
  if (!found.empty()) request->credentials.push_back({Kind::kBasic, "", found});
}

}  // namespace holdpoint::http_internal
