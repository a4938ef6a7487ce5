#pragma once

#include <string>
#include <vector>

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
ProbeResult ProbeRootGroups(const ProbeHost& host);     // docker, lxd, libvirt: as good as root
ProbeResult ProbeConfiguration(const ProbeHost& host);  // /etc/holdpoint/holdpoint.yaml, SCRAM with an old librdkafka

// The PAM service that the configuration names.
std::string PresenceService(const ProbeHost& host);

std::vector<ProbeResult> ProbeAll(const ProbeHost& host);

}  // namespace holdpoint
