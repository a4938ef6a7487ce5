#include "agent/kernel/pins.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "bpf/shared/hp_abi.h"

namespace holdpoint {
namespace {

constexpr char kBpffs[] = "/sys/fs/bpf";

std::vector<std::string> Names(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  return names;
}

absl::Status MakeDirectories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return ErrnoStatus(absl::StrCat("make ", path), error.value());
  return absl::OkStatus();
}

bool IsBpffs(const std::string& path) {
  std::string at = path;
  struct statfs fs;
  while (statfs(at.c_str(), &fs) != 0) {  // The nearest directory that exists.
    const size_t slash = at.rfind('/');
    if (slash == std::string::npos || slash == 0) return false;
    at.resize(slash);
  }
  return static_cast<unsigned long>(fs.f_type) == BPF_FS_MAGIC;
}

}  // namespace

absl::StatusOr<Pins> Pins::Open(const std::string& directory) {
  if (!IsBpffs(directory) && (directory == kBpffs || absl::StartsWith(directory, absl::StrCat(kBpffs, "/")))) {
    if (mount("bpf", kBpffs, "bpf", 0, "mode=0700") != 0) return ErrnoStatus(absl::StrCat("mount a bpffs on ", kBpffs));
    LogInfo("mounted a bpffs on ", kBpffs);
  }
  if (!IsBpffs(directory)) {
    return absl::FailedPreconditionError(absl::StrCat(
        directory, " is not below a bpffs, so programs and maps cannot be pinned there: use one below ", kBpffs));
  }
  Pins pins;
  pins.directory_ = directory;
  pins.root_ = absl::StrCat(directory, "/v", HP_LAYOUT_VERSION);
  HP_RETURN_IF_ERROR(MakeDirectories(directory));
  pins.lock_ = UniqueFd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!pins.lock_.ok()) return ErrnoStatus(absl::StrCat("open ", directory));
  if (flock(pins.lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return absl::AlreadyExistsError(absl::StrCat("another live daemon uses the pins in ", directory,
                                                   ": stop it, or give this one another instance"));
    }
    return ErrnoStatus(absl::StrCat("lock ", directory));
  }
  HP_RETURN_IF_ERROR(MakeDirectories(absl::StrCat(pins.root_, "/maps")));
  HP_RETURN_IF_ERROR(MakeDirectories(absl::StrCat(pins.root_, "/links")));
  pins.had_maps_ = access(pins.MapPath("hp_config").c_str(), F_OK) == 0;
  return pins;
}

std::string Pins::LinkDirectory(uint32_t load) const { return absl::StrCat(root_, "/links/", load); }

std::vector<uint32_t> Pins::Loads() const {
  std::vector<uint32_t> loads;
  for (const std::string& name : Names(absl::StrCat(root_, "/links"))) {
    uint32_t load = 0;
    if (absl::SimpleAtoi(name, &load)) loads.push_back(load);
  }
  std::sort(loads.begin(), loads.end());
  return loads;
}

absl::Status Pins::MakeLinkDirectory(uint32_t load) const { return MakeDirectories(LinkDirectory(load)); }

absl::Status Pins::RemoveLoad(uint32_t load) const {
  std::error_code error;
  std::filesystem::remove_all(LinkDirectory(load), error);
  if (error) return ErrnoStatus(absl::StrCat("remove ", LinkDirectory(load)), error.value());
  return absl::OkStatus();
}

absl::Status Pins::RemoveAll() const {
  for (uint32_t load : Loads()) HP_RETURN_IF_ERROR(RemoveLoad(load));
  std::error_code error;
  std::filesystem::remove_all(root_, error);
  if (error) return ErrnoStatus(absl::StrCat("remove ", root_), error.value());
  std::filesystem::remove(directory_, error);  // Stays where something else is in it.
  return absl::OkStatus();
}

}  // namespace holdpoint
