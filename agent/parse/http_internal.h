#pragma once

// Shared by the readers of curl's and wget's command lines; not for other folders.

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "agent/parse/http_request.h"
#include "agent/parse/uri.h"

namespace holdpoint::http_internal {

constexpr size_t kMaxRequests = 64;
constexpr size_t kMaxBytes = 1 << 20;  // of one body, and of all configuration read
constexpr size_t kMaxHeaders = 1024;

// Once each, at most 16.
void AddBlindSpot(std::string text, std::vector<std::string>* blind_spots);

// Looks files up for a command line, and remembers what was not there.
class FileReader {
 public:
  FileReader(const AttachedFiles& files, HttpCommand* command) : files_(files), command_(command) {}

  // nullptr where it was not attached (then it is needed) or could not be read. In both cases `what` ("body", "headers
  // of") becomes a blind spot of `blind_spots`, unless the file is only implied and was not attached.
  const AttachedFile* Read(absl::string_view path, NeededFile::Use use, bool implied, absl::string_view what,
                           std::vector<std::string>* blind_spots);

 private:
  const AttachedFiles& files_;
  HttpCommand* const command_;
};

// Collects a body from pieces; pieces that are known and adjacent become one part. Past kMaxBytes it is cut and said.
class BodyBuilder {
 public:
  void AddBytes(absl::string_view bytes);
  // A piece that was not seen. `path` "-" is standard input.
  void AddUnseen(absl::string_view path);
  // A piece of a file that was read.
  void AddFile(absl::string_view path, std::string bytes, bool whole);

  bool empty() const { return parts_.empty(); }
  const std::vector<HttpBodyPart>& parts() const { return parts_; }
  std::vector<HttpBodyPart>& parts() { return parts_; }
  // All bytes that are known; *seen is false where some are missing.
  std::string Bytes(bool* seen) const;

 private:
  std::vector<HttpBodyPart> parts_;
  size_t bytes_ = 0;
};

// "Name: value" as a header; false where there is no name.
bool SplitHeader(absl::string_view line, HttpHeader* header);

// Adds a finished request. Its body is a copy for each URL: once the bodies are kMaxBytes in all, those of further
// requests are left out and said to be unseen, so that one large file and many URLs stay cheap.
void AddRequest(HttpRequest request, HttpCommand* command);

// Puts the URL's parts into a request.
void SetUrl(const Url& url, HttpRequest* request);

// login and password for `host` from a .netrc file, as "user:password"; empty where there is none.
std::string FindInNetrc(absl::string_view netrc, absl::string_view host);

// The last step, when headers, URL and body are there: fills content_type, host_header, method_override and the
// credentials that headers and query show, and says what cannot be seen in a compressed or oddly encoded body.
void FinishRequest(HttpRequest* request);

}  // namespace holdpoint::http_internal
