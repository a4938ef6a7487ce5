#include "agent/notify/settings.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/base/fd.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxSecret = 4096;
constexpr size_t kMaxAuthorities = 1 << 20;

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max, bool secret) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  struct stat st {};
  if (!fd.ok() || fstat(fd.get(), &st) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": ", strerror(errno)));
  }
  if (!S_ISREG(st.st_mode)) return absl::FailedPreconditionError(absl::StrCat(path, ": is no regular file"));
  if (secret && ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 077) != 0)) {
    return absl::PermissionDeniedError(
        absl::StrCat(path, ": others than root can reach it: chown root, chmod 0600"));
  }
  std::string text(max + 1, '\0');
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = read(fd.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(path);
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  if (size > max) return absl::FailedPreconditionError(absl::StrCat(path, ": wanted at most ", max, " bytes"));
  text.resize(size);
  return text;
}

absl::StatusOr<std::string> ReadSecret(const std::string& path) {
  HP_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxSecret, true));
  std::string secret(absl::StripAsciiWhitespace(text));
  if (secret.empty()) return absl::FailedPreconditionError(absl::StrCat(path, ": is empty"));
  return secret;
}

}  // namespace

bool IsWebhookUrl(absl::string_view url) {
  const bool plain = absl::ConsumePrefix(&url, "http://");
  if (!plain && !absl::ConsumePrefix(&url, "https://")) return false;
  if (std::any_of(url.begin(), url.end(), [](unsigned char c) { return c <= 0x20 || c > 0x7e; })) return false;
  absl::string_view authority = url.substr(0, url.find_first_of("/?#"));
  if (authority.empty() || absl::StrContains(authority, '@')) return false;
  if (!plain) return true;
  for (const absl::string_view host : {"127.0.0.1", "localhost", "[::1]"}) {
    absl::string_view rest = authority;
    if (absl::ConsumePrefix(&rest, host) && (rest.empty() || rest[0] == ':')) return true;
  }
  return false;
}

absl::StatusOr<Webhook::Options> ReadWebhook(const NoticeSettings& settings) {
  Webhook::Options options;
  options.url = NoticeText(settings.webhook_url);
  if (const std::string path = NoticeText(settings.webhook_url_file); !path.empty()) {
    HP_ASSIGN_OR_RETURN(options.url, ReadSecret(path));
  }
  if (options.url.empty()) return absl::NotFoundError("no webhook is configured");
  if (!IsWebhookUrl(options.url)) {
    return absl::FailedPreconditionError("the webhook's address is neither https:// nor http:// to this host");
  }
  if (const std::string path = NoticeText(settings.webhook_secret_file); !path.empty()) {
    HP_ASSIGN_OR_RETURN(options.secret, ReadSecret(path));
  }
  if (const std::string path = NoticeText(settings.webhook_ca_file); !path.empty()) {
    HP_ASSIGN_OR_RETURN(options.ca_pem, ReadFile(path, kMaxAuthorities, false));
  }
  options.timeout = absl::Milliseconds(settings.webhook_timeout_ms);
  return options;
}

}  // namespace holdpoint
