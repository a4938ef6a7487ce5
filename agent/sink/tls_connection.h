#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/sink/spec.h"

struct ssl_ctx_st;
struct ssl_st;

namespace holdpoint {

// TLS 1.2 or newer over a connected socket. The peer's certificate is verified against the name; there is no way to leave
// that out. The files are read once, by Load, before rights are given up.
class TlsContext {
 public:
  // Errors: kFailedPrecondition with the file that could not be used.
  static absl::StatusOr<std::unique_ptr<TlsContext>> Load(const SinkSpec& spec);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  ssl_ctx_st* get() { return context_; }

 private:
  TlsContext() = default;
  ssl_ctx_st* context_ = nullptr;
};

class TlsConnection {
 public:
  // Handshake over `socket`, which stays the caller's and has its own time limits. Errors: kUnavailable with why; a
  // certificate that is not good is named.
  static absl::StatusOr<std::unique_ptr<TlsConnection>> Connect(TlsContext& context, int socket, const std::string& host);
  ~TlsConnection();
  TlsConnection(const TlsConnection&) = delete;
  TlsConnection& operator=(const TlsConnection&) = delete;

  absl::Status Write(absl::string_view bytes);

 private:
  explicit TlsConnection(ssl_st* ssl) : ssl_(ssl) {}
  ssl_st* ssl_;
};

}  // namespace holdpoint
