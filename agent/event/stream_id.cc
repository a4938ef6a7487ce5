#include "agent/event/stream_id.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/utsname.h>

#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "agent/base/fd.h"
#include "agent/base/sha256.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

constexpr size_t kIdFileMax = 128;

absl::StatusOr<std::string> ReadIdFile(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.ok()) return ErrnoStatus(path);
  char buffer[kIdFileMax];
  const ssize_t size = read(fd.get(), buffer, sizeof(buffer));
  if (size < 0) return ErrnoStatus(path);
  std::string id(absl::StripAsciiWhitespace(absl::string_view(buffer, static_cast<size_t>(size))));
  // "uninitialized" is what systemd writes into an image before its first boot.
  if (id.empty() || id == "uninitialized") return absl::NotFoundError(absl::StrCat(path, ": empty"));
  return id;
}

absl::StatusOr<std::string> RandomHex() {
  std::array<char, 16> bytes;
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return ErrnoStatus("getrandom");
  return Hex(absl::string_view(bytes.data(), bytes.size()));
}

absl::StatusOr<std::string> KeptRandomId(const std::string& path) {
  auto kept = ReadIdFile(path);
  if (kept.ok() || !absl::IsNotFound(kept.status())) return kept;
  HP_ASSIGN_OR_RETURN(const std::string id, RandomHex());
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.ok()) return ErrnoStatus(path);
  const std::string line = id + "\n";
  if (write(fd.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) return ErrnoStatus(path);
  if (fsync(fd.get()) != 0) return ErrnoStatus(path);
  return id;
}

absl::StatusOr<std::string> MachineId(const std::string& state_dir) {
  auto id = ReadIdFile("/etc/machine-id");
  return id.ok() ? id : KeptRandomId(absl::StrCat(state_dir, "/host-id"));
}

}  // namespace

absl::StatusOr<v1::StreamId> MakeStreamId(const std::string& state_dir, absl::string_view instance) {
  v1::StreamId stream;
  utsname names{};
  if (uname(&names) != 0) return ErrnoStatus("uname");
  stream.set_host(names.nodename);
  HP_ASSIGN_OR_RETURN(const std::string machine_id, MachineId(state_dir));
  stream.set_host_id(Hex(Sha256(absl::StrCat("holdpoint", machine_id))));
  HP_ASSIGN_OR_RETURN(*stream.mutable_boot_id(), ReadIdFile("/proc/sys/kernel/random/boot_id"));
  stream.set_instance(std::string(instance));
  HP_ASSIGN_OR_RETURN(*stream.mutable_run_id(), RandomHex());
  return stream;
}

}  // namespace holdpoint
