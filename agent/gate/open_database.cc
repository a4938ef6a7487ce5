#include "agent/gate/open_database.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
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
#include "agent/response/proc.h"
#include "agent/response/sys.h"

namespace holdpoint {
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

std::optional<OpenDatabase> DatabaseOf(const ProcessId& process) {
  absl::StatusOr<ProcDir> dir = ProcDir::Open(process);
  const UniqueFd pidfd = sys::PidfdOpen(process.tgid);
  if (!dir.ok() || !pidfd.ok()) return std::nullopt;
  absl::StatusOr<UniqueFd> fds = dir->OpenFile("fd", O_RDONLY | O_DIRECTORY);
  if (!fds.ok()) return std::nullopt;
  const std::unique_ptr<DIR, CloseFolder> folder(fdopendir(fds->get()));
  if (folder == nullptr) return std::nullopt;
  (void)fds->release();
  int looked_at = 0;
  while (const dirent* entry = readdir(folder.get())) {
    int number = 0;
    char kind[32] = {};
    if (!absl::SimpleAtoi(entry->d_name, &number)) continue;
    if (++looked_at > kMaxDescriptors) break;
    if (readlinkat(dirfd(folder.get()), entry->d_name, kind, sizeof(kind) - 1) <= 0) continue;
    if (!absl::StartsWith(kind, "socket:")) continue;
    const UniqueFd copy = sys::PidfdGetfd(pidfd.get(), number);
    sockaddr_storage peer{};
    socklen_t length = sizeof(peer);
    if (!copy.ok() || getpeername(copy.get(), reinterpret_cast<sockaddr*>(&peer), &length) != 0) continue;
    if (std::string shown = DatabasePeer(peer, length); !shown.empty()) {
      return OpenDatabase{.pid = process.tgid, .peer = std::move(shown)};
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

std::optional<OpenDatabase> DatabaseAbove(ProcessId parent, const ProcessId& root) {
  for (int i = 0; i < kMaxProcesses && parent.tgid > 1; ++i) {
    if (std::optional<OpenDatabase> found = DatabaseOf(parent); found.has_value()) return found;
    if (parent.tgid == root.tgid) break;
    const absl::StatusOr<ProcessId> above = ParentOf(parent);
    if (!above.ok()) break;
    parent = *above;
  }
  return std::nullopt;
}

}  // namespace holdpoint
