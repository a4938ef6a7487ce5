#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace holdpoint {

// One thing that `holdpoint doctor` looked at by itself.
struct ProbeResult {
  enum class Level { kOk, kWarning, kBad };  // a warning is something to know, not something to mend
  std::string check;
  Level level = Level::kOk;
  std::string detail;
  std::string advice = {};
};

// Where the probes look: "" for this host, a folder with a tree of its own for tests.
struct ProbeHost {
  std::string root = "";
  std::string configuration = "/etc/holdpoint/holdpoint.yaml";  // below root
  bool is_root = true;
  std::string kernel_release = "";  // as uname(2) gives it
};
ProbeHost ThisHost();

// What Holdpoint needs of the host, and what weakens it there. Reads files only; needs no daemon. A file that cannot
// be read for want of rights is said as such.
ProbeResult ProbeRights(const ProbeHost& host);
ProbeResult ProbeKernel(const ProbeHost& host);  // 6.1 or later
ProbeResult ProbeBtf(const ProbeHost& host);
ProbeResult ProbeCgroup(const ProbeHost& host);
ProbeResult ProbeBpffs(const ProbeHost& host);
ProbeResult ProbeLsm(const ProbeHost& host);
ProbeResult ProbeYama(const ProbeHost& host);
ProbeResult ProbeUnprivilegedBpf(const ProbeHost& host);
ProbeResult ProbePam(const ProbeHost& host, const std::string& service);
ProbeResult ProbeSudo(const ProbeHost& host);           // NOPASSWD: uid 0 proves nobody
ProbeResult ProbeRootGroups(const ProbeHost& host);     // docker, lxd, libvirt, disk: as good as root
ProbeResult ProbeEngineSockets(const ProbeHost& host);  // whom a container engine's socket lets in
ProbeResult ProbeOwnerKeys(const ProbeHost& host);      // /etc/holdpoint/presence.d
ProbeResult ProbeConfiguration(const ProbeHost& host);  // SCRAM with an old librdkafka

// The same with the service that presence.d/service names, where only root can have written it.
ProbeResult ProbeNamedPam(const ProbeHost& host);

// Where the configuration names brokers: connection, identity, topics, the right to write to them, tried for some seconds
// by holdpoint-stream beside this program. Nothing where it names none.
std::vector<ProbeResult> ProbeKafka(const ProbeHost& host);

// A row for each sink of the configuration: whether it can work, and what its counters say.
std::vector<ProbeResult> ProbeSinks(const ProbeHost& host);

std::vector<ProbeResult> ProbeAll(const ProbeHost& host);

// What of `sudo -n -l -U USER` (in the C locale) lets that user become root without a password: rules, and a default.
std::vector<std::string> PasswordlessRules(absl::string_view listed);
// Minutes for which sudo asks no second time, from the same text; 15 where it does not say.
double SudoTimeoutMinutes(absl::string_view listed);
// Whether a time stamp file of sudo (sudoers_timestamp(5), version 2) holds an entry of the last `minutes` before `now`
// on CLOCK_BOOTTIME. Negative minutes never end.
bool HasLiveTimestamp(absl::string_view file, double minutes, absl::Duration now);

// A row for each user: asks this host's sudo, which knows aliases, groups and directories that its files do not show.
std::vector<ProbeResult> ProbeSudoOf(const std::vector<std::string>& users);

}  // namespace holdpoint
