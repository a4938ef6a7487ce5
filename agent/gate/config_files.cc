#include "agent/gate/config_files.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <cstring>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/base/fd.h"
#include "agent/base/file_id.h"
#include "agent/base/sha256.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxConfigBytes = 4 << 20;
constexpr size_t kMaxRuleFiles = 512;
constexpr size_t kMaxKnownFileBytes = 64 << 20;
constexpr size_t kKeyBytes = 32;
constexpr const char* kSearchPath[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"};

absl::StatusOr<std::string> ReadAll(int fd, size_t max, const std::string& path) {
  std::string bytes;
  char buffer[65536];
  ssize_t n;
  while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
    if (bytes.size() + static_cast<size_t>(n) > max) {
      return absl::FailedPreconditionError(absl::StrCat(path, ": larger than the ", max, " bytes that are read"));
    }
    bytes.append(buffer, static_cast<size_t>(n));
  }
  if (n < 0) return ErrnoStatus(absl::StrCat("read ", path));
  return bytes;
}

absl::StatusOr<std::string> ReadTrusted(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.ok()) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": can't be opened (", strerror(errno), ")"));
  }
  struct stat st {};
  if (fstat(fd.get(), &st) != 0 || !S_ISREG(st.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": want a regular file"));
  }
  if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": want a file that root owns and nobody else can write; chown root and chmod go-w it"));
  }
  return ReadAll(fd.get(), kMaxConfigBytes, path);
}

absl::StatusOr<std::string> ReadOrMakeKey(const std::string& path) {
  if (UniqueFd made(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)); made.ok()) {
    char key[kKeyBytes];
    if (getrandom(key, sizeof(key), 0) != sizeof(key) || write(made.get(), key, sizeof(key)) != sizeof(key) ||
        fsync(made.get()) != 0) {
      unlink(path.c_str());
      return ErrnoStatus(absl::StrCat("make the fingerprint key ", path));
    }
  }
  HP_ASSIGN_OR_RETURN(std::string key, ReadTrusted(path));
  if (key.size() != kKeyBytes) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": want ", kKeyBytes, " bytes, got ", key.size(),
                                                      "; remove it to have a new one made (tagged fingerprints change)"));
  }
  return key;
}

}  // namespace

absl::StatusOr<v1::Configure> ReadConfigFiles(const Options& options) {
  v1::Configure configure;
  std::string config = options.config;
  if (config.empty() && access("/etc/holdpoint/holdpoint.yaml", F_OK) == 0) config = "/etc/holdpoint/holdpoint.yaml";
  if (!config.empty()) {
    HP_ASSIGN_OR_RETURN(std::string content, ReadTrusted(config));
    configure.mutable_configuration()->set_name(config);
    configure.mutable_configuration()->set_content(std::move(content));
  }
  // Beside the configuration, wherever that is.
  const std::string agents =
      (config.empty() ? std::filesystem::path("/etc/holdpoint") : std::filesystem::path(config).parent_path()) /
      "agents.yaml";
  if (access(agents.c_str(), F_OK) == 0) {
    HP_ASSIGN_OR_RETURN(std::string content, ReadTrusted(agents));
    configure.mutable_agents()->set_name(agents);
    configure.mutable_agents()->set_content(std::move(content));
  }

  std::error_code error;
  std::vector<std::filesystem::path> packs;
  for (const auto& entry : std::filesystem::directory_iterator(options.rules, error)) {
    if (entry.path().extension() == ".yaml" || entry.path().extension() == ".yml") packs.push_back(entry.path());
  }
  if (error || packs.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(options.rules, ": no rule packs (*.yaml, *.yml) there; name their directory with --rules"));
  }
  if (packs.size() > kMaxRuleFiles) {
    return absl::FailedPreconditionError(absl::StrCat(options.rules, ": more than ", kMaxRuleFiles, " rule packs"));
  }
  std::sort(packs.begin(), packs.end());
  for (const auto& pack : packs) {
    HP_ASSIGN_OR_RETURN(std::string content, ReadTrusted(pack.string()));
    v1::Configure::File* file = configure.add_rules();
    file->set_name(pack.string());
    file->set_content(std::move(content));
  }
  HP_ASSIGN_OR_RETURN(*configure.mutable_fingerprint_key(), ReadOrMakeKey(absl::StrCat(options.state, "/fingerprint.key")));
  return configure;
}

std::vector<v1::KnownFile> FindKnownFiles(const std::vector<std::string>& names) {
  std::vector<v1::KnownFile> known;
  std::set<std::pair<std::string, FileId>> seen;
  for (const std::string& name : names) {
    if (name.empty() || absl::StrContains(name, '/')) continue;
    for (const char* directory : kSearchPath) {
      const std::string path = absl::StrCat(directory, "/", name);
      const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
      struct stat st {};
      if (!fd.ok() || fstat(fd.get(), &st) != 0 || !S_ISREG(st.st_mode)) continue;
      const FileId id = FileIdFromStat(st);
      if (!seen.emplace(name, id).second) continue;
      v1::KnownFile file;
      file.set_name(name);
      file.set_path(path);
      file.set_device(id.dev);
      file.set_inode(id.ino);
      file.set_ctime_ns(id.ctime_ns);
      file.set_size(static_cast<uint64_t>(st.st_size));
      absl::StatusOr<std::string> content = ReadAll(fd.get(), kMaxKnownFileBytes, path);
      if (content.ok()) file.set_sha256(Hex(Sha256(*content)));
      known.push_back(std::move(file));
    }
  }
  return known;
}

}  // namespace holdpoint
