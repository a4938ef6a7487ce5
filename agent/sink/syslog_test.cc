#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "agent/base/fd.h"
#include "agent/sink/syslog_target.h"
#include "agent/sink/syslog_text.h"

namespace holdpoint {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

OutLine Line(const std::string& text, Level level = Level::kHigh) {
  return {.text = text, .level = level, .time_unix_ns = 1'700'000'000'123'456'789, .host = "build-7", .action = "exec-refused"};
}

TEST(SyslogTextTest, HeadersAsTheirStandardsSay) {
  EXPECT_EQ(LocalSyslogMessage(Line("x")), "<83>Nov 14 22:13:20 holdpoint: x");
  EXPECT_EQ(RemoteSyslogMessage(Line("x", Level::kCritical)),
            "<82>1 2023-11-14T22:13:20.123456Z build-7 holdpoint - exec-refused - x");
  EXPECT_EQ(SyslogFrame("<82>1 x"), "7 <82>1 x");
}

TEST(SyslogTextTest, AHostNameAddsNoFieldAndNoLine) {
  OutLine line = Line("x");
  line.host = "a b\nc\x7f\xc3\xa9";
  EXPECT_THAT(RemoteSyslogMessage(line), HasSubstr("Z abc holdpoint - "));
  line.host = " \n";
  line.action = "";
  EXPECT_THAT(RemoteSyslogMessage(line), EndsWith("Z - holdpoint - - - x"));
}

TEST(SyslogTextTest, WhatIsCutSaysSo) {
  EXPECT_EQ(CutMessage("short", 10), "short");
  const std::string cut = CutMessage(std::string(9000, 'x'), kMaxSyslogDatagram);
  EXPECT_EQ(cut.size(), kMaxSyslogDatagram);
  EXPECT_THAT(cut, EndsWith("x...(+808 bytes)"));
}

SinkSpec Spec(const std::string& target) {
  const auto spec = ParseSinkSpec("siem=cef:" + target);
  EXPECT_TRUE(spec.ok()) << spec.status();
  return spec.ok() ? *spec : SinkSpec{};
}

// A receiver on loopback.
class Receiver {
 public:
  explicit Receiver(int type) : fd_(socket(AF_INET, type | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    EXPECT_EQ(type == SOCK_STREAM ? listen(fd_.get(), 4) : 0, 0);
  }
  int port() const { return port_; }
  int fd() const { return fd_.get(); }
  UniqueFd Accept() { return UniqueFd(accept(fd_.get(), nullptr, nullptr)); }

 private:
  UniqueFd fd_;
  int port_ = 0;
};

std::string Read(int fd, size_t size = 65536) {
  std::string text(size, '\0');
  const ssize_t got = recv(fd, text.data(), text.size(), 0);
  text.resize(got < 0 ? 0 : static_cast<size_t>(got));
  return text;
}

TEST(SyslogTargetTest, LocalSocketGetsOneDatagramForEach) {
  char name[] = "/tmp/holdpoint-syslog-XXXXXX";
  const std::string dir = mkdtemp(name), path = dir + "/log";
  const UniqueFd receiver(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(receiver.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const auto target = *SyslogTarget::Make(Spec("unix:" + path));
  size_t taken = 0;
  ASSERT_TRUE(target->Write({Line("one"), Line("two")}, &taken).ok());
  EXPECT_EQ(taken, 2u);
  EXPECT_EQ(Read(receiver.get()), "<83>Nov 14 22:13:20 holdpoint: one");
  EXPECT_EQ(Read(receiver.get()), "<83>Nov 14 22:13:20 holdpoint: two");
  std::filesystem::remove_all(dir);
}

TEST(SyslogTargetTest, NobodyThereIsUnavailableAndNothingIsTaken) {
  for (const char* target : {"unix:/nonexistent/log", "tcp://127.0.0.1:1"}) {
    size_t taken = 7;
    const absl::Status status = (*SyslogTarget::Make(Spec(target)))->Write({Line("one")}, &taken);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    EXPECT_EQ(taken, 0u);
  }
}

TEST(SyslogTargetTest, UdpCutsWhatIsTooLongAndCountsIt) {
  Receiver receiver(SOCK_DGRAM);
  const auto target = *SyslogTarget::Make(Spec(absl::StrCat("udp://127.0.0.1:", receiver.port())));
  size_t taken = 0;
  ASSERT_TRUE(target->Write({Line("one"), Line(std::string(20'000, 'x'))}, &taken).ok());
  EXPECT_THAT(Read(receiver.fd()), EndsWith("Z build-7 holdpoint - exec-refused - one"));
  EXPECT_EQ(Read(receiver.fd()).size(), kMaxSyslogDatagram);
  EXPECT_EQ(target->cut(), 1u);
}

TEST(SyslogTargetTest, TcpIsFramedAndComesBackAfterThePeerHasClosed) {
  Receiver receiver(SOCK_STREAM);
  const auto target = *SyslogTarget::Make(Spec(absl::StrCat("tcp://127.0.0.1:", receiver.port())));
  size_t taken = 0;
  ASSERT_TRUE(target->Write({Line("one")}, &taken).ok());
  {
    const UniqueFd first = receiver.Accept();
    const std::string message = "<83>1 2023-11-14T22:13:20.123456Z build-7 holdpoint - exec-refused - one";
    EXPECT_EQ(Read(first.get()), absl::StrCat(message.size(), " ", message));
  }
  ASSERT_TRUE(target->Write({Line("two")}, &taken).ok());
  const UniqueFd second = receiver.Accept();
  EXPECT_THAT(Read(second.get()), EndsWith(" - two"));
}

}  // namespace
}  // namespace holdpoint
