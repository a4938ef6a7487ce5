#include "agent/reader/open_database.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "agent/base/fd.h"
#include "gtest/gtest.h"

namespace holdpoint::reader {
namespace {

std::string Tcp(const char* address, uint16_t port) {
  sockaddr_storage storage{};
  auto* const in = reinterpret_cast<sockaddr_in*>(&storage);
  in->sin_family = AF_INET;
  in->sin_port = htons(port);
  inet_pton(AF_INET, address, &in->sin_addr);
  return DatabasePeer(storage, sizeof(sockaddr_in));
}

std::string Unix(const std::string& path) {
  sockaddr_storage storage{};
  auto* const un = reinterpret_cast<sockaddr_un*>(&storage);
  un->sun_family = AF_UNIX;
  memcpy(un->sun_path, path.data(), path.size());
  return DatabasePeer(storage, static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size()));
}

TEST(DatabasePeerTest, PortsAndSocketsOfServersThatHaveTransactions) {
  EXPECT_EQ(Tcp("10.0.0.7", 5432), "10.0.0.7:5432");
  EXPECT_EQ(Tcp("127.0.0.1", 3306), "127.0.0.1:3306");
  EXPECT_EQ(Tcp("127.0.0.1", 443), "");
  EXPECT_EQ(Tcp("127.0.0.1", 0), "");
  EXPECT_EQ(Unix("/run/postgresql/.s.PGSQL.5432"), "/run/postgresql/.s.PGSQL.5432");
  EXPECT_EQ(Unix("/run/mysqld/mysqld.sock"), "/run/mysqld/mysqld.sock");
  EXPECT_EQ(Unix("/run/docker.sock"), "");
  EXPECT_EQ(Unix(std::string("\0/.s.PGSQL.5432", 15)), "");
  EXPECT_EQ(Unix(""), "");
  sockaddr_storage six{};
  six.ss_family = AF_INET6;
  reinterpret_cast<sockaddr_in6*>(&six)->sin6_port = htons(5432);
  reinterpret_cast<sockaddr_in6*>(&six)->sin6_addr = in6addr_loopback;
  EXPECT_EQ(DatabasePeer(six, sizeof(sockaddr_in6)), "[::1]:5432");
}

class DatabaseAboveTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/holdpoint-database-XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    folder_ = folder;
  }
  void TearDown() override {
    if (!path_.empty()) unlink(path_.c_str());
    rmdir(folder_.c_str());
  }
  void Connect(const std::string& name) {
    path_ = folder_ + "/" + name;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
    server_.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    client_.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(bind(server_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    ASSERT_EQ(listen(server_.get(), 1), 0);
    ASSERT_EQ(connect(client_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  std::optional<OpenDatabase> Above() { return DatabaseAbove(getpid(), getpid()); }

  std::string folder_, path_;
  UniqueFd server_, client_;
};

TEST_F(DatabaseAboveTest, AConnectionOfTheProcessThatWaits) {
  ASSERT_NO_FATAL_FAILURE(Connect(".s.PGSQL.5432"));
  const std::optional<OpenDatabase> found = Above();
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->pid, getpid());
  EXPECT_EQ(found->peer, path_);
  client_.reset();
  EXPECT_FALSE(Above().has_value());
}

TEST_F(DatabaseAboveTest, OtherConnectionsDoNotCount) {
  ASSERT_NO_FATAL_FAILURE(Connect("agent.sock"));
  EXPECT_FALSE(Above().has_value());
}

}  // namespace
}  // namespace holdpoint::reader
