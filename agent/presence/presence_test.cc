// holdpoint-presence against real PAM and NSS, with an /etc of the test's own in a mount namespace of its own: no
// account of this machine is read or made.
#include <crypt.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "agent/base/fd.h"
#include "agent/base/status.h"
#include "agent/presence/owners.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace holdpoint {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kPassword[] = "correct horse battery";

std::string Helper() { return absl::StrCat(getenv("HP_BUILD_DIR"), "/bin/holdpoint-presence"); }

void Write(const std::string& path, const std::string& content, mode_t mode = 0644) {
  std::ofstream(path) << content;
  ASSERT_EQ(chmod(path.c_str(), mode), 0) << path;
}

std::string ShippedService() {
  std::ifstream file(absl::StrCat(getenv("HP_SOURCE_DIR"), "/scripts/pam/holdpoint"));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class PresenceTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_EQ(geteuid(), 0u) << "needs root: unshare(CLONE_NEWNS)";
    ASSERT_EQ(unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(mount("tmpfs", "/etc", "tmpfs", 0, "mode=0755"), 0);
    ASSERT_EQ(mount("tmpfs", "/run", "tmpfs", 0, "mode=0755"), 0);  // No name service cache answers from outside.
    ASSERT_EQ(mkdir("/etc/pam.d", 0755), 0);
  }

  void SetUp() override {
    const char* hash = crypt(kPassword, "$6$saltofthetest$");
    ASSERT_NE(hash, nullptr);
    ASSERT_EQ(std::string(hash).substr(0, 3), "$6$");
    Write("/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\n");
    Write("/etc/passwd",
          "root:x:0:0::/root:/bin/sh\n"
          "dana:x:1000:1000::/:/bin/sh\n"
          "lee:x:1001:500::/:/bin/sh\n"  // first group: ops
          "locked:x:1002:1002::/:/bin/sh\n"
          "expired:x:1003:1003::/:/bin/sh\n"
          "empty:x:1004:1004::/:/bin/sh\n");
    Write("/etc/shadow",
          absl::StrCat("root:*:19000:0:99999:7:::\n", "dana:", hash, ":19000:0:99999:7:::\n", "lee:", hash,
                       ":19000:0:99999:7:::\n", "locked:!", hash, ":19000:0:99999:7:::\n", "expired:", hash,
                       ":19000:0:99999:7::100:\n", "empty::19000:0:99999:7:::\n"),
          0600);
    Write("/etc/group",
          "root:x:0:\ndana:x:1000:\nops:x:500:dana,locked,nobody-there\nwheel:x:10:locked\nadmin:x:11:lee\n");
    Write("/etc/pam.d/holdpoint", ShippedService());
    Write("/etc/pam.d/other", "auth required pam_permit.so\naccount required pam_permit.so\n");
  }

  struct Ended {
    int wait_status = 0;
    std::string output;
  };
  // Runs the helper as the daemon does: the password on descriptor 3, its answer from standard output.
  static Ended Run(std::vector<std::string> args, const std::string& password) {
    int in[2], out[2];
    EXPECT_EQ(pipe2(in, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(out, O_CLOEXEC), 0);
    EXPECT_EQ(write(in[1], password.data(), password.size()), static_cast<ssize_t>(password.size()));
    close(in[1]);
    args.insert(args.begin(), Helper());
    std::vector<char*> argv;
    for (std::string& arg : args) argv.push_back(arg.data());
    argv.push_back(nullptr);
    const pid_t child = fork();
    if (child == 0) {
      dup2(out[1], 1);
      if (in[0] == 3) fcntl(3, F_SETFD, 0);
      if (in[0] != 3) dup2(in[0], 3);
      execv(argv[0], argv.data());
      _exit(99);
    }
    close(in[0]);
    close(out[1]);
    Ended ended;
    char part[4096];
    for (ssize_t got; (got = read(out[0], part, sizeof(part))) > 0;)
      ended.output.append(part, static_cast<size_t>(got));
    close(out[0]);
    EXPECT_EQ(waitpid(child, &ended.wait_status, 0), child);
    return ended;
  }
  static int Prove(const std::string& user, const std::string& password, const std::string& service = "holdpoint") {
    const Ended ended = Run({"--service", service, "--user", user}, password);
    EXPECT_EQ(ended.output, "");
    return WIFEXITED(ended.wait_status) ? WEXITSTATUS(ended.wait_status) : -1;
  }
  static std::vector<std::string> Resolve(std::vector<std::string> names) {
    names.insert(names.begin(), "--resolve");
    const Ended ended = Run(names, "");
    if (ended.wait_status != 0) return {absl::StrCat("exit ", WEXITSTATUS(ended.wait_status))};
    const auto owners = ParseEligibleOwners(ended.output);
    if (!owners.ok()) return {owners.status().ToString()};
    std::vector<std::string> texts;
    for (const EligibleOwner& o : *owners) texts.push_back(absl::StrCat(o.user, " ", o.uid, " ", o.through));
    return texts;
  }
};

TEST_F(PresenceTest, RightPasswordProves) { EXPECT_EQ(Prove("dana", kPassword), 0); }

TEST_F(PresenceTest, WrongPasswordIsANo) { EXPECT_EQ(Prove("dana", "wrong"), 77); }

TEST_F(PresenceTest, LineFeedBelongsToThePassword) { EXPECT_EQ(Prove("dana", absl::StrCat(kPassword, "\n")), 77); }

TEST_F(PresenceTest, NoPasswordIsANoEvenForAnAccountWithoutOne) {
  EXPECT_EQ(Prove("empty", ""), 77);
  EXPECT_EQ(Prove("empty", "x"), 77);
}

TEST_F(PresenceTest, LockedAccountIsANo) { EXPECT_EQ(Prove("locked", kPassword), 77); }

TEST_F(PresenceTest, ExpiredAccountIsANoThoughThePasswordIsRight) { EXPECT_EQ(Prove("expired", kPassword), 77); }

TEST_F(PresenceTest, UnknownUserIsANo) { EXPECT_EQ(Prove("nobody-there", kPassword), 77); }

TEST_F(PresenceTest, PasswordThatIsTooLongOrHoldsANulIsANo) {
  EXPECT_EQ(Prove("dana", std::string(128, 'x')), 77);
  EXPECT_EQ(Prove("dana", std::string(kPassword) + std::string("\0x", 2)), 77);
}

// PAM would take /etc/pam.d/other, which permits everything here.
TEST_F(PresenceTest, WithoutTheServiceFileNothingIsProven) {
  ASSERT_EQ(unlink("/etc/pam.d/holdpoint"), 0);
  EXPECT_EQ(Prove("dana", kPassword), 69);
}

TEST_F(PresenceTest, ServiceNameCannotLeaveItsFolder) { EXPECT_EQ(Prove("dana", kPassword, "../pam.d/other"), 2); }

TEST_F(PresenceTest, MissingModuleIsUnavailableAndNoYes) {
  Write("/etc/pam.d/holdpoint", "auth required pam_not_there.so\naccount required pam_unix.so\n");
  EXPECT_EQ(Prove("dana", kPassword), 69);
}

// A module that hangs ends with the helper's alarm, also under a parent that ignores the signal.
TEST_F(PresenceTest, AlarmEndsTheHelperThoughItsParentIgnoredIt) {
  Write("/etc/look", "#!/bin/sh\nkill -ALRM $PPID\nexit 1\n", 0755);
  Write("/etc/pam.d/holdpoint", "auth required pam_exec.so quiet /etc/look\naccount required pam_unix.so\n");
  signal(SIGALRM, SIG_IGN);
  const Ended ended = Run({"--service", "holdpoint", "--user", "dana"}, kPassword);
  signal(SIGALRM, SIG_DFL);
  ASSERT_TRUE(WIFSIGNALED(ended.wait_status));
  EXPECT_EQ(WTERMSIG(ended.wait_status), SIGALRM);
}

TEST_F(PresenceTest, WrongUseIsToldApart) {
  EXPECT_EQ(WEXITSTATUS(Run({}, "").wait_status), 2);
  EXPECT_EQ(WEXITSTATUS(Run({"--user", "dana"}, "").wait_status), 2);
  EXPECT_EQ(WEXITSTATUS(Run({"--service", "holdpoint", "--user", ""}, "x").wait_status), 2);
}

// What a module and a session could learn from the helper: its limits, environment and descriptors.
TEST_F(PresenceTest, HelperHasNoEnvironmentNoCoreAndNoOtherDescriptors) {
  ASSERT_EQ(setenv("SECRET_OF_THE_DAEMON", "1", 1), 0);
  UniqueFd inherited(open("/dev/null", O_RDONLY));  // not close-on-exec
  Write(
      "/etc/look",
      "#!/bin/sh\n{ env; ulimit -c; ls -l /proc/$PPID/fd; ps -o sid= -p $PPID 2>/dev/null; } >/etc/seen 2>&1\nexit 1\n",
      0755);
  Write("/etc/pam.d/holdpoint", "auth required pam_exec.so quiet /etc/look\naccount required pam_unix.so\n");
  EXPECT_EQ(Prove("dana", kPassword), 69);
  std::ifstream file("/etc/seen");
  std::stringstream seen;
  seen << file.rdbuf();
  EXPECT_THAT(seen.str(), HasSubstr("PAM_USER=dana"));
  EXPECT_THAT(seen.str(), ::testing::Not(HasSubstr("SECRET_OF_THE_DAEMON")));
  EXPECT_THAT(seen.str(), HasSubstr("\n0\n"));
  EXPECT_THAT(seen.str(), ::testing::Not(HasSubstr(absl::StrCat(" ", inherited.get(), " ->"))));
}

TEST_F(PresenceTest, ResolvesUsersAndGroupsToThoseWhoCanProve) {
  EXPECT_THAT(Resolve({"dana"}), ElementsAre("dana 1000 dana"));
  EXPECT_THAT(Resolve({"%ops"}), ElementsAre("dana 1000 %ops", "lee 1001 %ops"));
  EXPECT_THAT(Resolve({"lee", "%ops"}), ElementsAre("lee 1001 lee", "dana 1000 %ops", "lee 1001 %ops"));
  EXPECT_THAT(Resolve({"dana", "dana"}), ElementsAre("dana 1000 dana"));
  EXPECT_THAT(Resolve({"locked", "expired", "empty", "root", "nobody-there", "%nothing", "", "%"}), IsEmpty());
}

TEST_F(PresenceTest, WithoutNamesTheAdminGroupInWhichSomebodyIsEligible) {
  EXPECT_THAT(Resolve({}), ElementsAre("lee 1001 %admin"));
}

TEST_F(PresenceTest, OwnersAreBounded) {
  EXPECT_THAT(Resolve(std::vector<std::string>(129, "dana")), ElementsAre("exit 2"));
  std::string passwd, shadow, group = "many:x:700:";
  for (int i = 0; i < 600; ++i) {
    absl::StrAppend(&passwd, "user", i, ":x:", 2000 + i, ":2000::/:/bin/sh\n");
    absl::StrAppend(&shadow, "user", i, ":$6$a$b:19000:0:99999:7:::\n");
    absl::StrAppend(&group, i ? "," : "", "user", i);
  }
  Write("/etc/passwd", passwd);
  Write("/etc/shadow", shadow, 0600);
  Write("/etc/group", group + "\n");
  EXPECT_EQ(Resolve({"%many"}).size(), kMaxEligibleOwners);
}

TEST(EligibleOwners, ReadsOnlyItsOwnLines) {
  const std::vector<EligibleOwner> owners = {{.user = "dana", .uid = 1000, .through = "%ops"}};
  EXPECT_EQ(*ParseEligibleOwners(FormatEligibleOwners(owners)), owners);
  for (const char* bad : {"dana", "dana x %ops", "dana 1 %ops more", "dana 99999999999 %ops", " 1 x", "d\x1b 1 x"}) {
    EXPECT_EQ(ParseEligibleOwners(bad).status().code(), absl::StatusCode::kDataLoss) << bad;
  }
}

}  // namespace
}  // namespace holdpoint
