// What weakens the proof of presence on this host: sudo that asks nobody, and keys that others could have written.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/base/fd.h"
#include "agent/base/status.h"
#include "agent/cli/files.h"
#include "agent/cli/probe.h"
#include "agent/presence/owner_key.h"
#include "agent/presence/service.h"

namespace holdpoint {
namespace {

using Level = ProbeResult::Level;

constexpr char kKeysFolder[] = "/etc/holdpoint/presence.d";
constexpr const char* kSudo[] = {"/usr/bin/sudo", "/usr/local/bin/sudo", "/bin/sudo"};
constexpr int kSudoMilliseconds = 10000;  // a directory service may be asked
constexpr size_t kListedMax = 64 * 1024, kUsersAsked = 16, kRulesShown = 3, kFilesMax = 256;
constexpr double kDefaultMinutes = 15;

// One entry of a time stamp file.
struct TimestampEntry {
  uint16_t version, size, type, flags;
  uint32_t auth_uid;
  int32_t session;
  timespec start, stamp;
  uint64_t terminal;
};
constexpr uint16_t kVersion = 2, kTypeGlobal = 1, kTypeParent = 3, kFlagDisabled = 1;

// Runs `sudo -n -l -U USER` and gives what it prints.
absl::StatusOr<std::string> AskSudo(const char* sudo, const std::string& user) {
  int out[2];
  if (pipe2(out, O_CLOEXEC) != 0) return ErrnoStatus("pipe2");
  UniqueFd read_end(out[0]), write_end(out[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  const char* argv[] = {sudo, "-n", "-l", "-U", user.c_str(), nullptr};
  const char* environment[] = {"LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", nullptr};
  pid_t child = -1;
  const int error = posix_spawn(&child, sudo, &actions, nullptr, const_cast<char**>(argv), const_cast<char**>(environment));
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return ErrnoStatus(sudo, error);
  write_end.reset();

  std::string listed;
  pollfd wait{.fd = read_end.get(), .events = POLLIN, .revents = 0};
  bool whole = false;
  char part[4096];
  while (listed.size() < kListedMax && poll(&wait, 1, kSudoMilliseconds) > 0) {
    const ssize_t got = read(read_end.get(), part, sizeof(part));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      whole = got == 0;
      break;
    }
    listed.append(part, static_cast<size_t>(got));
  }
  if (!whole) kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  if (!whole) return absl::DeadlineExceededError("sudo -l does not answer");
  return listed;
}

bool WrittenByOthers(const ProbeHost& host, const std::string& path) {
  const uid_t root = host.root.empty() ? 0 : geteuid();  // A tree of one's own is one's own.
  struct stat st {};
  return stat((host.root + path).c_str(), &st) == 0 && (st.st_uid != root || (st.st_mode & 022) != 0);
}

absl::Duration BootNow() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return absl::DurationFromTimespec(now);
}

}  // namespace

std::vector<std::string> PasswordlessRules(absl::string_view listed) {
  std::vector<std::string> rules;
  bool defaults = false;
  for (absl::string_view line : absl::StrSplit(listed, '\n')) {
    if (absl::StartsWith(line, "Matching Defaults") || absl::StrContains(line, "may run the following")) {
      defaults = absl::StartsWith(line, "Matching Defaults");
      continue;
    }
    line = absl::StripAsciiWhitespace(line);
    if (defaults ? absl::StrContains(line, "!authenticate") : absl::StrContains(line, "NOPASSWD:")) {
      rules.push_back(defaults ? "!authenticate" : std::string(line));
    }
  }
  return rules;
}

double SudoTimeoutMinutes(absl::string_view listed) {
  constexpr absl::string_view kName = "timestamp_timeout=";
  const size_t at = listed.find(kName);
  if (at == absl::string_view::npos) return kDefaultMinutes;
  absl::string_view value = listed.substr(at + kName.size());
  value = value.substr(0, value.find_first_of(", \n"));
  double minutes = kDefaultMinutes;
  return absl::SimpleAtod(value, &minutes) ? minutes : kDefaultMinutes;
}

bool HasLiveTimestamp(absl::string_view file, double minutes, absl::Duration now) {
  while (file.size() >= sizeof(TimestampEntry)) {
    TimestampEntry entry;
    memcpy(&entry, file.data(), sizeof(entry));
    if (entry.version != kVersion || entry.size < sizeof(entry) || entry.size > file.size()) return false;
    file.remove_prefix(entry.size);
    if (entry.type < kTypeGlobal || entry.type > kTypeParent || (entry.flags & kFlagDisabled) != 0) continue;
    const absl::Duration age = now - absl::DurationFromTimespec(entry.stamp);
    if (age >= absl::ZeroDuration() && (minutes < 0 || age < absl::Minutes(1) * minutes)) return true;
  }
  return false;
}

std::vector<ProbeResult> ProbeSudoOf(const std::vector<std::string>& users) {
  std::vector<ProbeResult> rows;
  const auto sudo = std::find_if(std::begin(kSudo), std::end(kSudo), [](const char* path) { return access(path, X_OK) == 0; });
  if (sudo == std::end(kSudo) || geteuid() != 0) return rows;
  for (const std::string& user : users) {
    if (rows.size() == kUsersAsked) break;
    const std::string check = absl::StrCat("sudo of ", user);
    const absl::StatusOr<std::string> listed = AskSudo(*sudo, user);
    if (!listed.ok()) {
      rows.push_back({check, Level::kWarning, std::string(listed.status().message()), "look with: sudo -l -U " + user});
      continue;
    }
    std::vector<std::string> rules = PasswordlessRules(*listed);
    if (rules.size() > kRulesShown) rules.resize(kRulesShown);
    const absl::StatusOr<std::string> stamps = ReadWholeFile("/run/sudo/ts/" + user);
    if (stamps.ok() && HasLiveTimestamp(*stamps, SudoTimeoutMinutes(*listed), BootNow())) {
      rules.push_back("a time stamp: it gave its password a moment ago");
    }
    if (rules.empty()) {
      rows.push_back({check, Level::kOk, "asks for the password"});
    } else {
      rows.push_back({check, Level::kWarning, absl::StrCat("root without a password: ", absl::StrJoin(rules, "; ")),
                      "its sessions can become root: they still cannot approve, but root can stop the daemon. Take NOPASSWD "
                      "away, or set timestamp_timeout=0"});
    }
  }
  return rows;
}

ProbeResult ProbeNamedPam(const ProbeHost& host) {
  const std::string path = absl::StrCat(kKeysFolder, "/", kPresenceServiceFile);
  const absl::StatusOr<std::string> text = ReadWholeFile(host.root + path);
  if (absl::IsNotFound(text.status())) return ProbePam(host, "holdpoint");
  if (!text.ok()) return {"pam service", Level::kWarning, std::string(text.status().message()), "run it with sudo"};
  if (WrittenByOthers(host, path)) {
    return {"pam service", Level::kBad, absl::StrCat(path, " could have been written by others than root: no password counts"),
            absl::StrCat("look at it, then: chown root ", path, "; chmod 644 ", path)};
  }
  const absl::StatusOr<std::string> service = ParsePresenceService(*text);
  if (service.ok()) return ProbePam(host, *service);
  return {"pam service", Level::kBad, absl::StrCat(path, ": ", service.status().message()), "until then no password counts"};
}

ProbeResult ProbeOwnerKeys(const ProbeHost& host) {
  const std::string folder = host.root + kKeysFolder;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(folder.c_str()), closedir);
  if (!dir) {
    if (errno == ENOENT) return {"owners' keys", Level::kOk, "none: no decision is signed elsewhere"};
    return {"owners' keys", Level::kWarning, absl::StrCat(kKeysFolder, " cannot be read"), "run it with sudo"};
  }
  std::vector<std::string> files;
  for (const dirent* entry; (entry = readdir(dir.get())) != nullptr && files.size() < kFilesMax;) {
    if (absl::EndsWith(entry->d_name, ".keys") && entry->d_name[0] != '.') files.push_back(entry->d_name);
  }
  std::sort(files.begin(), files.end());
  std::map<std::string, std::string> owner_of;  // by the key
  for (const std::string& file : files) {
    const std::string path = absl::StrCat(kKeysFolder, "/", file);
    if (WrittenByOthers(host, path)) {
      return {"owners' keys", Level::kBad, absl::StrCat(path, " could have been written by others than root: it does not count"),
              absl::StrCat("look at it, then: chown root ", path, "; chmod 644 ", path)};
    }
    const absl::StatusOr<std::string> text = ReadWholeFile(host.root + path);
    const absl::StatusOr<std::vector<OwnerKey>> keys = text.ok() ? ParseOwnerKeys(*text) : text.status();
    if (!keys.ok()) {
      return {"owners' keys", Level::kBad, absl::StrCat(path, " does not count: ", keys.status().message()),
              "one key on a line, as in a .pub file of ssh-keygen -t ed25519"};
    }
    const std::string owner = file.substr(0, file.size() - strlen(".keys"));
    for (const OwnerKey& key : *keys) {
      const auto [other, fresh] = owner_of.emplace(key.blob, owner);
      if (fresh || other->second == owner) continue;
      return {"owners' keys", Level::kWarning,
              absl::StrCat(KeyFingerprint(key), " decides for ", other->second, " and for ", owner),
              "a key belongs to one person: where two are asked, one could be both"};
    }
  }
  return {"owners' keys", Level::kOk, absl::StrCat(owner_of.size(), " keys in ", kKeysFolder)};
}

}  // namespace holdpoint
