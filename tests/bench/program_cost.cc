// What each kernel program costs, by the kernel's own run-time statistics: verified instructions, runs, time of a run.
// Needs root; works in a cgroup and on pins of its own. Run it on an idle machine: program_cost [execs]
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "agent/base/file_id.h"
#include "tests/bpf/fixture.h"

namespace holdpoint {
namespace {

struct Cost {
  std::string name;
  uint32_t instructions = 0;
  uint64_t runs = 0;
  uint64_t ns = 0;
};

// Every loaded program whose name begins with hp_, by id.
std::map<uint32_t, Cost> Costs() {
  std::map<uint32_t, Cost> costs;
  for (uint32_t id = 0; bpf_prog_get_next_id(id, &id) == 0;) {
    const UniqueFd fd(bpf_prog_get_fd_by_id(id));
    bpf_prog_info info = {};
    uint32_t size = sizeof(info);
    if (!fd.ok() || bpf_obj_get_info_by_fd(fd.get(), &info, &size) != 0) continue;
    if (std::string(info.name).rfind("hp_", 0) != 0) continue;
    costs[id] = {info.name, info.verified_insns, info.run_cnt, info.run_time_ns};
  }
  return costs;
}

void Report(const char* what, const std::map<uint32_t, Cost>& before, const std::map<uint32_t, Cost>& others) {
  printf("%s\n", what);
  for (const auto& [id, cost] : Costs()) {
    const auto earlier = before.find(id);
    if (others.contains(id) || earlier == before.end() || cost.runs == earlier->second.runs) continue;
    const uint64_t runs = cost.runs - earlier->second.runs;
    const uint64_t ns = cost.ns - earlier->second.ns;
    printf("  %-16s %8u verified instructions %10llu runs %8.0f ns each\n", cost.name.c_str(), cost.instructions,
           static_cast<unsigned long long>(runs), static_cast<double>(ns) / static_cast<double>(runs));
  }
}

int Execs(int times) {
  for (int i = 0; i < times; ++i) RunProgram({"/bin/true", "an", "argument", "of", "some", "length"});
  return 0;
}

int Connects(int times) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(9);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0; i < times; ++i) {
    const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    (void)connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to));
  }
  return 0;
}

int Main(int times) {
  if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("bpf", "/sys/fs/bpf", "bpf", 0, nullptr) != 0) {
    perror("program_cost: needs root");
    return 77;
  }
  const std::map<uint32_t, Cost> others = Costs();
  TestCgroup scope("cost");
  Kernel::Options options;
  options.scope_cgroup = scope.path();
  options.pin_dir = "/sys/fs/bpf/holdpoint-cost";
  auto kernel = Kernel::Open(options);
  if (!kernel.ok()) {
    fprintf(stderr, "program_cost: %s\n", kernel.status().ToString().c_str());
    return 69;
  }
  for (const Rung& rung : (*kernel)->Rungs()) printf("%s: %s\n", rung.capability.c_str(), rung.in_use.c_str());
  MiniGate gate(**kernel);
  struct stat st;
  if (stat("/bin/true", &st) != 0) return 70;
  const UniqueFd stats(bpf_enable_stats(BPF_STATS_RUN_TIME));
  if (!(*kernel)->SetPolicyGeneration(1).ok() || !(*kernel)->SetAgentNames({"claude", "codex", "mini"}).ok() ||
      !(*kernel)->SetRecognition(true, 0, 0).ok()) {
    return 70;
  }

  const auto phase = [&](const char* what, uint32_t session_flags, const TestCgroup* cgroup,
                         std::function<int()> body) {
    Child child = Child::Fork(cgroup, std::move(body));
    if (session_flags != 0) {
      const auto session = (*kernel)->NewSession({.environment = 1, .flags = session_flags});
      if (!session.ok() || !(*kernel)->LabelTree(child.pidfd(), *session, HP_LABEL_ROOT, {}).ok()) return;
    }
    const auto before = Costs();
    child.Go();
    gate.RunUntilEnd(child);
    gate.execs.clear();
    gate.exits.clear();
    gate.connects.clear();
    Report(what, before, others);
  };
  const uint32_t enforce = HP_SESSION_CONFIRMED | HP_SESSION_ENFORCE;
  phase("exec outside the scope", 0, nullptr, [times] { return Execs(times); });
  phase("exec in the scope, no session (looked at for recognition)", 0, &scope, [times] { return Execs(times); });
  phase("exec in a session, asked and continued", enforce, &scope, [times] { return Execs(times); });
  if (!(*kernel)->SetClass(FileIdFromStat(st), HP_CLASS_HARMLESS, 0, 1).ok()) return 70;
  phase("exec in a session, harmless", enforce, &scope, [times] { return Execs(times); });
  if (!(*kernel)->SetGuards(true).ok()) return 70;
  phase("the same with the guards attached", enforce, &scope, [times] { return Execs(times); });
  phase("exec outside the scope with the guards attached", 0, nullptr, [times] { return Execs(times); });
  phase("connect in a session", enforce, &scope, [times] { return Connects(times); });
  phase("connect outside a session", 0, &scope, [times] { return Connects(times); });
  return (*kernel)->Detach().ok() ? 0 : 70;
}

}  // namespace
}  // namespace holdpoint

int main(int argc, char** argv) { return holdpoint::Main(argc > 1 ? atoi(argv[1]) : 5000); }
