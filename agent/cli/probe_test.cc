#include "agent/cli/probe.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace holdpoint {
namespace {

using ::testing::HasSubstr;
using Level = ProbeResult::Level;

// A host made of the files that are named.
class FakeHost {
 public:
  FakeHost(const FakeHost&) = delete;
  explicit FakeHost(const std::map<std::string, std::string>& files) {
    char name[] = "/tmp/hp-probe-XXXXXX";
    root_ = mkdtemp(name);
    for (const auto& [path, content] : files) {
      std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
      std::ofstream(root_ + path) << content;
      chmod((root_ + path).c_str(), 0644);
    }
  }
  ~FakeHost() { std::filesystem::remove_all(root_); }
  ProbeHost host(const std::string& kernel = "6.1.0-28-amd64") const {
    return {.root = root_, .is_root = true, .kernel_release = kernel};
  }
  const std::string& root() const { return root_; }

 private:
  std::string root_;
};

struct Case {
  std::string name;
  ProbeResult (*probe)(const ProbeHost&);
  std::map<std::string, std::string> files;
  Level level;
  std::string detail;  // part of it
};

ProbeResult ProbeHoldpointPam(const ProbeHost& host) { return ProbePam(host, "holdpoint"); }

const char kMounts[] = "/proc/self/mounts";
const char kKeyLine[] = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMzcrXQtlNSb/91MbZLloC3wtRF7PrATC3CvDN5SY36F dana\n";
const char kService[] = "/etc/holdpoint/presence.d/service";
const char kPam[] = "/etc/pam.d/holdpoint";
const char kConfiguration[] = "/etc/holdpoint/holdpoint.yaml";

class ProbeTest : public ::testing::TestWithParam<Case> {};

TEST(NamedConfiguration, LooksAtTheConfigurationThatIsNamed) {
  const FakeHost fake({{kConfiguration, "version: 1\n"}, {"/srv/other.yaml", "version: [\n"}});
  ProbeHost host = fake.host();
  EXPECT_EQ(ProbeConfiguration(host).detail, kConfiguration);
  host.configuration = "/srv/other.yaml";
  EXPECT_THAT(ProbeConfiguration(host).detail, HasSubstr("/srv/other.yaml:"));
}

TEST_P(ProbeTest, Table) {
  const FakeHost fake(GetParam().files);
  const ProbeResult result = GetParam().probe(fake.host());
  EXPECT_EQ(static_cast<int>(result.level), static_cast<int>(GetParam().level)) << result.detail;
  EXPECT_THAT(result.detail, HasSubstr(GetParam().detail));
  if (result.level == Level::kBad) {
    EXPECT_NE(result.advice, "") << "bad without what to do";
  }
}

INSTANTIATE_TEST_SUITE_P(
    Hosts, ProbeTest,
    testing::Values(
        Case{"BtfThere", ProbeBtf, {{"/sys/kernel/btf/vmlinux", "x"}}, Level::kOk, ""},
        Case{"BtfMissing", ProbeBtf, {}, Level::kBad, "no type information"},
        Case{"CgroupUnified", ProbeCgroup, {{kMounts, "none /cg cgroup2 rw 0 0\n"}}, Level::kOk, "/cg"},
        Case{"CgroupV1Only", ProbeCgroup, {{kMounts, "none /cg cgroup rw,cgroup2 0 0\n"}}, Level::kBad, "no cgroup v2"},
        Case{"BpffsMissing", ProbeBpffs, {{kMounts, "bpf /x tmpfs rw 0 0\n"}}, Level::kBad, "no bpf file system"},
        Case{"BpffsThere", ProbeBpffs, {{kMounts, "bpf /sys/fs/bpf bpf rw 0 0\n"}}, Level::kOk, "/sys/fs/bpf"},
        Case{"LsmInUse", ProbeLsm, {{"/sys/kernel/security/lsm", "capability,yama,bpf"}}, Level::kOk, "bpf"},
        Case{"LsmNameThatOnlyContainsIt",
             ProbeLsm,
             {{"/sys/kernel/security/lsm", "xbpf"}},
             Level::kWarning,
             "not in use"},
        Case{"YamaForbids",
             ProbeYama,
             {{"/proc/sys/kernel/yama/ptrace_scope", "3\n"}},
             Level::kBad,
             "nobody may attach"},
        Case{"YamaAdminOnly", ProbeYama, {{"/proc/sys/kernel/yama/ptrace_scope", "2\n"}}, Level::kOk, "2"},
        Case{"UnprivilegedBpf",
             ProbeUnprivilegedBpf,
             {{"/proc/sys/kernel/unprivileged_bpf_disabled", "0\n"}},
             Level::kWarning,
             "every user"},
        Case{"PamMissing", ProbeHoldpointPam, {}, Level::kBad, "nobody can prove"},
        Case{"PamShipped",
             ProbeHoldpointPam,
             {{kPam, "auth required pam_unix.so\naccount required pam_unix.so\n"}},
             Level::kOk,
             ""},
        Case{"PamPermits", ProbeHoldpointPam, {{kPam, "auth sufficient pam_permit.so\n"}}, Level::kBad, "pam_permit"},
        Case{"PamRootIsEnough",
             ProbeHoldpointPam,
             {{kPam, "auth sufficient pam_rootok.so\nauth required pam_unix.so"}},
             Level::kBad,
             "pam_rootok"},
        Case{"PamCommentedOut",
             ProbeHoldpointPam,
             {{kPam, "#auth sufficient pam_permit.so\nauth required pam_unix.so"}},
             Level::kOk,
             ""},
        Case{"PamAsksNothing",
             ProbeHoldpointPam,
             {{kPam, "account required pam_unix.so\n"}},
             Level::kBad,
             "asks for nothing"},
        Case{"PamNamedByRoot",
             ProbeNamedPam,
             {{kService, "second-factor\n"}, {"/etc/pam.d/second-factor", "auth required pam_unix.so\n"}},
             Level::kOk,
             "second-factor"},
        Case{"PamNamedAndMissing", ProbeNamedPam, {{kService, "second-factor\n"}, {kPam, "auth required pam_unix.so\n"}}, Level::kBad, "nobody can prove"},
        Case{"PamNamedByNobody", ProbeNamedPam, {{kPam, "auth required pam_unix.so\n"}}, Level::kOk, kPam},
        Case{"PamNamedWrongly", ProbeNamedPam, {{kService, "../other\n"}}, Level::kBad, "one word"},
        Case{"SudoWithoutPassword",
             ProbeSudo,
             {{"/etc/sudoers.d/ci", "dana ALL=(ALL) NOPASSWD: ALL\n"}},
             Level::kWarning,
             "/etc/sudoers.d/ci: dana"},
        Case{"SudoNeverAuthenticates",
             ProbeSudo,
             {{"/etc/sudoers", "Defaults !authenticate\n"}},
             Level::kWarning,
             "/etc/sudoers: Defaults"},
        Case{"SudoFileThatSudoLeavesOut",
             ProbeSudo,
             {{"/etc/sudoers.d/ci.bak", "dana ALL=(ALL) NOPASSWD: ALL\n"}},
             Level::kOk,
             ""},
        Case{"SudoComment", ProbeSudo, {{"/etc/sudoers", "# dana ALL=(ALL) NOPASSWD: ALL\n"}}, Level::kOk, ""},
        Case{"DockerMembers",
             ProbeRootGroups,
             {{"/etc/group", "docker:x:5:dana,lee\nstaff:x:6:sam\n"}},
             Level::kWarning,
             "docker: dana,lee"},
        Case{"DockerAsFirstGroup",
             ProbeRootGroups,
             {{"/etc/group", "docker:x:5:\n"}, {"/etc/passwd", "root:x:0:5::/:/bin/sh\ndana:x:1000:5::/:/bin/sh\n"}},
             Level::kWarning,
             "docker: dana"},
        Case{"DiskMembers",
             ProbeRootGroups,
             {{"/etc/group", "disk:x:6:dana\nincus-admin:x:7:lee\ndisks:x:8:sam\n"}},
             Level::kWarning,
             "disk: dana, incus-admin: lee"},
        Case{"KeysNone", ProbeOwnerKeys, {}, Level::kOk, "none"},
        Case{"KeysFine",
             ProbeOwnerKeys,
             {{"/etc/holdpoint/presence.d/dana.keys", kKeyLine}, {"/etc/holdpoint/presence.d/lee.txt", "x"}},
             Level::kOk,
             "1 keys"},
        Case{"KeysWrong", ProbeOwnerKeys, {{"/etc/holdpoint/presence.d/dana.keys", "ssh-rsa AAAA"}}, Level::kBad, "line 1"},
        Case{"KeysShared",
             ProbeOwnerKeys,
             {{"/etc/holdpoint/presence.d/dana.keys", kKeyLine}, {"/etc/holdpoint/presence.d/lee.keys", kKeyLine}},
             Level::kWarning,
             "decides for dana and for lee"},
        Case{"DockerEmpty", ProbeRootGroups, {{"/etc/group", "docker:x:5:\n"}}, Level::kOk, ""},
        Case{"ConfigurationMissing", ProbeConfiguration, {}, Level::kOk, "built-in"},
        Case{"ConfigurationWrong",
             ProbeConfiguration,
             {{kConfiguration, "version: [\n"}},
             Level::kBad,
             "holdpoint.yaml:"},
        Case{
            "ConfigurationScram",
            ProbeConfiguration,
            {{kConfiguration,
              "version: 1\nkafka:\n  brokers: [\"127.0.0.1:9092\"]\n  settings:\n    sasl.mechanism: SCRAM-SHA-512\n"}},
            Level::kWarning,
            "2.6.1"},
        Case{"ConfigurationPlain",
             ProbeConfiguration,
             {{kConfiguration,
               "version: 1\nkafka:\n  brokers: [\"127.0.0.1:9092\"]\n  settings:\n    sasl.mechanism: PLAIN\n"}},
             Level::kOk,
             ""}),
    [](const auto& test) { return test.param.name; });

TEST(ProbeKernel, OldestThatIsSupported) {
  EXPECT_EQ(ProbeKernel({.kernel_release = "6.1.0-28-amd64"}).level, Level::kOk);
  EXPECT_EQ(ProbeKernel({.kernel_release = "10.0"}).level, Level::kOk);
  EXPECT_EQ(ProbeKernel({.kernel_release = "6.0.9"}).level, Level::kBad);
  EXPECT_EQ(ProbeKernel({.kernel_release = "5.15.0"}).level, Level::kBad);
  EXPECT_EQ(ProbeKernel({.kernel_release = "strange"}).level, Level::kWarning);
}

TEST(ProbeOwnerKeys, FileThatOthersMayWriteIsBad) {
  const std::string path = "/etc/holdpoint/presence.d/dana.keys";
  const FakeHost fake(std::map<std::string, std::string>{{path, kKeyLine}});
  ASSERT_EQ(chmod((fake.root() + path).c_str(), 0664), 0);
  EXPECT_EQ(ProbeOwnerKeys(fake.host()).level, Level::kBad);
}

TEST(ProbeEngineSockets, OneForEverybodyIsSaid) {
  const FakeHost fake(std::map<std::string, std::string>{{"/run/docker.sock", ""}});
  ASSERT_EQ(chmod((fake.root() + "/run/docker.sock").c_str(), 0660), 0);
  EXPECT_EQ(ProbeEngineSockets(fake.host()).level, Level::kOk);
  ASSERT_EQ(chmod((fake.root() + "/run/docker.sock").c_str(), 0666), 0);
  EXPECT_EQ(ProbeEngineSockets(fake.host()).level, Level::kWarning);
}

TEST(PasswordlessRules, AreReadFromWhatSudoLists) {
  constexpr char kListed[] =
      "Matching Defaults entries for dana on vm:\n    env_reset, mail_badpass,\n    timestamp_timeout=5, use_pty\n\n"
      "User dana may run the following commands on vm:\n    (ALL : ALL) ALL\n    (root) NOPASSWD: /usr/bin/apt, PASSWD: /bin/ls\n";
  EXPECT_EQ(PasswordlessRules(kListed), std::vector<std::string>{"(root) NOPASSWD: /usr/bin/apt, PASSWD: /bin/ls"});
  EXPECT_EQ(SudoTimeoutMinutes(kListed), 5);
  EXPECT_EQ(PasswordlessRules("Matching Defaults entries for dana on vm:\n    !authenticate\n"),
            std::vector<std::string>{"!authenticate"});
  EXPECT_TRUE(PasswordlessRules("User dana is not allowed to run sudo on vm.\n").empty());
  EXPECT_EQ(SudoTimeoutMinutes(""), 15);
}

// Two entries as sudo 1.9 writes them: its lock, and that of a terminal's parent process.
TEST(HasLiveTimestamp, CountsEntriesThatAreNotTakenBackForTheirTime) {
  struct Entry {
    uint16_t version = 2, size = 56, type = 4, flags = 0;
    uint32_t uid = 0;
    int32_t session = 0;
    int64_t start[2] = {}, stamp[2] = {};
    uint64_t parent = 0;
  };
  Entry entries[2];
  entries[1].type = 3;
  entries[1].stamp[0] = 4415;
  const auto file = [&entries] { return std::string(reinterpret_cast<const char*>(entries), sizeof(entries)); };
  ASSERT_EQ(sizeof(Entry), 56u);
  EXPECT_TRUE(HasLiveTimestamp(file(), 15, absl::Seconds(4416)));
  EXPECT_FALSE(HasLiveTimestamp(file(), 15, absl::Seconds(4415 + 15 * 60)));
  EXPECT_TRUE(HasLiveTimestamp(file(), -1, absl::Seconds(4415 + 15 * 60)));
  EXPECT_FALSE(HasLiveTimestamp(file(), 0, absl::Seconds(4416)));
  EXPECT_FALSE(HasLiveTimestamp(file(), 15, absl::Seconds(4414))) << "of another boot";
  entries[1].flags = 1;
  EXPECT_FALSE(HasLiveTimestamp(file(), 15, absl::Seconds(4416)));
  entries[1].flags = 0;
  entries[1].size = 57;
  EXPECT_FALSE(HasLiveTimestamp(file(), 15, absl::Seconds(4416))) << "it is cut";
  EXPECT_FALSE(HasLiveTimestamp("", 15, absl::Seconds(4416)));
}

TEST(ProbeSinks, SaysOfEachWhetherItCanWork) {
  const FakeHost fake(std::map<std::string, std::string>{
      {kConfiguration, "sinks:\n"
                       "  - {name: good, format: json, target: \"file:/var/log/events\"}\n"
                       "  - {name: nowhere, format: json, target: \"file:/no/such/events\"}\n"
                       "  - {name: away, format: cef, target: \"tcp://siem:601\"}\n"
                       "  - {name: late, format: cef, target: \"tcp://siem:602\"}\n"
                       "  - {name: topic, format: ocsf, target: \"kafka:soc\"}\n"},
      {"/var/log/messages", ""},
      {"/var/lib/holdpoint/stream/sinks/good/counters", R"({"delivered": 12})"},
      {"/var/lib/holdpoint/stream/sinks/late/counters", R"({"delivered": 12, "missing": 3})"},
      {"/var/lib/holdpoint/stream/sinks/away/counters",
       R"({"last_failure": "siem: Connection refused", "last_failure_unix_ns": 5})"}});
  const std::vector<ProbeResult> rows = ProbeSinks(fake.host());
  ASSERT_EQ(rows.size(), 5u);
  const std::pair<Level, const char*> wanted[] = {{Level::kOk, "12 delivered"},
                                                  {Level::kBad, "/no/such is no folder"},
                                                  {Level::kBad, "siem: Connection refused"},
                                                  {Level::kWarning, "3 were gone"},
                                                  {Level::kBad, "there are no brokers"}};
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(static_cast<int>(rows[i].level), static_cast<int>(wanted[i].first)) << rows[i].check;
    EXPECT_THAT(rows[i].detail, HasSubstr(wanted[i].second));
  }
  EXPECT_TRUE(ProbeSinks(FakeHost(std::map<std::string, std::string>{{kConfiguration, "sinks: []\n"}}).host()).empty());
}

TEST(ProbePam, FileThatOthersMayWriteIsBad) {
  const FakeHost fake(std::map<std::string, std::string>{{kPam, "auth required pam_unix.so\n"}});
  ASSERT_EQ(chmod((fake.root() + kPam).c_str(), 0666), 0);
  EXPECT_EQ(ProbePam(fake.host(), "holdpoint").level, Level::kBad);
}

TEST(ProbePam, ServiceThatOthersMayHaveChosenIsBad) {
  const FakeHost fake(std::map<std::string, std::string>{{kService, "other\n"}});
  ASSERT_EQ(chmod((fake.root() + kService).c_str(), 0666), 0);
  const ProbeResult result = ProbeNamedPam(fake.host());
  EXPECT_EQ(result.level, Level::kBad);
  EXPECT_NE(result.detail.find("by others than root"), std::string::npos) << result.detail;
}

TEST(ProbeAll, SaysSomethingOfThisHostAndOfAnEmptyOne) {
  const FakeHost empty(std::map<std::string, std::string>{});
  EXPECT_EQ(ProbeAll(ThisHost()).size(), ProbeAll(empty.host()).size());
}

}  // namespace
}  // namespace holdpoint
