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
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "agent/base/fd.h"
#include "agent/base/status.h"
#include "agent/presence/owners.h"
#include "agent/presence/totp.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace holdpoint {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kPassword[] = "correct horse battery";
constexpr char kKeys[] = "/etc/presence.d", kCodes[] = "/etc/codes";
constexpr char kService[] = "/etc/presence.d/service";

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
    ASSERT_EQ(mkdir(kKeys, 0755), 0);
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
    std::filesystem::remove_all(kCodes);
    ASSERT_EQ(chmod(kKeys, 0755), 0);
    for (const char* name : {"service", "dana.keys", "locked.keys", "expired.keys"}) unlink(absl::StrCat(kKeys, "/", name).c_str());
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
  static int Prove(const std::string& user, const std::string& password) { return ProveBy("password", user, password).exit; }
  struct Said {
    int exit = -1;
    std::string line;
  };
  static Said ProveBy(const std::string& by, const std::string& user, const std::string& secret,
                      const std::string& challenge = "") {
    const Ended ended = Run({"prove", "--user", user, "--by", by, "--keys", kKeys, "--codes", kCodes, "--challenge", challenge},
                            secret);
    const int exit = WIFEXITED(ended.wait_status) ? WEXITSTATUS(ended.wait_status) : -1;
    return {exit, ended.output};
  }
  static std::vector<std::string> Resolve(std::vector<std::string> names) {
    names.insert(names.begin(), {"resolve", "--keys", kKeys, "--codes", kCodes, "--"});
    const Ended ended = Run(names, "");
    if (ended.wait_status != 0) return {absl::StrCat("exit ", WEXITSTATUS(ended.wait_status))};
    const auto owners = ParseEligibleOwners(ended.output);
    if (!owners.ok()) return {owners.status().ToString()};
    std::vector<std::string> texts;
    for (const EligibleOwner& o : *owners) texts.push_back(absl::StrCat(o.user, " ", o.uid, " ", o.through, o.methods == "pam" ? "" : " " + o.methods));
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

TEST_F(PresenceTest, AModuleThatPrintsSaysNothingToTheDaemon) {
  Write("/etc/look", "#!/bin/sh\necho pam\nexit 1\n", 0755);
  Write("/etc/pam.d/holdpoint", "auth required pam_exec.so stdout /etc/look\naccount required pam_unix.so\n");
  const Said said = ProveBy("password", "dana", kPassword);
  EXPECT_NE(said.exit, 0);
  EXPECT_THAT(said.line, HasSubstr("PAM could not be asked"));
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

// Only the file of root names another service: nothing that the daemon passes on does.
TEST_F(PresenceTest, TheServiceIsTheOneThatRootWroteDown) {
  Write("/etc/pam.d/second-factor", "auth required pam_deny.so\naccount required pam_unix.so\n");
  Write(kService, "second-factor\n");
  EXPECT_EQ(Prove("dana", kPassword), 77);
  Write("/etc/pam.d/second-factor", ShippedService());
  Write("/etc/pam.d/holdpoint", "auth required pam_deny.so\naccount required pam_unix.so\n");
  EXPECT_EQ(Prove("dana", kPassword), 0);
  EXPECT_EQ(WEXITSTATUS(Run({"prove", "--by", "password", "--user", "dana", "--keys", kKeys, "--service", "other"}, kPassword).wait_status), 2);
}

TEST_F(PresenceTest, AServiceThatOthersCouldHaveChosenProvesNothing) {
  Write(kService, "other\n", 0646);
  const Said written = ProveBy("password", "dana", kPassword);
  EXPECT_EQ(written.exit, 78);
  EXPECT_THAT(written.line, HasSubstr("others than root could have written it"));
  ASSERT_EQ(chmod(kService, 0644), 0);
  ASSERT_EQ(chown(kService, 1000, 1000), 0);
  EXPECT_EQ(Prove("dana", kPassword), 78);
  ASSERT_EQ(unlink(kService), 0);
  ASSERT_EQ(chmod(kKeys, 0777), 0);
  EXPECT_EQ(Prove("dana", kPassword), 78) << "anybody could have taken it away";
}

TEST_F(PresenceTest, ServiceNameCannotLeaveItsFolder) {
  for (const char* name : {"../pam.d/other", "", "Other", "a b", "two\nlines\n", "1st"}) {
    Write(kService, name);
    EXPECT_EQ(Prove("dana", kPassword), 78) << name;
  }
}

TEST_F(PresenceTest, MissingModuleIsUnavailableAndNoYes) {
  Write("/etc/pam.d/holdpoint", "auth required pam_not_there.so\naccount required pam_unix.so\n");
  EXPECT_EQ(Prove("dana", kPassword), 69);
}

// A module that hangs ends with the helper's alarm, also under a parent that ignores the signal.
TEST_F(PresenceTest, AlarmEndsTheHelperThoughItsParentIgnoredIt) {
  Write("/etc/look", "#!/bin/sh\nkill -ALRM $PPID\nexit 1\n", 0755);
  Write("/etc/pam.d/holdpoint", "auth required pam_exec.so quiet /etc/look\naccount required pam_unix.so\n");
  signal(SIGALRM, SIG_IGN);
  const Ended ended = Run({"prove", "--by", "password", "--keys", kKeys, "--user", "dana"}, kPassword);
  signal(SIGALRM, SIG_DFL);
  ASSERT_TRUE(WIFSIGNALED(ended.wait_status));
  EXPECT_EQ(WTERMSIG(ended.wait_status), SIGALRM);
}

TEST_F(PresenceTest, WrongUseIsToldApart) {
  EXPECT_EQ(WEXITSTATUS(Run({}, "").wait_status), 2);
  EXPECT_EQ(WEXITSTATUS(Run({"prove", "--user", "dana"}, "x").wait_status), 2);
  EXPECT_EQ(WEXITSTATUS(Run({"prove", "--by", "password", "--user", ""}, "x").wait_status), 2);
  EXPECT_EQ(WEXITSTATUS(Run({"prove", "--by", "code", "--user", "../etc/passwd"}, "x").wait_status), 2);
  EXPECT_EQ(WEXITSTATUS(Run({"prove", "--nonsense", "x"}, "x").wait_status), 2);
}

// What a module and a session could learn from the helper: its limits, environment and descriptors.
TEST_F(PresenceTest, HelperHasNoEnvironmentNoCoreAndNoOtherDescriptors) {
  ASSERT_EQ(setenv("SECRET_OF_THE_DAEMON", "1", 1), 0);
  const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const UniqueFd inherited(fcntl(null.get(), F_DUPFD, 20));  // not close-on-exec, and none that the helper uses
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

// What the store of codes is asked through the helper.
class CodesTest : public PresenceTest {
 protected:
  // A secret in use, made as an owner would.
  void Enrol(const std::string& user, int used_steps_ago = 2) {
    const Ended begun = Run({"begin-code", "--user", user, "--codes", kCodes, "--hash", "sha1", "--digits", "6", "--host", "h"}, "");
    ASSERT_EQ(begun.wait_status, 0) << begun.output;
    EXPECT_THAT(begun.output, HasSubstr("otpauth://totp/Holdpoint:"));
    const auto state = ParseTotpState(Text(absl::StrCat(kCodes, "/", user, ".totp.begun")));
    ASSERT_TRUE(state.ok()) << state.status();
    key_ = state->key;
    ASSERT_EQ(Run({"confirm-code", "--user", user, "--codes", kCodes}, Code(1 - used_steps_ago)).wait_status, 0);
  }
  std::string Code(int steps) const { return TotpCode(key_, TotpStep(absl::Now()) + steps); }
  static std::string Text(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  TotpKey key_;
};

TEST_F(CodesTest, ACodeProvesOnceAlsoInThePlaceOfThePassword) {
  Enrol("dana");
  const std::string code = Code(0);
  EXPECT_EQ(ProveBy("password", "dana", code).line, "totp");
  const Said again = ProveBy("code", "dana", code);
  EXPECT_EQ(again.exit, 77);
  EXPECT_THAT(again.line, HasSubstr("has been used already"));
  EXPECT_EQ(ProveBy("code", "dana", Code(1)).line, "totp");
  EXPECT_EQ(ProveBy("password", "dana", kPassword).line, "pam") << "the password goes on to count";
  EXPECT_EQ(ProveBy("code", "dana", kPassword).exit, 77) << "as a code it is none";
}

TEST_F(CodesTest, ACodeOfAnotherOwnerIsANo) {
  Enrol("lee");
  Enrol("dana");  // The code is hers.
  EXPECT_EQ(ProveBy("code", "lee", Code(0)).exit, 77);
  EXPECT_EQ(ProveBy("code", "dana", Code(0)).exit, 0);
  EXPECT_EQ(ProveBy("code", "empty", Code(0)).exit, 69) << "none is known";
}

TEST_F(CodesTest, DigitsThatAreThePasswordAreNoGuess) {
  const char* hash = crypt("271828", "$6$saltofthetest$");
  Write("/etc/shadow", absl::StrCat("dana:", hash, ":19000:0:99999:7:::\n"), 0600);
  Enrol("dana");
  for (int i = 0; i < kTotpFreeFailures + 1; ++i) EXPECT_EQ(ProveBy("password", "dana", "271828").line, "pam");
  EXPECT_EQ(ProveBy("code", "dana", Code(0)).exit, 0);
}

TEST_F(CodesTest, TooManyWrongCodesCloseItAndThePasswordStaysOpen) {
  Enrol("dana");
  std::string wrong = Code(0);
  for (char& digit : wrong) digit = digit == '9' ? '0' : static_cast<char>(digit + 1);
  const std::string path = absl::StrCat(kCodes, "/dana.totp");
  auto state = ParseTotpState(Text(path));
  ASSERT_TRUE(state.ok());
  state->failures = 10;  // so that it is closed for minutes, not seconds
  Write(path, RenderTotpState(*state), 0600);
  EXPECT_EQ(ProveBy("code", "dana", wrong).line, "the code of dana was not accepted");
  const Said said = ProveBy("code", "dana", Code(0));
  EXPECT_EQ(said.exit, 77);
  EXPECT_THAT(said.line, HasSubstr("too many codes were wrong"));
  EXPECT_EQ(ProveBy("password", "dana", kPassword).exit, 0);
}

TEST_F(CodesTest, ASecretCountsOnlyAfterItsFirstCode) {
  ASSERT_EQ(Run({"begin-code", "--user", "dana", "--codes", kCodes, "--hash", "sha256", "--digits", "8", "--host", "h"}, "").wait_status, 0);
  const auto begun = ParseTotpState(Text(absl::StrCat(kCodes, "/dana.totp.begun")));
  ASSERT_TRUE(begun.ok());
  key_ = begun->key;
  EXPECT_EQ(ProveBy("code", "dana", Code(0)).exit, 69);
  EXPECT_EQ(WEXITSTATUS(Run({"confirm-code", "--user", "dana", "--codes", kCodes}, "00000000x").wait_status), 77);
  EXPECT_EQ(Run({"confirm-code", "--user", "dana", "--codes", kCodes}, Code(0)).wait_status, 0);
  EXPECT_EQ(ProveBy("code", "dana", Code(0)).exit, 77) << "that one is used";
  EXPECT_EQ(ProveBy("code", "dana", Code(1)).exit, 0);
  EXPECT_EQ(WEXITSTATUS(Run({"confirm-code", "--user", "dana", "--codes", kCodes}, Code(1)).wait_status), 69);
  EXPECT_EQ(Run({"remove-code", "--user", "dana", "--codes", kCodes}, "").wait_status, 0);
  EXPECT_EQ(ProveBy("code", "dana", Code(1)).exit, 69);
}

TEST_F(CodesTest, AFileThatOthersCouldReadOrThatIsDamagedProvesNothing) {
  Enrol("dana");
  const std::string path = absl::StrCat(kCodes, "/dana.totp");
  ASSERT_EQ(chmod(path.c_str(), 0644), 0);
  EXPECT_EQ(ProveBy("code", "dana", Code(0)).exit, 78);
  ASSERT_EQ(chmod(path.c_str(), 0600), 0);
  Write(path, Text(path).substr(0, 40), 0600);
  EXPECT_EQ(ProveBy("code", "dana", Code(0)).exit, 69);
  EXPECT_EQ(ProveBy("password", "dana", kPassword).exit, 0);
}

// A step that could not be kept as used is not accepted: it would be accepted again.
TEST_F(CodesTest, WithoutRoomToKeepWhatWasUsedNothingIsAccepted) {
  Enrol("dana");
  ASSERT_EQ(mount(kCodes, kCodes, nullptr, MS_BIND, nullptr), 0);
  ASSERT_EQ(mkdir(absl::StrCat(kCodes, "/dana.totp.new").c_str(), 0700), 0);  // in the way of the new file
  const Said said = ProveBy("code", "dana", Code(0));
  EXPECT_EQ(said.exit, 69);
  EXPECT_THAT(said.line, HasSubstr("can't be kept"));
  ASSERT_EQ(rmdir(absl::StrCat(kCodes, "/dana.totp.new").c_str()), 0);
  ASSERT_EQ(umount(kCodes), 0);
  EXPECT_EQ(ProveBy("code", "dana", Code(0)).exit, 0);
}

TEST_F(CodesTest, SaysHowEachOwnerCanProveToBeThere) {
  Enrol("dana");
  Enrol("locked");
  Enrol("expired");
  Write(absl::StrCat(kKeys, "/dana.keys"), "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMzcrXQtlNSb/91MbZLloC3wtRF7PrATC3CvDN5SY36F\n");
  Write(absl::StrCat(kKeys, "/lee.keys"), "nonsense\n");
  EXPECT_THAT(Resolve({"dana", "lee", "locked", "expired"}), ElementsAre("dana 1000 dana pam,totp,key", "lee 1001 lee", "locked 1002 locked totp"));
  EXPECT_EQ(ProveBy("code", "expired", Code(0)).exit, 77) << "the account has expired";
  unlink(absl::StrCat(kKeys, "/lee.keys").c_str());
}

TEST_F(PresenceTest, AKeyProvesWhatItSigned) {
  const std::string challenge = "holdpoint-decision-1 decision=approve ticket=HP-4K7Q";
  const std::string signature =
      "ssh-sha512.3INEVFAkPKS4N0te.FO5bsVKWA-JVd3W854Csl10fh4jnB4HuuDgrZq2vODll1LtmgDL-B6r0QD5qbS-hntpZIStFqZu5i2YTRR33Cg";
  const std::string keys = absl::StrCat(kKeys, "/dana.keys");
  EXPECT_EQ(ProveBy("signature", "dana", signature, challenge).exit, 69) << "no key is known";
  Write(keys, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMzcrXQtlNSb/91MbZLloC3wtRF7PrATC3CvDN5SY36F\n");
  EXPECT_EQ(ProveBy("signature", "dana", signature, challenge).line,
            "key SHA256:3INEVFAkPKS4N0teKKOkjDQgzLYSJxKWTBqCLmDitB8");
  EXPECT_EQ(ProveBy("signature", "dana", signature, challenge + "X").exit, 77);
  EXPECT_EQ(ProveBy("signature", "dana", signature).exit, 77) << "there is nothing to sign";
  EXPECT_EQ(ProveBy("signature", "lee", signature, challenge).exit, 69);
  ASSERT_EQ(chmod(keys.c_str(), 0666), 0);
  EXPECT_EQ(ProveBy("signature", "dana", signature, challenge).exit, 78) << "others could have written it";
}

TEST(EligibleOwners, ReadsOnlyItsOwnLines) {
  const std::vector<EligibleOwner> owners = {{.user = "dana", .uid = 1000, .through = "%ops", .methods = "pam,key"}};
  EXPECT_EQ(*ParseEligibleOwners(FormatEligibleOwners(owners)), owners);
  for (const char* bad : {"dana", "dana 1 %ops", "dana x %ops pam", "dana 1 %ops pam more", "dana 99999999999 %ops pam", " 1 x pam",
                          "d\x1b 1 x pam"}) {
    EXPECT_EQ(ParseEligibleOwners(bad).status().code(), absl::StatusCode::kDataLoss) << bad;
  }
}

}  // namespace
}  // namespace holdpoint
