#include "agent/cli/probe.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/cli/files.h"

namespace holdpoint {
namespace {

using Level = ProbeResult::Level;

constexpr int kKernelMajor = 6, kKernelMinor = 1;
constexpr size_t kNamesShown = 5;

std::string Read(const ProbeHost& host, const std::string& path) {
  const absl::StatusOr<std::string> bytes = ReadWholeFile(host.root + path);
  return bytes.ok() ? *bytes : "";
}

bool Exists(const ProbeHost& host, const std::string& path) { return access((host.root + path).c_str(), F_OK) == 0; }

// Lines without comments and space around them; empty ones left out.
std::vector<std::string> Lines(absl::string_view text) {
  std::vector<std::string> lines;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line.substr(0, line.find('#')));
    if (!line.empty()) lines.emplace_back(line);
  }
  return lines;
}

// Mount point of the first file system of this type, empty for none.
std::string MountOf(const ProbeHost& host, absl::string_view type) {
  for (const std::string& line : Lines(Read(host, "/proc/self/mounts"))) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    if (words.size() > 2 && words[2] == type) return words[1];
  }
  return "";
}

std::vector<std::string> FilesIn(const std::string& folder) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(folder.c_str()), closedir);
  while (const dirent* entry = dir ? readdir(dir.get()) : nullptr) {
    const std::string name = entry->d_name;
    // As sudo does: names with a dot or a tilde at the end are left out.
    if (name.find('.') == std::string::npos && name.back() != '~') names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string Some(const std::vector<std::string>& names) {
  if (names.size() <= kNamesShown) return absl::StrJoin(names, ", ");
  return absl::StrCat(absl::StrJoin(names.begin(), names.begin() + kNamesShown, ", "), " and ",
                      names.size() - kNamesShown, " more");
}

}  // namespace

ProbeHost ThisHost() {
  utsname name{};
  uname(&name);
  return {.root = "", .is_root = geteuid() == 0, .kernel_release = name.release};
}

ProbeResult ProbeRights(const ProbeHost& host) {
  if (host.is_root) return {"rights", Level::kOk, "this is root"};
  return {"rights", Level::kWarning, "this is not root: some checks see less", "run it with sudo"};
}

ProbeResult ProbeKernel(const ProbeHost& host) {
  int major = 0, minor = 0;
  if (sscanf(host.kernel_release.c_str(), "%d.%d", &major, &minor) != 2) {
    return {"kernel", Level::kWarning, absl::StrCat("version ", host.kernel_release, " is not understood")};
  }
  if (major > kKernelMajor || (major == kKernelMajor && minor >= kKernelMinor)) {
    return {"kernel", Level::kOk, host.kernel_release};
  }
  return {"kernel", Level::kBad, absl::StrCat(host.kernel_release, " is older than what Holdpoint is tested on"),
          absl::StrCat("use Linux ", kKernelMajor, ".", kKernelMinor, " or later")};
}

ProbeResult ProbeBtf(const ProbeHost& host) {
  if (Exists(host, "/sys/kernel/btf/vmlinux")) return {"btf", Level::kOk, "/sys/kernel/btf/vmlinux"};
  return {"btf", Level::kBad, "this kernel has no type information (/sys/kernel/btf/vmlinux is not there)",
          "use a kernel built with CONFIG_DEBUG_INFO_BTF, as those of the distributions are"};
}

ProbeResult ProbeCgroup(const ProbeHost& host) {
  if (const std::string mount = MountOf(host, "cgroup2"); !mount.empty()) return {"cgroup v2", Level::kOk, mount};
  return {"cgroup v2", Level::kBad, "no cgroup v2 hierarchy is mounted: connects cannot be refused",
          "mount one: mount -t cgroup2 none /sys/fs/cgroup"};
}

ProbeResult ProbeBpffs(const ProbeHost& host) {
  if (const std::string mount = MountOf(host, "bpf"); !mount.empty()) return {"bpffs", Level::kOk, mount};
  return {"bpffs", Level::kBad, "no bpf file system is mounted: nothing would outlive the daemon",
          "mount one: mount -t bpf bpf /sys/fs/bpf"};
}

ProbeResult ProbeLsm(const ProbeHost& host) {
  const std::string list(absl::StripAsciiWhitespace(Read(host, "/sys/kernel/security/lsm")));
  const std::vector<std::string> modules = absl::StrSplit(list, ',');
  if (std::find(modules.begin(), modules.end(), "bpf") != modules.end()) return {"bpf lsm", Level::kOk, list};
  if (list.empty()) {
    return {"bpf lsm", Level::kWarning, "the list of security modules cannot be read",
            "mount it: mount -t securityfs none /sys/kernel/security"};
  }
  return {"bpf lsm", Level::kWarning, absl::StrCat("not in use (", list, "): the next mechanism is taken"),
          "add bpf to the lsm= boot parameter for the strongest guard"};
}

ProbeResult ProbeYama(const ProbeHost& host) {
  const std::string scope(absl::StripAsciiWhitespace(Read(host, "/proc/sys/kernel/yama/ptrace_scope")));
  if (scope == "3") {
    return {"yama", Level::kBad, "ptrace_scope is 3: nobody may attach, a hold becomes a refusal by SIGKILL",
            "set kernel.yama.ptrace_scope to 2 or less and boot again (3 cannot be lowered)"};
  }
  return {"yama", Level::kOk, scope.empty() ? "not built in" : absl::StrCat("ptrace_scope is ", scope)};
}

ProbeResult ProbeUnprivilegedBpf(const ProbeHost& host) {
  if (absl::StripAsciiWhitespace(Read(host, "/proc/sys/kernel/unprivileged_bpf_disabled")) != "0") {
    return {"unprivileged bpf", Level::kOk, "off"};
  }
  return {"unprivileged bpf", Level::kWarning, "every user may load BPF programs",
          "set kernel.unprivileged_bpf_disabled to 1"};
}

ProbeResult ProbePam(const ProbeHost& host, const std::string& service) {
  const std::string path = absl::StrCat("/etc/pam.d/", service), file = host.root + path;
  struct stat st {};
  if (stat(file.c_str(), &st) != 0) {
    return {"pam service", Level::kBad,
            absl::StrCat(path, " is not there: nobody can prove to be there, nothing can be approved"),
            absl::StrCat("install scripts/pam/holdpoint as ", path)};
  }
  if ((st.st_mode & 022) != 0) {
    return {"pam service", Level::kBad, absl::StrCat(path, " can be written by others than root"),
            absl::StrCat("chmod 644 ", path)};
  }
  std::vector<std::string> weak;
  bool auth = false;
  for (const std::string& line : Lines(Read(host, path))) {
    auth = auth || absl::StartsWith(line, "auth") || absl::StartsWith(line, "@include");
    for (const char* word : {"pam_permit", "pam_rootok", "pam_timestamp", "nullok", "pam_succeed_if", "pam_wheel"}) {
      if (absl::StrContains(line, word)) weak.push_back(word);
    }
  }
  if (!auth) {
    return {"pam service", Level::kBad, absl::StrCat(path, " asks for nothing"),
            absl::StrCat("install scripts/pam/holdpoint as ", path)};
  }
  if (weak.empty()) return {"pam service", Level::kOk, path};
  return {"pam service", Level::kBad,
          absl::StrCat(path, " lets somebody pass without a password: ", absl::StrJoin(weak, ", ")),
          absl::StrCat("install scripts/pam/holdpoint as ", path)};
}

ProbeResult ProbeSudo(const ProbeHost& host) {
  std::vector<std::string> files = {"/etc/sudoers"};
  for (const std::string& name : FilesIn(host.root + "/etc/sudoers.d")) files.push_back("/etc/sudoers.d/" + name);
  std::vector<std::string> found;
  bool unread = false;
  for (const std::string& file : files) {
    if (!Exists(host, file)) continue;
    const absl::StatusOr<std::string> text = ReadWholeFile(host.root + file);
    unread = unread || !text.ok();
    if (!text.ok()) continue;
    for (const std::string& line : Lines(*text)) {
      if (!absl::StrContains(line, "NOPASSWD") && !absl::StrContains(line, "!authenticate")) continue;
      found.push_back(
          absl::StrCat(file, ": ", std::vector<std::string>(absl::StrSplit(line, absl::ByAnyChar(" \t")))[0]));
    }
  }
  if (!found.empty()) {
    return {"sudo", Level::kWarning, absl::StrCat("root without a password for ", Some(found)),
            "a session of such a user can become root; it still cannot approve, but it can stop the daemon"};
  }
  if (unread) return {"sudo", Level::kWarning, "the sudoers files can be read by root only", "run it with sudo"};
  return {"sudo", Level::kOk, "no rule without a password"};
}

ProbeResult ProbeRootGroups(const ProbeHost& host) {
  static constexpr const char* kAsGoodAsRoot[] = {"docker", "podman",  "lxd",  "incus", "incus-admin",
                                                  "libvirt", "disk"};
  std::vector<std::string> found;
  const std::vector<std::string> accounts = Lines(Read(host, "/etc/passwd"));
  for (const std::string& line : Lines(Read(host, "/etc/group"))) {
    const std::vector<std::string> fields = absl::StrSplit(line, ':');
    if (fields.size() < 4 ||
        std::none_of(std::begin(kAsGoodAsRoot), std::end(kAsGoodAsRoot), [&](const char* name) { return fields[0] == name; })) {
      continue;
    }
    std::vector<std::string> members = absl::StrSplit(fields[3], ',', absl::SkipEmpty());
    for (const std::string& account : accounts) {  // whose first group it is
      const std::vector<std::string> of = absl::StrSplit(account, ':');
      if (of.size() > 3 && of[3] == fields[2] && of[2] != "0") members.push_back(of[0]);
    }
    if (!members.empty()) found.push_back(absl::StrCat(fields[0], ": ", absl::StrJoin(members, ",")));
  }
  if (found.empty()) return {"groups", Level::kOk, "nobody is in a group that is as good as root"};
  return {"groups", Level::kWarning, absl::StrCat("as good as root: ", Some(found)),
          "a member writes any file of this host (a container that mounts /, the disk below the files), outside every "
          "session; take whoever runs coding agents out of the group"};
}

ProbeResult ProbeEngineSockets(const ProbeHost& host) {
  static constexpr const char* kSockets[] = {"/run/docker.sock", "/run/podman/podman.sock", "/run/containerd/containerd.sock",
                                             "/var/lib/incus/unix.socket", "/run/libvirt/libvirt-sock"};
  std::vector<std::string> open;
  for (const char* path : kSockets) {
    struct stat st {};
    // One that everybody may write to can still ask who it is: libvirt's does.
    if (stat(absl::StrCat(host.root, path).c_str(), &st) == 0 && (st.st_mode & 002) != 0 &&
        !absl::StrContains(path, "libvirt")) {
      open.push_back(path);
    }
  }
  if (open.empty()) return {"engine sockets", Level::kOk, "no container engine lets everybody in"};
  return {"engine sockets", Level::kWarning, absl::StrCat("everybody is as good as root: ", Some(open)),
          "chmod o-rw on them, in the unit or configuration that makes them"};
}

std::vector<ProbeResult> ProbeAll(const ProbeHost& host) {
  return {ProbeRights(host), ProbeKernel(host),          ProbeBtf(host),
          ProbeCgroup(host), ProbeBpffs(host),           ProbeLsm(host),
          ProbeYama(host),   ProbeUnprivilegedBpf(host), ProbeNamedPam(host),
          ProbeSudo(host),   ProbeRootGroups(host),      ProbeEngineSockets(host),
          ProbeOwnerKeys(host), ProbeConfiguration(host)};
}

}  // namespace holdpoint
