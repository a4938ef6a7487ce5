#include "agent/policy/package_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdpoint {
namespace {

using testing::HasSubstr;

constexpr int64_t kStart = 1'000'000'000'000;

class PackageRunTest : public testing::Test {
 protected:
  PackageRunTest() {
    session_.set_started_unix_ns(kStart);
    for (const char* path : {"/etc/apt", "/etc/dpkg", "/usr/share/keyrings", "/etc/dnf", "/etc/rpm"}) Tree(path, kStart - 1);
    for (const char* path : {"/root/.dpkg.cfg", "/etc/yum.conf", "/etc/yum.repos.d", "/root/.rpmmacros", "/root/.config/rpm"}) {
      facts_.add_trees()->set_path(path);
    }
    Package("/opt/old.deb", kStart - 1, true);
    Package("/opt/new.deb", kStart + 1, true);
    Package("/opt/open.deb", kStart - 1, false);
  }

  void Tree(const std::string& path, int64_t changed) {
    v1::TreeFact* tree = facts_.add_trees();
    tree->set_path(path);
    tree->set_exists(true);
    tree->set_only_root_writes(true);
    tree->set_changed_unix_ns(changed);
  }
  void Package(const std::string& path, int64_t changed, bool only_root) {
    v1::PathFact* fact = facts_.add_paths();
    fact->set_path(path);
    fact->set_exists(true);
    fact->set_kind("file");
    fact->set_changed_unix_ns(changed);
    fact->set_only_root_writes(only_root);
  }

  PackageRun Run(std::vector<std::string> argv) {
    act_.executable.path = "/usr/bin/" + argv[0];
    act_.argv = std::move(argv);
    FactBook book(&facts_);
    return PackageRunOf(act_, known_as_.empty() ? std::vector<std::string>{act_.argv[0]} : known_as_, session_, &book);
  }

  ExecAct act_ = [] {
    ExecAct act;
    act.executable.id.ctime_ns = kStart - 1;
    act.cwd = "/opt";
    act.environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/root", "LANG=C", "DEBIAN_FRONTEND=noninteractive",
                       "CLAUDECODE=1"};
    return act;
  }();
  std::vector<std::string> known_as_;
  v1::SessionContext session_;
  v1::Facts facts_;
};

TEST_F(PackageRunTest, OrdinaryRunsOfTheSystemsOwnManagersAreMeant) {
  EXPECT_EQ(Run({"apt-get", "install", "-y", "--no-install-recommends", "curl", "libc6:amd64", "jq=1.6"}).name, "apt-get install");
  EXPECT_EQ(Run({"apt-get", "-qq", "-t", "bookworm-backports", "install", "curl"}).name, "apt-get install");
  EXPECT_EQ(Run({"apt", "remove", "curl"}).name, "apt remove");
  EXPECT_EQ(Run({"apt-get", "upgrade"}).name, "apt-get upgrade");
  EXPECT_EQ(Run({"dpkg", "-r", "curl"}).name, "dpkg -r");
  EXPECT_EQ(Run({"dpkg", "--configure", "-a"}).name, "dpkg --configure");
  EXPECT_EQ(Run({"dpkg", "-i", "old.deb"}).name, "dpkg -i");
  EXPECT_EQ(Run({"dnf", "-y", "install", "curl"}).name, "dnf install");
}

TEST_F(PackageRunTest, WhatCarriesOtherPeoplesCommandsCoversNothing) {
  const std::vector<std::vector<std::string>> runs = {
      {"apt-get", "-o", "DPkg::Pre-Invoke::=rm -rf /srv", "install", "curl"},
      {"apt-get", "-oDPkg::Pre-Invoke::=rm -rf /srv", "install", "curl"},
      {"apt-get", "--option=Dir::Etc=/tmp/etc", "install", "curl"},
      {"apt-get", "-c", "/tmp/apt.conf", "install", "curl"},
      {"apt-get", "--config-file=/tmp/apt.conf", "install", "curl"},
      {"apt-get", "install", "./mine.deb"},
      {"apt-get", "install", "/tmp/mine.deb"},
      {"apt-get", "install", "curl", "-o", "x=y"},
      {"apt-get", "source", "curl"},
      {"apt-get", "build-dep", "."},
      {"apt-get"},
      {"dpkg", "-i", "new.deb"},
      {"dpkg", "-i", "open.deb"},
      {"dpkg", "-i", "old.deb", "new.deb"},
      {"dpkg", "-i", "missing.deb"},
      {"dpkg", "--pre-invoke=rm -rf /srv", "-i", "old.deb"},
      {"dpkg", "--admindir=/tmp/db", "-i", "old.deb"},
      {"dpkg", "--root=/tmp/r", "-r", "curl"},
      {"dpkg", "-R", "-i", "/opt"},
      {"dpkg", "--force-all", "-i", "old.deb"},
      {"dnf", "--setopt=reposdir=/tmp", "install", "curl"},
      {"dnf", "install", "./mine.rpm"},
      {"npm", "install"},
      {"pip", "install", "requests"},
  };
  for (const auto& argv : runs) EXPECT_EQ(Run(argv).name, "") << argv[0] << " " << argv.back();
  EXPECT_EQ(Run({"npm", "install"}).because, "") << "no package manager of the system";
}

TEST_F(PackageRunTest, TheProgramIsTheSystemsOwnAndRunsAsRoot) {
  const std::vector<std::string> argv = {"apt-get", "install", "curl"};
  ASSERT_EQ(Run(argv).name, "apt-get install");
  act_.uid = 1000;
  EXPECT_EQ(Run(argv).name, "");
  act_.uid = 0;
  act_.executable.id.ctime_ns = kStart + 1;
  EXPECT_THAT(Run(argv).because, HasSubstr("system's own"));
  act_.executable.id.ctime_ns = kStart - 1;
  known_as_ = {"rm"};
  EXPECT_THAT(Run(argv).because, HasSubstr("system's own"));
}

TEST_F(PackageRunTest, TheEnvironmentChoosesNothing) {
  const std::vector<std::string> argv = {"apt-get", "install", "curl"};
  for (const char* variable : {"APT_CONFIG=/tmp/apt.conf", "DPKG_ROOT=/tmp", "LD_PRELOAD=/tmp/x.so", "PERL5LIB=/tmp",
                               "BASH_ENV=/tmp/x", "PATH=/tmp/bin:/usr/bin", "PATH=:/usr/bin", "DEBCONF_DB_OVERRIDE=x"}) {
    const std::vector<std::string> before = act_.environment;
    act_.environment.emplace_back(variable);
    EXPECT_EQ(Run(argv).name, "") << variable;
    act_.environment = before;
  }
  act_.environment_cut = true;
  EXPECT_EQ(Run(argv).name, "");
}

TEST_F(PackageRunTest, ItsConfigurationIsAsItWasWhenTheSessionBegan) {
  const std::vector<std::string> argv = {"apt-get", "install", "curl"};
  const v1::Facts good = facts_;
  for (int i = 0; i < 3; ++i) {
    facts_ = good;
    facts_.mutable_trees(i)->set_changed_unix_ns(kStart + 1);
    EXPECT_THAT(Run(argv).because, HasSubstr("changed since")) << i;
    facts_ = good;
    facts_.mutable_trees(i)->set_only_root_writes(false);
    EXPECT_EQ(Run(argv).name, "") << i;
    facts_ = good;
    facts_.mutable_trees(i)->set_problem("more than 5000 entries");
    EXPECT_EQ(Run(argv).name, "") << i;
  }
  facts_ = good;
  facts_.mutable_trees(5)->set_exists(true);
  EXPECT_THAT(Run(argv).because, HasSubstr(".dpkg.cfg"));
  facts_.Clear();
  EXPECT_EQ(Run(argv).name, "") << "nothing was looked at";
}

}  // namespace
}  // namespace holdpoint
