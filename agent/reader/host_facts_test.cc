// What the kernel's tables say of sockets and processes: on texts, and on sockets of this very process.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "agent/reader/crontab_facts.h"
#include "agent/reader/host_look.h"
#include "agent/reader/listeners.h"
#include "agent/reader/proc_text.h"

namespace holdpoint::reader {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

std::string Address(const char* text) {
  char bytes[4];
  inet_pton(AF_INET, text, bytes);
  return std::string(bytes, 4);
}

TEST(ListenersTest, OnlySocketsThatListen) {
  const std::vector<Socket> sockets = ParseTcp(
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
      "   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   105        0 4711 1 0 100 0 0 10 0\n"
      "   1: 0100007F:1538 0100007F:D431 01 00000000:00000000 00:00000000 00000000   105        0 4712 1 0 20 4 30 10 -1\n"
      "   2: nonsense\n"
      "   3: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 4713 1\n");
  ASSERT_THAT(sockets, SizeIs(2));
  EXPECT_EQ(sockets[0].address, Address("127.0.0.1"));
  EXPECT_EQ(sockets[0].port, 5432u);
  EXPECT_EQ(sockets[0].inode, 4711u);
  EXPECT_EQ(sockets[1].address, std::string(15, '\0') + '\1');
  EXPECT_EQ(sockets[1].port, 80u);
}

TEST(ListenersTest, OnlyUnixSocketsThatListenAndHaveAPath) {
  const std::vector<Socket> sockets = ParseUnix(
      "Num       RefCount Protocol Flags    Type St Inode Path\n"
      "0000000000000000: 00000002 00000000 00010000 0001 01 4711 /run/my folder/.s.PGSQL.5432\n"
      "0000000000000000: 00000003 00000000 00000000 0001 03 4712 /run/my folder/.s.PGSQL.5432\n"
      "0000000000000000: 00000002 00000000 00010000 0001 01 4713 @abstract\n"
      "0000000000000000: 00000002 00000000 00010000 0001 01 4714\n");
  ASSERT_THAT(sockets, SizeIs(1));
  EXPECT_EQ(sockets[0].path, "/run/my folder/.s.PGSQL.5432");
  EXPECT_EQ(sockets[0].inode, 4711u);
}

TEST(ListenersTest, TheNarrowestRouteWithoutAGateway) {
  constexpr char kRoutes[] =
      "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
      "eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
      "br-1\t0031A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
      "eth1\t0031A8C0\t0101A8C0\t0003\t0\t0\t0\t0000FFFF\t0\t0\t0\n";
  EXPECT_EQ(DirectRoute(kRoutes, Address("192.168.49.2")), "br-1");
  EXPECT_EQ(DirectRoute(kRoutes, Address("8.8.8.8")), "");
  EXPECT_EQ(DirectRoute(kRoutes, std::string(16, '\0')), "");
}

// A socket of this process on a loopback port of the kernel's choice.
class OwnSocket {
 public:
  OwnSocket() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(fd_.get(), 1), 0);
    socklen_t size = sizeof(address);
    getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  uint32_t port() const { return port_; }

 private:
  UniqueFd fd_;
  uint32_t port_ = 0;
};

v1::ListenerFact Ask(const Listeners& listeners, const std::string& address, uint32_t port) {
  v1::ListenerWanted wanted;
  wanted.set_address(address);
  wanted.set_port(port);
  v1::ListenerFact fact;
  listeners.Answer(wanted, &fact);
  return fact;
}

TEST(ListenersTest, ThisProcessIsFoundAsWhoListens) {
  const OwnSocket socket;
  const Listeners listeners = Listeners::Look(getpid());
  const v1::ListenerFact fact = Ask(listeners, "127.0.0.1", socket.port());
  EXPECT_TRUE(fact.looked());
  EXPECT_TRUE(fact.listens());
  EXPECT_TRUE(fact.local());
  EXPECT_EQ(fact.problem(), "");
  EXPECT_EQ(fact.pid(), static_cast<uint32_t>(getpid()));
  EXPECT_EQ(fact.executable(), ReadLink(AT_FDCWD, "/proc/self/exe"));
  EXPECT_GT(fact.started_unix_ns(), 0);
  EXPECT_FALSE(Ask(listeners, "127.0.0.1", 1).listens());
  EXPECT_FALSE(Ask(listeners, "127.0.0.2", socket.port()).listens());
  EXPECT_FALSE(Ask(listeners, "192.0.2.1", socket.port()).local());
  EXPECT_EQ(Ask(listeners, "localhost", socket.port()).problem(), "no address");
}

TEST(ListenersTest, NobodyLookedSaysNothing) {
  const v1::ListenerFact fact = Ask(Listeners(), "127.0.0.1", 5432);
  EXPECT_FALSE(fact.looked());
  EXPECT_FALSE(fact.listens());
}

TEST(ProcTextTest, ServicesOfTheSystemOnly) {
  EXPECT_EQ(SystemService("0::/system.slice/nginx.service\n"), "nginx.service");
  EXPECT_EQ(SystemService("0::/system.slice/system-postgresql.slice/postgresql@15-main.service\n"), "postgresql@15-main.service");
  EXPECT_EQ(SystemService("0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.service\n"), "");
  EXPECT_EQ(SystemService("0::/system.slice/docker-1.scope\n"), "");
  EXPECT_EQ(SystemService(""), "");
}

TEST(ProcTextTest, NumbersOfAStatus) {
  EXPECT_EQ(StatusNumber("Name:\tUid: 7\nUid:\t1000\t0\t0\t0\n", "Uid"), 1000);
  EXPECT_EQ(StatusNumber("Name:\tx\n", "Uid"), -1);
}

TEST(ProcTextTest, StartIsReadBehindANameWithBrackets) {
  const Started started = StartedOf("42 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 700 20 21");
  EXPECT_EQ(started.boot_ns, uint64_t{700} * 10'000'000);
  EXPECT_EQ(StartedOf("nonsense").boot_ns, 0u);
}

TEST(HostLookTest, AProcessIsDescribedAndOneThatIsGoneIsNotThere) {
  const HostLook host = LookAtHost(getpid(), getuid(), {});
  v1::ProcessFact self, gone;
  DescribeProcess(host, static_cast<uint32_t>(getpid()), &self);
  EXPECT_TRUE(self.looked());
  EXPECT_TRUE(self.exists());
  EXPECT_EQ(self.uid(), getuid());
  EXPECT_EQ(self.executable(), ReadLink(AT_FDCWD, "/proc/self/exe"));
  DescribeProcess(host, 4'000'000'000u, &gone);
  EXPECT_TRUE(gone.looked());
  EXPECT_FALSE(gone.exists());
  v1::ProcessFact unseen;
  DescribeProcess(HostLook(), static_cast<uint32_t>(getpid()), &unseen);
  EXPECT_FALSE(unseen.looked());
}

TEST(HostLookTest, ContainersThatNobodyLookedForAreNoEmptyList) {
  v1::ContainerStoreFact fact;
  DescribeContainers(HostLook(), &fact);
  EXPECT_FALSE(fact.volumes_whole());
  EXPECT_FALSE(fact.images_whole());
  EXPECT_NE(fact.problem(), "");
}

class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/holdpoint-store-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    own_fds_.reset(open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  void TearDown() override { EXPECT_EQ(system(absl::StrCat("rm -rf ", folder_).c_str()), 0); }
  void Write(const std::string& name, const std::string& text) { std::ofstream(absl::StrCat(folder_, "/", name)) << text; }
  UniqueFd Open(const std::string& name, int flags = 0) {
    return UniqueFd(open(absl::StrCat(folder_, "/", name).c_str(), O_RDONLY | O_CLOEXEC | flags));
  }

  std::string folder_;
  UniqueFd own_fds_;
};

TEST_F(StoreTest, VolumesAreFoldersAndImagesHaveTags) {
  ASSERT_EQ(mkdir((folder_ + "/shop_pgdata").c_str(), 0700), 0);
  Write("metadata.db", "x");
  Write("images", R"({"Repositories":{"postgres":{"postgres:16":"sha256:1","postgres@sha256:2":"sha256:1"}}})");
  HostLook host;
  host.containers = true;
  host.volumes = Open("", O_DIRECTORY);
  host.images = Open("images");
  v1::ContainerStoreFact fact;
  DescribeContainers(host, &fact);
  ASSERT_THAT(fact.volumes(), SizeIs(1));
  EXPECT_EQ(fact.volumes(0), "shop_pgdata");
  ASSERT_THAT(fact.images(), SizeIs(1));
  EXPECT_EQ(fact.images(0), "postgres:16");
  EXPECT_TRUE(fact.volumes_whole());
  EXPECT_TRUE(fact.images_whole());
}

TEST_F(StoreTest, AListOfImagesThatIsNotUnderstoodIsNotWhole) {
  for (const char* text : {"", "[]", "{\"Repositories\":[]}", "{\"Repositories\":{\"a\":1}}", "{\"Repositories\":"}) {
    Write("images", text);
    HostLook host;
    host.containers = true;
    host.images = Open("images");
    v1::ContainerStoreFact fact;
    DescribeContainers(host, &fact);
    EXPECT_FALSE(fact.images_whole()) << text;
  }
}

TEST_F(StoreTest, ACopyOfTheCrontabIsOneWithTheSameJobs) {
  constexpr char kJobs[] = "0 3 * * * backup\n";
  const std::string whole = absl::StrCat("# DO NOT EDIT THIS FILE - edit the master and reinstall.\n# (/tmp/x installed on y)\n",
                                         "# (Cron version -- z)\n", kJobs);
  EXPECT_EQ(JobsOf(whole), kJobs);
  EXPECT_EQ(JobsOf(kJobs), kJobs);
  Write("crontab", whole);
  const SafeFiles files(own_fds_.get());
  const auto described = [&](const std::string& home) {
    HostLook host;
    host.crontabs = true;
    host.crontab = Open("crontab");
    v1::CrontabFact fact;
    DescribeCrontab(host, files, home, &fact);
    EXPECT_TRUE(fact.looked());
    EXPECT_TRUE(fact.exists());
    return fact.copy();
  };
  ASSERT_EQ(mkdir((folder_ + "/home").c_str(), 0700), 0);
  Write("home/jobs.txt", "0 4 * * * backup\n");  // as many bytes
  ASSERT_EQ(mkfifo((folder_ + "/home/fifo").c_str(), 0600), 0);
  EXPECT_THAT(described(folder_ + "/home"), IsEmpty());
  Write("home/saved", kJobs);
  EXPECT_EQ(described(folder_ + "/home"), folder_ + "/home/saved");
}

}  // namespace
}  // namespace holdpoint::reader
