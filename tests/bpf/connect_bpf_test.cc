// Connects of a session: refused by address and port with EPERM, let through once by an approval.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "tests/bpf/fixture.h"

namespace holdpoint {
namespace {

constexpr uint32_t kEnforce = HP_SESSION_CONFIRMED | HP_SESSION_ENFORCE;
constexpr uint16_t kProduction = 2;  // environment number; sessions of the fixture are in 1
constexpr uint16_t kPort = 5432;

std::string Packed(const char* text) {
  char bytes[16];
  if (inet_pton(AF_INET, text, bytes) == 1) return std::string(bytes, 4);
  EXPECT_EQ(inet_pton(AF_INET6, text, bytes), 1) << text;
  return std::string(bytes, 16);
}

sockaddr_storage Address(const std::string& text, uint16_t port, socklen_t& length) {
  sockaddr_storage storage{};
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    length = sizeof(*v4);
  } else {
    inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    length = sizeof(*v6);
  }
  return storage;
}

// errno of the attempt, 0 where it went out. Nobody listens: loopback answers with ECONNREFUSED.
int Connect(const std::string& to, uint16_t port) {
  socklen_t length = 0;
  const sockaddr_storage address = Address(to, port, length);
  UniqueFd fd(socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0 ? 0 : errno;
}

int FastOpen(const std::string& to, uint16_t port) {
  socklen_t length = 0;
  const sockaddr_storage address = Address(to, port, length);
  UniqueFd fd(socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return sendto(fd.get(), "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), length) == 1
             ? 0
             : errno;
}

int SendTo(const std::string& to, uint16_t port) {
  socklen_t length = 0;
  const sockaddr_storage address = Address(to, port, length);
  UniqueFd fd(socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return sendto(fd.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&address), length) == 1 ? 0 : errno;
}

class ConnectTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    Protect();
  }

  // 127.9.0.0/16 and ::1 are production on the database's port; crossing into it is refused.
  void Protect() {
    const hp_dest_range range{
        .port_low = kPort, .port_high = kPort, .environment = kProduction, .refuse = HP_REFUSE_CROSSING};
    ASSERT_TRUE(kernel_
                    ->SetDestinations({{.address = Packed("127.9.0.0"), .prefix_length = 16, .ranges = {range}},
                                       {.address = Packed("::1"), .prefix_length = 128, .ranges = {range}}})
                    .ok());
    ASSERT_TRUE(kernel_->SetAction(1, kProduction, HP_ACTION_REFUSE).ok());
  }

  // Runs `attempt` in a session with these flags; what it returned.
  int Try(uint32_t flags, std::function<int()> attempt) {
    Child root = InScope(std::move(attempt));
    session_ = Label(root, flags);
    return TryIn(root);
  }
  int TryIn(Child& root) {
    root.Go();
    const int status = gate_->RunUntilEnd(root);
    EXPECT_TRUE(WIFEXITED(status));
    return WEXITSTATUS(status);
  }

  SessionNumber session_ = 0;
};

TEST_F(ConnectTest, ProtectedIsRefusedWithEperm) {
  EXPECT_EQ(Try(kEnforce, [] { return Connect("127.9.1.1", kPort); }), EPERM);
  ASSERT_EQ(gate_->connects.size(), 1u);
  const ConnectEvent& event = gate_->connects[0];
  EXPECT_EQ(event.head.session, session_);
  EXPECT_EQ(event.address, Packed("127.9.1.1"));
  EXPECT_EQ(event.port, kPort);
  EXPECT_EQ(event.protocol, IPPROTO_TCP);
  EXPECT_EQ(event.environment, kProduction);
  EXPECT_EQ(event.action, HP_ACTION_REFUSE);
  EXPECT_EQ(event.head.flags, 0u);
}

TEST_F(ConnectTest, OtherPortAndOtherAddressPass) {
  EXPECT_EQ(Try(kEnforce, [] { return Connect("127.9.1.1", kPort + 1); }), ECONNREFUSED);
  EXPECT_EQ(Try(kEnforce, [] { return Connect("127.8.1.1", kPort); }), ECONNREFUSED);
  ASSERT_EQ(gate_->connects.size(), 2u);
  EXPECT_EQ(gate_->connects[0].environment, 0);
  EXPECT_EQ(gate_->connects[0].action, HP_ACTION_ALLOW);
}

TEST_F(ConnectTest, Ipv6IsRefused) {
  EXPECT_EQ(Try(kEnforce, [] { return Connect("::1", kPort); }), EPERM);
  EXPECT_NE(Try(kEnforce, [] { return Connect("::1", kPort + 1); }), EPERM);
}

TEST_F(ConnectTest, Ipv4MappedIntoIpv6IsRefused) {
  EXPECT_EQ(Try(kEnforce, [] { return Connect("::ffff:127.9.1.1", kPort); }), EPERM);
  ASSERT_EQ(gate_->connects.size(), 1u);
  EXPECT_EQ(gate_->connects[0].address, Packed("127.9.1.1"));
}

TEST_F(ConnectTest, DatagramIsRefused) {
  EXPECT_EQ(Try(kEnforce, [] { return SendTo("127.9.1.1", kPort); }), EPERM);
  EXPECT_EQ(Try(kEnforce, [] { return SendTo("::1", kPort); }), EPERM);
  EXPECT_EQ(Try(kEnforce, [] { return SendTo("127.8.1.1", kPort); }), 0);
}

TEST_F(ConnectTest, FastOpenIsRefused) {
  EXPECT_EQ(Try(kEnforce, [] { return FastOpen("127.9.1.1", kPort); }), EPERM);
}

TEST_F(ConnectTest, ObservedSessionIsNotRefused) {
  EXPECT_EQ(Try(HP_SESSION_CONFIRMED, [] { return Connect("127.9.1.1", kPort); }), ECONNREFUSED);
  ASSERT_EQ(gate_->connects.size(), 1u);
  EXPECT_EQ(gate_->connects[0].head.flags, static_cast<uint32_t>(HP_FLAG_OBSERVED));
  EXPECT_EQ(gate_->connects[0].action, HP_ACTION_REFUSE);
}

TEST_F(ConnectTest, OutsideEverySessionIsNotSeen) {
  Child stranger = InScope([] { return Connect("127.9.1.1", kPort); });
  EXPECT_EQ(TryIn(stranger), ECONNREFUSED);
  EXPECT_TRUE(gate_->connects.empty());
}

TEST_F(ConnectTest, ApprovalLetsOneConnectThrough) {
  Child root = InScope(
      [] { return Connect("127.9.1.1", kPort) == ECONNREFUSED && Connect("127.9.1.1", kPort) == EPERM ? 0 : 1; });
  hp_connect_key key{};
  key.session = Label(root, kEnforce);
  std::memcpy(key.address, Packed("::ffff:127.9.1.1").data(), sizeof(key.address));
  key.port = kPort;
  const BootTime soon = Clock::Real().Boot() + absl::Minutes(1);
  ASSERT_TRUE(kernel_->AllowConnects(key, {.expires_boot_ns = soon.ns, .uses = 1}).ok());
  EXPECT_EQ(TryIn(root), 0);
  ASSERT_EQ(gate_->connects.size(), 2u);
}

TEST_F(ConnectTest, ApprovalThatRanOutLetsNothingThrough) {
  Child root = InScope([] { return Connect("127.9.1.1", kPort); });
  hp_connect_key key{};
  key.session = Label(root, kEnforce);
  std::memcpy(key.address, Packed("::ffff:127.9.1.1").data(), sizeof(key.address));
  key.port = kPort;
  ASSERT_TRUE(kernel_->AllowConnects(key, {.expires_boot_ns = 1, .uses = 1}).ok());
  EXPECT_EQ(TryIn(root), EPERM);
}

TEST_F(ConnectTest, APassThatIsTakenBackLetsNothingThrough) {
  Child root = InScope([] { return Connect("127.9.1.1", kPort); });
  hp_connect_key key{};
  key.session = Label(root, kEnforce);
  std::memcpy(key.address, Packed("::ffff:127.9.1.1").data(), sizeof(key.address));
  key.port = kPort;
  const BootTime soon = Clock::Real().Boot() + absl::Minutes(1);
  ASSERT_TRUE(kernel_->AllowConnects(key, {.expires_boot_ns = soon.ns, .uses = 1}).ok());
  ASSERT_EQ(kernel_->ConnectPasses().size(), 1u);
  EXPECT_EQ(kernel_->ConnectPasses()[0].first.port, kPort);
  ASSERT_TRUE(kernel_->ForbidConnects(key).ok());
  EXPECT_TRUE(kernel_->ConnectPasses().empty());
  EXPECT_EQ(TryIn(root), EPERM);
}

TEST_F(ConnectTest, BrokenGlassLetsThroughUntilItsEndAndOnlyThere) {
  ASSERT_TRUE(kernel_->SetGlass(kProduction, Clock::Real().Boot() + absl::Hours(1)).ok());
  EXPECT_EQ(Try(kEnforce, [] { return Connect("127.9.1.1", kPort); }), ECONNREFUSED);
  EXPECT_EQ(gate_->connects[0].head.flags, uint32_t{HP_FLAG_APPROVED | HP_FLAG_GLASS});
  ASSERT_TRUE(kernel_->SetGlass(kProduction, Clock::Real().Boot()).ok());
  EXPECT_EQ(Try(kEnforce, [] { return Connect("127.9.1.1", kPort); }), EPERM) << "its time is over";
  ASSERT_TRUE(kernel_->SetGlass(kProduction, BootTime{}).ok());
  ASSERT_TRUE(kernel_->SetGlass(kProduction + 1, Clock::Real().Boot() + absl::Hours(1)).ok());
  EXPECT_EQ(Try(kEnforce, [] { return Connect("127.9.1.1", kPort); }), EPERM) << "another environment";
  EXPECT_FALSE(kernel_->SetGlass(0, Clock::Real().Boot() + absl::Hours(1)).ok()) << "what is in none has no glass";
  EXPECT_FALSE(kernel_->SetGlass(HP_ENV_MAX, BootTime{}).ok());
}

TEST_F(ConnectTest, BrokenGlassIsWholeWithoutAHeartbeat) {
  ASSERT_TRUE(kernel_->SetGlass(kProduction, Clock::Real().Boot() + absl::Hours(1)).ok());
  kernel_->Beat(BootTime{0});
  gate_->beating = false;
  EXPECT_EQ(Try(kEnforce, [] { return Connect("127.9.1.1", kPort); }), EPERM);
}

TEST_F(ConnectTest, OffRefusesNothingUntilItsEndAlsoWithoutAGate) {
  kernel_->Beat(BootTime{0});
  gate_->beating = false;
  ASSERT_TRUE(kernel_->SetOff(Clock::Real().Boot() + absl::Hours(1)).ok());
  EXPECT_EQ(Try(kEnforce, [] { return Connect("127.9.1.1", kPort); }), ECONNREFUSED);
  EXPECT_EQ(gate_->connects[0].head.flags, uint32_t{HP_FLAG_OBSERVED});
  ASSERT_TRUE(kernel_->SetOff(Clock::Real().Boot()).ok());
  EXPECT_EQ(Try(kEnforce, [] { return Connect("127.9.1.1", kPort); }), EPERM);
}

// What one daemon lifted is found by the next one, which takes it back.
TEST_F(ConnectTest, WhatIsLiftedIsKnownToTheNextLoad) {
  const BootTime until = Clock::Real().Boot() + absl::Hours(1);
  ASSERT_TRUE(kernel_->SetGlass(kProduction, until).ok());
  ASSERT_TRUE(kernel_->SetOff(until).ok());
  kernel_.reset();  // Killed: nothing is detached.
  Open(DefaultOptions());
  const absl::StatusOr<Kernel::LiftedTimes> lifted = kernel_->Lifted();
  ASSERT_TRUE(lifted.ok());
  EXPECT_EQ(lifted->off, until);
  EXPECT_EQ(lifted->glass, (std::map<uint32_t, BootTime>{{kProduction, until}}));
}

TEST_F(ConnectTest, RefusalDoesNotNeedAHeartbeat) {
  kernel_->Beat(BootTime{0});
  gate_->beating = false;
  EXPECT_EQ(Try(kEnforce, [] { return Connect("127.9.1.1", kPort); }), EPERM);
}

TEST_F(ConnectTest, LabelByTgidRefusesToo) {
  Close();
  Kernel::Options options = DefaultOptions();
  options.without = {"connect-storage"};
  Open(options);
  Protect();
  EXPECT_EQ(Try(kEnforce, [] { return Connect("127.9.1.1", kPort); }), EPERM);
  EXPECT_EQ(Try(kEnforce, [] { return Connect("127.8.1.1", kPort); }), ECONNREFUSED);
}

TEST_F(ConnectTest, ReplacedDestinationsForgetTheOldOnes) {
  ASSERT_TRUE(kernel_->SetDestinations({}).ok());
  EXPECT_EQ(Try(kEnforce, [] { return Connect("127.9.1.1", kPort); }), ECONNREFUSED);
  EXPECT_FALSE(kernel_->SetDestinations({{.address = "abc", .prefix_length = 8, .ranges = {}}}).ok());
}

}  // namespace
}  // namespace holdpoint
