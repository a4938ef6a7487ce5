#pragma once

// A request as one line, for the tests of curl and wget.

#include <string>

#include "absl/strings/str_cat.h"
#include "agent/parse/http_request.h"

namespace holdpoint {

// METHOD scheme://host:port/path?query [type] body
inline std::string DescribeHttp(const HttpRequest& request) {
  std::string text = absl::StrCat(request.method, " ", request.scheme, "://", request.host, ":", request.port,
                                  request.path, request.query.empty() ? "" : "?", request.query);
  if (!request.method_override.empty()) absl::StrAppend(&text, " as ", request.method_override);
  if (!request.content_type.empty()) absl::StrAppend(&text, " [", request.content_type, "]");
  if (request.multipart) {
    for (const HttpBodyPart& part : request.parts) {
      absl::StrAppend(&text, " ", part.field, "=", part.seen ? part.bytes : absl::StrCat("?", part.path),
                      part.filename.empty() ? "" : ";", part.filename);
    }
  } else if (request.has_body) {
    absl::StrAppend(&text, " {", request.body, "}", request.body_seen ? "" : "?");
  }
  return text;
}

inline std::string DescribeHttp(const HttpCommand& command) {
  std::string text;
  for (const HttpRequest& request : command.requests) {
    absl::StrAppend(&text, text.empty() ? "" : "\n", DescribeHttp(request));
  }
  return text;
}

}  // namespace holdpoint
