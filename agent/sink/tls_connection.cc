#include "agent/sink/tls_connection.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include "absl/strings/str_cat.h"
#include "agent/export/text.h"

namespace holdpoint {
namespace {

constexpr int kReadsAtEnd = 16;

std::string LastError() {
  char text[256] = "no reason given";
  if (const unsigned long code = ERR_peek_last_error(); code != 0) ERR_error_string_n(code, text, sizeof(text));
  ERR_clear_error();
  return text;
}

absl::Status Unusable(const std::string& file) {
  return absl::FailedPreconditionError(absl::StrCat(file, ": can't be used: ", LastError()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<TlsContext>> TlsContext::Load(const SinkSpec& spec) {
  std::unique_ptr<TlsContext> context(new TlsContext());
  SSL_CTX* ctx = context->context_ = SSL_CTX_new(TLS_client_method());
  if (ctx == nullptr) return absl::InternalError(absl::StrCat("TLS: ", LastError()));
  SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(ctx, SSL_MODE_AUTO_RETRY);
  if (spec.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(ctx);
  } else if (SSL_CTX_load_verify_locations(ctx, spec.ca_file.c_str(), nullptr) != 1) {
    return Unusable(spec.ca_file);
  }
  if (spec.certificate_file.empty()) return context;
  if (SSL_CTX_use_certificate_chain_file(ctx, spec.certificate_file.c_str()) != 1) return Unusable(spec.certificate_file);
  const std::string& key = spec.key_file.empty() ? spec.certificate_file : spec.key_file;
  if (SSL_CTX_use_PrivateKey_file(ctx, key.c_str(), SSL_FILETYPE_PEM) != 1) return Unusable(key);
  return context;
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

absl::StatusOr<std::unique_ptr<TlsConnection>> TlsConnection::Connect(TlsContext& context, int socket,
                                                                      const std::string& host) {
  std::unique_ptr<TlsConnection> connection(new TlsConnection(SSL_new(context.get())));
  SSL* ssl = connection->ssl_;
  if (ssl == nullptr || SSL_set_fd(ssl, socket) != 1) return absl::InternalError(absl::StrCat("TLS: ", LastError()));
  if (IsIpAddress(host)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
  } else {
    SSL_set_tlsext_host_name(ssl, host.c_str());
    if (SSL_set1_host(ssl, host.c_str()) != 1) return absl::InternalError(absl::StrCat("TLS: ", LastError()));
  }
  if (SSL_connect(ssl) == 1) return connection;
  const long verified = SSL_get_verify_result(ssl);
  if (verified != X509_V_OK) {
    ERR_clear_error();
    return absl::UnavailableError(
        absl::StrCat("the certificate of ", host, " is not good: ", X509_verify_cert_error_string(verified)));
  }
  return absl::UnavailableError(absl::StrCat("TLS with ", host, ": ", LastError()));
}

// What a peer sent and nobody read (TLS 1.3: its session tickets) would make close(2) a reset, which takes away what is still
// on its way to it.
TlsConnection::~TlsConnection() {
  if (ssl_ == nullptr) return;
  SSL_shutdown(ssl_);
  ERR_clear_error();
  const int socket = SSL_get_fd(ssl_);
  char unread[4096];
  if (socket >= 0 && shutdown(socket, SHUT_WR) == 0) {
    for (int i = 0; i < kReadsAtEnd && recv(socket, unread, sizeof(unread), 0) > 0; ++i) {
    }
  }
  SSL_free(ssl_);
}

absl::Status TlsConnection::Write(absl::string_view bytes) {
  size_t written = 0;
  if (SSL_write_ex(ssl_, bytes.data(), bytes.size(), &written) == 1 && written == bytes.size()) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("TLS: ", LastError()));
}

}  // namespace holdpoint
