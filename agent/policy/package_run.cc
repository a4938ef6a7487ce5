#include "agent/policy/package_run.h"

#include <algorithm>
#include <array>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "agent/policy/paths.h"

namespace holdpoint {
namespace {

// A manager's command line as far as it is understood; one word outside it and nothing is covered. What names another
// configuration, root, database or hook is outside.
struct Manager {
  absl::string_view name;
  std::vector<absl::string_view> commands;
  std::vector<absl::string_view> options;  // "-t=" takes the next word, "--x=" only an attached one
  bool command_is_option = false;          // dpkg -i
  bool takes_files = false;                // packages by path
  std::vector<std::string> configuration;  // folders and files that say what it does
  std::vector<std::string> of_home;        // the same below HOME: none may be there
};

const std::vector<Manager>& Managers() {
  static const auto* const managers = [] {
    const std::vector<std::string> apt = {"/etc/apt", "/etc/dpkg", "/usr/share/keyrings"};
    const std::vector<std::string> rpm = {"/etc/dnf", "/etc/yum.conf", "/etc/yum.repos.d", "/etc/rpm"};
    const std::vector<absl::string_view> apt_options = {
        "-y", "--yes", "--assume-yes", "-q", "-qq", "--quiet", "-f", "--fix-broken", "--fix-missing", "-m",
        "--no-install-recommends", "--install-recommends", "--no-install-suggests", "--reinstall", "--purge",
        "--auto-remove", "--autoremove", "--no-upgrade", "--only-upgrade", "--allow-downgrades", "-u", "-V", "-t=",
        "--no-remove"};
    return new std::vector<Manager>{
        {"apt-get", {"install", "remove", "upgrade", "dist-upgrade", "autoremove", "purge"}, apt_options, false, false, apt,
         {".dpkg.cfg"}},
        {"apt", {"install", "remove", "upgrade", "full-upgrade", "autoremove", "purge", "reinstall"}, apt_options, false,
         false, apt, {".dpkg.cfg"}},
        {"dpkg", {"-i", "--install", "-r", "--remove", "-P", "--purge", "--configure"}, {"-a", "--pending"}, true, true,
         {"/etc/dpkg"}, {".dpkg.cfg"}},
        {"dnf", {"install", "remove", "upgrade", "update", "reinstall", "autoremove"}, {"-y", "--assumeyes", "-q", "--quiet"},
         false, false, rpm, {".rpmmacros", ".config/rpm"}},
        {"rpm", {"-i", "-U", "-F", "-e", "-ivh", "-Uvh", "--install", "--upgrade", "--erase"}, {"-v", "-h", "--quiet"}, true,
         true, {"/etc/rpm"}, {".rpmmacros", ".config/rpm"}},
    };
  }();
  return *managers;
}

// Where a maintainer script looks for programs.
constexpr std::array<absl::string_view, 7> kSystemPath = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin",
                                                          "/sbin", "/bin", "/usr/games"};
// Variables that choose what a package manager, its scripts' interpreters or the loader run.
constexpr std::array<absl::string_view, 21> kTelling = {
    "APT_", "DPKG_", "DEBCONF_", "UCF_", "RPM_", "DNF", "LD_", "GCONV_PATH", "GLIBC_TUNABLES", "PERL", "PYTHON", "RUBY",
    "NODE_", "BASH_", "ENV", "SHELLOPTS", "IFS", "CDPATH", "GIT_", "SYSTEMD_", "EDITOR"};

bool IsName(absl::string_view word) {
  return !word.empty() && word[0] != '-' && !absl::StrContains(word, '/') && !absl::EndsWith(word, ".deb") &&
         !absl::EndsWith(word, ".rpm");
}

std::string Telling(const ExecAct& act) {
  if (act.environment_cut) return "its environment was not read whole";
  for (const absl::string_view variable : act.environment) {
    const absl::string_view name = variable.substr(0, variable.find('='));
    if (name == "PATH") {
      for (const absl::string_view folder : absl::StrSplit(variable.substr(name.size() + 1), ':')) {
        if (std::find(kSystemPath.begin(), kSystemPath.end(), folder) == kSystemPath.end()) {
          return "PATH leads to other programs than the system's";
        }
      }
    }
    if (name == "DEBCONF_NONINTERACTIVE_SEEN" || name == "DEBCONF_NOWARNINGS") continue;
    for (const absl::string_view start : kTelling) {
      if (absl::StartsWith(name, start)) return absl::StrCat("the variable ", name, " chooses what it runs");
    }
  }
  return "";
}

std::string Home(const ExecAct& act) {
  for (const absl::string_view variable : act.environment) {
    if (absl::StartsWith(variable, "HOME=/")) return CleanPath(variable.substr(5));
  }
  return "/root";
}

std::string Changed(const std::string& path, const v1::SessionContext& session, FactBook* facts) {
  const v1::TreeFact* tree = facts->Tree(path);
  if (tree == nullptr || !tree->problem().empty()) return absl::StrCat(path, " was not looked at");
  if (!tree->exists()) return "";
  if (!tree->only_root_writes()) return absl::StrCat(path, " can be written by others than root");
  return tree->changed_unix_ns() < session.started_unix_ns() ? ""
                                                             : absl::StrCat(path, " was changed since the session began");
}

// A package that the session can't have made: root's, and as it was before the session began.
std::string BadPackage(const std::string& path, const v1::SessionContext& session, FactBook* facts) {
  const v1::PathFact* fact = facts->Path(path);
  if (fact == nullptr || !fact->problem().empty()) return "a package was not looked at";
  if (!fact->exists() || fact->kind() != "file") return "a package is no file";
  if (!fact->only_root_writes()) return "a package can be written by others than root";
  return fact->changed_unix_ns() < session.started_unix_ns() ? "" : "a package was changed since the session began";
}

}  // namespace

PackageRun PackageRunOf(const ExecAct& act, const std::vector<std::string>& known_as, const v1::SessionContext& session,
                        FactBook* facts) {
  const std::string base(BaseName(act.executable.path));
  const auto manager = std::find_if(Managers().begin(), Managers().end(), [&](const Manager& m) { return m.name == base; });
  if (manager == Managers().end()) return {};
  const auto none = [](std::string because) { return PackageRun{.name = "", .because = std::move(because)}; };
  if (std::find(known_as.begin(), known_as.end(), base) == known_as.end() || !act.script.empty() ||
      static_cast<int64_t>(act.executable.id.ctime_ns) >= session.started_unix_ns()) {
    return none("it is not the system's own program as it was when the session began");
  }
  if (act.uid != 0) return none("it does not run as root");
  if (std::string telling = Telling(act); !telling.empty()) return none(std::move(telling));

  std::string command;
  std::vector<std::string> packages;
  for (size_t i = 1; i < act.argv.size(); ++i) {
    const std::string& word = act.argv[i];
    const auto is = [&](absl::string_view known) { return word == known; };
    if (std::any_of(manager->options.begin(), manager->options.end(), is)) continue;
    const std::string with_value = absl::StrCat(word, "=");
    if (std::find(manager->options.begin(), manager->options.end(), with_value) != manager->options.end()) {
      if (++i < act.argv.size() && IsName(act.argv[i])) continue;
      return none("a value was not understood");
    }
    if (command.empty() && std::any_of(manager->commands.begin(), manager->commands.end(), is)) {
      command = word;
      continue;
    }
    if (command.empty() || absl::StartsWith(word, "-")) return none("an option or command of it was not understood");
    packages.push_back(word);
  }
  if (command.empty() || act.argv_cut) return none("its command was not understood");

  const bool installs_files = manager->takes_files && (command == "-i" || command == "--install" || command == "-U" ||
                                                       command == "-F" || command == "-ivh" || command == "-Uvh" ||
                                                       command == "--upgrade");
  for (const std::string& package : packages) {
    if (!installs_files) {
      if (!IsName(package)) return none("a package is named by its path");
      continue;
    }
    if (std::string bad = BadPackage(AbsolutePath(act, package), session, facts); !bad.empty()) return none(std::move(bad));
  }
  for (const std::string& path : manager->configuration) {
    if (std::string changed = Changed(path, session, facts); !changed.empty()) return none(std::move(changed));
  }
  for (const std::string& file : manager->of_home) {
    const std::string path = absl::StrCat(Home(act), "/", file);
    const v1::TreeFact* tree = facts->Tree(path);
    if (tree == nullptr || tree->exists() || !tree->problem().empty()) return none(absl::StrCat("~/", file, " may choose what it runs"));
  }
  return {.name = absl::StrCat(base, " ", command), .because = ""};
}

const std::vector<std::string>& PackageManagers() {
  static const auto* const names = [] {
    auto* const all = new std::vector<std::string>;
    for (const Manager& manager : Managers()) all->emplace_back(manager.name);
    return all;
  }();
  return *names;
}

}  // namespace holdpoint
