#include "agent/reader/host_look.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "agent/base/utf8.h"
#include "agent/reader/proc_text.h"
#include "agent/reader/safe_file.h"

namespace holdpoint::reader {
namespace {

constexpr char kVolumes[] = "/var/lib/docker/volumes";
constexpr char kImages[] = "/var/lib/docker/image/overlay2/repositories.json";
constexpr char kCrontabs[] = "/var/spool/cron/crontabs";
constexpr int kMaxNames = 512;
constexpr size_t kMaxImages = 256 * 1024;

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};
using Folder = std::unique_ptr<DIR, CloseFolder>;

// A crontab belongs to its user; its name is not asked for.
UniqueFd CrontabOf(uid_t uid) {
  const Folder folder(opendir(kCrontabs));
  while (const dirent* entry = folder == nullptr ? nullptr : readdir(folder.get())) {
    struct stat st;
    if (fstatat(dirfd(folder.get()), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (!S_ISREG(st.st_mode) || st.st_uid != uid) continue;
    return UniqueFd(openat(dirfd(folder.get()), entry->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  }
  return UniqueFd();
}

void AddVolumes(int fd, v1::ContainerStoreFact* fact) {
  const Folder folder(fdopendir(dup(fd)));
  if (folder == nullptr) return;
  while (const dirent* entry = readdir(folder.get())) {
    const std::string name = entry->d_name;
    if (entry->d_type != DT_DIR || name == "." || name == "..") continue;
    if (fact->volumes_size() >= kMaxNames || !IsValidUtf8(name)) return;
    fact->add_volumes(name);
  }
  fact->set_volumes_whole(true);
}

// {"Repositories": {"postgres": {"postgres:16": "sha256:..."}}}
void AddImages(int fd, v1::ContainerStoreFact* fact) {
  const absl::StatusOr<Content> content = ReadBounded(fd, kMaxImages);
  if (!content.ok() || content->cut) return;
  const auto json = nlohmann::json::parse(content->bytes, nullptr, /*allow_exceptions=*/false);
  const auto repositories = json.is_object() ? json.find("Repositories") : json.end();
  if (!json.is_object() || repositories == json.end() || !repositories->is_object()) return;
  for (const auto& repository : *repositories) {
    if (!repository.is_object()) return;
    for (const auto& [name, digest] : repository.items()) {
      if (name.find('@') != std::string::npos) continue;
      if (fact->images_size() >= kMaxNames || !IsValidUtf8(name)) return;
      fact->add_images(name);
    }
  }
  fact->set_images_whole(true);
}

}  // namespace

HostLook LookAtHost(pid_t pid, uid_t uid, const HostWanted& wanted) {
  HostLook host;
  if (wanted.listeners) host.listeners = Listeners::Look(pid);
  host.processes.reset(open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const std::string own = ReadLink(AT_FDCWD, "/proc/self/ns/pid");
  host.same_pids = !own.empty() && own == ReadLink(AT_FDCWD, absl::StrCat("/proc/", pid, "/ns/pid"));
  if (wanted.containers) {
    host.containers = true;
    host.volumes.reset(open(kVolumes, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    host.images.reset(open(kImages, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  }
  if (wanted.crontab) {
    host.crontabs = access(kCrontabs, F_OK) == 0;
    host.crontab = CrontabOf(uid);
  }
  return host;
}

void DescribeProcess(const HostLook& host, uint32_t pid, v1::ProcessFact* fact) {
  fact->set_pid(pid);
  fact->set_host_pid(pid);
  if (!host.same_pids || !host.processes.ok()) return;
  const std::string folder = absl::StrCat(pid);
  struct stat st;
  fact->set_looked(true);
  if (fstatat(host.processes.get(), folder.c_str(), &st, 0) != 0) return;
  const int64_t uid = StatusNumber(ReadSmallText(host.processes.get(), folder + "/status", 16384), "Uid");
  const Started started = StartedOf(ReadSmallText(host.processes.get(), folder + "/stat", 4096));
  if (uid < 0 || started.boot_ns == 0) {  // It ended meanwhile, or /proc hides it.
    fact->set_looked(false);
    return;
  }
  fact->set_exists(true);
  fact->set_uid(static_cast<uint32_t>(uid));
  fact->set_start_boot_ns(started.boot_ns);
  fact->set_started_unix_ns(started.unix_ns);
  fact->set_executable(ToValidUtf8(ReadLink(host.processes.get(), folder + "/exe")));
  fact->set_unit(ToValidUtf8(SystemService(ReadSmallText(host.processes.get(), folder + "/cgroup", 65536))));
  fact->set_service(!fact->unit().empty());
}

void DescribeContainers(const HostLook& host, v1::ContainerStoreFact* fact) {
  if (!host.containers) return fact->set_problem("not looked for");
  if (host.volumes.ok()) AddVolumes(host.volumes.get(), fact);
  if (host.images.ok()) AddImages(host.images.get(), fact);
}

}  // namespace holdpoint::reader
