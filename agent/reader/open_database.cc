#include "agent/reader/open_database.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "agent/base/escape.h"
#include "agent/base/fd.h"
#include "agent/reader/proc_text.h"

namespace holdpoint::reader {
namespace {

constexpr int kMaxProcesses = 16;
constexpr int kMaxDescriptors = 1024;
constexpr size_t kMaxShown = 120;
// As their servers listen by default: PostgreSQL and a second one, PgBouncer, CockroachDB, YugabyteDB; MySQL and MariaDB
// and the X protocol; SQL Server; Oracle.
constexpr std::array<uint16_t, 9> kPorts = {5432, 5433, 6432, 26257, 3306, 33060, 1433, 1521, 1522};

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};

bool IsDatabaseSocket(absl::string_view path) {
  const absl::string_view name = path.substr(path.rfind('/') + 1);
  if (absl::StartsWith(name, ".s.PGSQL.")) return true;
  return absl::EndsWith(name, ".sock") && (absl::StartsWith(name, "mysql") || absl::StartsWith(name, "mariadb"));
}

std::optional<OpenDatabase> DatabaseOf(pid_t pid) {
  const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  const std::unique_ptr<DIR, CloseFolder> folder(opendir(absl::StrCat("/proc/", pid, "/fd").c_str()));
  if (!pidfd.ok() || folder == nullptr) return std::nullopt;
  int looked_at = 0;
  while (const dirent* entry = readdir(folder.get())) {
    int number = 0;
    if (!absl::SimpleAtoi(entry->d_name, &number)) continue;
    if (++looked_at > kMaxDescriptors) break;
    if (!absl::StartsWith(ReadLink(dirfd(folder.get()), entry->d_name), "socket:")) continue;
    const UniqueFd copy(static_cast<int>(syscall(SYS_pidfd_getfd, pidfd.get(), number, 0)));
    sockaddr_storage peer{};
    socklen_t length = sizeof(peer);
    if (!copy.ok() || getpeername(copy.get(), reinterpret_cast<sockaddr*>(&peer), &length) != 0) continue;
    if (std::string shown = DatabasePeer(peer, length); !shown.empty()) {
      return OpenDatabase{.pid = pid, .peer = std::move(shown)};
    }
  }
  return std::nullopt;
}

}  // namespace

std::string DatabasePeer(const sockaddr_storage& peer, socklen_t length) {
  char text[INET6_ADDRSTRLEN] = {};
  if (peer.ss_family == AF_UNIX) {
    const auto& address = reinterpret_cast<const sockaddr_un&>(peer);
    const size_t start = offsetof(sockaddr_un, sun_path);
    if (length <= start || address.sun_path[0] == '\0') return "";
    const std::string path(address.sun_path, strnlen(address.sun_path, length - start));
    return IsDatabaseSocket(path) ? EscapeAndClip(path, kMaxShown) : "";
  }
  uint16_t port = 0;
  bool six = false;
  if (peer.ss_family == AF_INET) {
    const auto& address = reinterpret_cast<const sockaddr_in&>(peer);
    port = ntohs(address.sin_port);
    inet_ntop(AF_INET, &address.sin_addr, text, sizeof(text));
  } else if (peer.ss_family == AF_INET6) {
    const auto& address = reinterpret_cast<const sockaddr_in6&>(peer);
    six = true;
    port = ntohs(address.sin6_port);
    inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof(text));
  }
  if (std::find(kPorts.begin(), kPorts.end(), port) == kPorts.end()) return "";
  return six ? absl::StrCat("[", text, "]:", port) : absl::StrCat(text, ":", port);
}

std::optional<OpenDatabase> DatabaseAbove(pid_t parent, pid_t root) {
  for (int i = 0; i < kMaxProcesses && parent > 1; ++i) {
    if (std::optional<OpenDatabase> found = DatabaseOf(parent); found.has_value()) return found;
    if (parent == root) break;
    const std::string status = ReadSmallText(AT_FDCWD, absl::StrCat("/proc/", parent, "/status"), 16384);
    parent = static_cast<pid_t>(StatusNumber(status, "PPid"));
  }
  return std::nullopt;
}

}  // namespace holdpoint::reader
