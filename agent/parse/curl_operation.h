#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/parse/http_internal.h"
#include "agent/parse/http_request.h"

namespace holdpoint::http_internal {

// What one group of curl's options (between --next) asks for: all of them hold for all URLs of the group.
struct CurlOperation {
  std::vector<std::string> urls;
  std::vector<std::string> uploads;  // the n-th belongs to the n-th URL
  BodyBuilder data;
  bool has_data = false, json = false;
  std::vector<HttpBodyPart> form;
  std::vector<HttpHeader> headers;
  std::vector<std::string> removed_headers;
  std::vector<std::string> url_query;
  std::string method, user, bearer, certificate, cookie, request_target, proxy, unix_socket;
  std::string proto_default = "http";
  bool get = false, head = false, globoff = false, redirects = false;
  std::vector<std::string> connect_to, resolve, quotes;
  std::string netrc;  // path, empty for none
  bool netrc_optional = false;
  std::vector<std::string> blind_spots;

  // -d and its kin: `value` as written, "@file" where `at_is_file`; `strip` drops line ends and NULs of the file.
  void AddData(absl::string_view value, bool at_is_file, bool strip, absl::string_view separator, FileReader* files);
  // --data-urlencode: content, =content, name=content, @file, name@file.
  void AddUrlencoded(absl::string_view value, FileReader* files);
  // -F: name=content, name=@file[,file];filename=x;type=y, name=<file. `literal` for --form-string.
  void AddForm(absl::string_view value, bool literal, FileReader* files);
  // -H: "Name: value", "Name:", "Name;" or "@file".
  void AddHeader(absl::string_view value, FileReader* files);
  void PushHeader(HttpHeader header);

  // The request for one URL (globs expanded) and the file that -T gives it (nullptr for none). Error: the URL's.
  absl::StatusOr<HttpRequest> MakeRequest(absl::string_view text, const std::string* upload, FileReader* files) const;

 private:
  void AddHeaderLine(absl::string_view line);
  void FillFormFile(absl::string_view path, bool upload, HttpBodyPart* part, FileReader* files);
  void SetBody(const std::string* upload, HttpRequest* request, FileReader* files) const;
  void SetQuery(HttpRequest* request) const;
  void SetHeaders(HttpRequest* request) const;
  void SetRoute(HttpRequest* request) const;
  void SetCredentials(HttpRequest* request, FileReader* files) const;
};

}  // namespace holdpoint::http_internal
