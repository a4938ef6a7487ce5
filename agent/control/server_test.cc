// Both ends of the control socket, on real sockets.
#include "agent/control/server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <future>
#include <optional>

#include "agent/base/clock.h"
#include "agent/control/client.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace holdpoint {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kLong = absl::Seconds(60);

class ControlServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/hp-control-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    path_ = folder_ + "/control.sock";
  }
  void TearDown() override {
    server_.reset();
    unlink(path_.c_str());
    rmdir(folder_.c_str());
  }

  void Listen(ControlServer::Handler handler, ControlServer::Options options = {}) {
    options.path = path_;
    absl::StatusOr<std::unique_ptr<ControlServer>> server = ControlServer::Listen(options, std::move(handler));
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  // Serves until `done` or for as long as `kLong`, whichever is first.
  template <typename Done>
  bool ServeUntil(Done done) {
    const BootTime end = Clock::Real().Boot() + kLong;
    while (!done()) {
      if (Clock::Real().Boot() > end) return false;
      pollfd wait{.fd = server_->fd(), .events = POLLIN, .revents = 0};
      poll(&wait, 1, 20);
      server_->Dispatch();
    }
    return true;
  }

  absl::StatusOr<ControlAnswer> Ask(ControlRequest request) {
    std::future<absl::StatusOr<ControlAnswer>> answer =
        std::async(std::launch::async, [this, &request] { return AskDaemon(path_, request, kLong); });
    ServeUntil([&answer] { return answer.wait_for(std::chrono::seconds(0)) == std::future_status::ready; });
    return answer.get();
  }

  UniqueFd RawClient() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    strcpy(address.sun_path, path_.c_str());
    UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0) << strerror(errno);
    return fd;
  }

  // Serves until the client has something to read (an answer or an end), and reads it. nullopt: an end.
  std::optional<ControlReply> RawAnswer(const UniqueFd& client) {
    pollfd wait{.fd = client.get(), .events = POLLIN, .revents = 0};
    EXPECT_TRUE(ServeUntil([&wait] { return poll(&wait, 1, 0) == 1; }));
    ControlReply reply;
    if (recv(client.get(), &reply, sizeof(reply), MSG_DONTWAIT) < static_cast<ssize_t>(sizeof(reply))) return {};
    return reply;
  }

  std::string folder_, path_;
  std::unique_ptr<ControlServer> server_;
};

TEST_F(ControlServerTest, AnswersWithBodiesInOrder) {
  Listen([](std::shared_ptr<ControlCall> call) {
    EXPECT_EQ(call->request().command, ControlCommand::kHolds);
    EXPECT_EQ(call->peer().uid, geteuid());
    EXPECT_EQ(call->peer().pid, getpid());
    EXPECT_TRUE(call->peer().pidfd->ok());
    call->Reply(0, "", {"{\"a\":1}", "{\"a\":2}", std::string(kControlBodyMax, 'x')});
  });
  const absl::StatusOr<ControlAnswer> answer = Ask({.command = ControlCommand::kHolds});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->exit_code, 0);
  ASSERT_EQ(answer->bodies.size(), 3u);
  EXPECT_EQ(answer->bodies[1], "{\"a\":2}");
  EXPECT_EQ(answer->bodies[2].size(), kControlBodyMax);
}

TEST_F(ControlServerTest, AnAnswerLargerThanTheSocketsBufferArrivesWhole) {
  Listen([](std::shared_ptr<ControlCall> call) {
    call->Reply(0, "", std::vector<std::string>(40, std::string(kControlBodyMax, 'x')));
  });
  const absl::StatusOr<ControlAnswer> answer = Ask({.command = ControlCommand::kSessions});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->bodies.size(), 40u);
}

TEST_F(ControlServerTest, DeferredAnswerArrivesAndOthersAreServedMeanwhile) {
  std::shared_ptr<ControlCall> waiting;
  Listen([&waiting](std::shared_ptr<ControlCall> call) {
    if (call->request().command == ControlCommand::kWait) {
      waiting = std::move(call);
    } else {
      call->Reply(0, "");
    }
  });
  ControlRequest wait{.command = ControlCommand::kWait};
  std::future<absl::StatusOr<ControlAnswer>> answer =
      std::async(std::launch::async, [this, &wait] { return AskDaemon(path_, wait, kLong); });
  ASSERT_TRUE(ServeUntil([&waiting] { return waiting != nullptr; }));
  EXPECT_EQ(Ask({.command = ControlCommand::kStatus})->exit_code, 0);
  waiting->Reply(77, "denied by lee: not today");
  ASSERT_TRUE(answer.get().ok());
}

TEST_F(ControlServerTest, DroppedCallIsAnsweredUnavailable) {
  Listen([](std::shared_ptr<ControlCall>) {});
  EXPECT_EQ(Ask({.command = ControlCommand::kStatus})->exit_code, 69);
}

TEST_F(ControlServerTest, TellsOnceThatTheClientWent) {
  std::shared_ptr<ControlCall> kept;
  int gone = 0;
  Listen([&](std::shared_ptr<ControlCall> call) {
    call->OnGone([&gone] { ++gone; });
    kept = std::move(call);
  });
  UniqueFd client = RawClient();
  ControlRequest request{.command = ControlCommand::kWait};
  ASSERT_EQ(send(client.get(), &request, sizeof(request), 0), static_cast<ssize_t>(sizeof(request)));
  ASSERT_TRUE(ServeUntil([&kept] { return kept != nullptr; }));
  client.reset();
  ASSERT_TRUE(ServeUntil([&gone] { return gone > 0; }));
  kept->Reply(0, "too late");
  kept.reset();
  EXPECT_EQ(gone, 1);
  EXPECT_EQ(server_->clients(), 0u);
}

TEST_F(ControlServerTest, CallMayOutliveTheServer) {
  std::shared_ptr<ControlCall> kept;
  Listen([&kept](std::shared_ptr<ControlCall> call) { kept = std::move(call); });
  UniqueFd client = RawClient();
  ControlRequest request{.command = ControlCommand::kWait};
  send(client.get(), &request, sizeof(request), 0);
  ASSERT_TRUE(ServeUntil([&kept] { return kept != nullptr; }));
  server_.reset();
  kept->Reply(0, "");
}

TEST_F(ControlServerTest, RefusesMalformedRequests) {
  Listen([](std::shared_ptr<ControlCall> call) { call->Reply(0, "handled"); });
  ControlRequest unterminated{.command = ControlCommand::kRun};
  memset(unterminated.text2, 'x', sizeof(unterminated.text2));
  ControlRequest version{.version = 99, .command = ControlCommand::kStatus};
  ControlRequest command{.command = static_cast<ControlCommand>(999)};
  char longer[sizeof(ControlRequest) + 1] = {};
  const std::vector<std::string> packets = {
      std::string(reinterpret_cast<char*>(&unterminated), sizeof(unterminated)),
      std::string(reinterpret_cast<char*>(&version), sizeof(version)),
      std::string(reinterpret_cast<char*>(&command), sizeof(command)),
      std::string(longer, sizeof(longer)),
      "short",
  };
  for (const std::string& packet : packets) {
    UniqueFd client = RawClient();
    ASSERT_EQ(send(client.get(), packet.data(), packet.size(), 0), static_cast<ssize_t>(packet.size()));
    const std::optional<ControlReply> reply = RawAnswer(client);
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(reply->exit_code, 2);
  }
  UniqueFd well_formed = RawClient();
  ControlRequest request{.command = ControlCommand::kRun};
  send(well_formed.get(), &request, sizeof(request), 0);
  EXPECT_EQ(RawAnswer(well_formed)->exit_code, 0);
}

TEST_F(ControlServerTest, ClearsWhatIsBehindTheNul) {
  std::string text1;
  Listen([&text1](std::shared_ptr<ControlCall> call) {
    text1.assign(call->request().text1, sizeof(call->request().text1));
    call->Reply(0, "");
  });
  ControlRequest request{.command = ControlCommand::kRun};
  memset(request.text1, 'x', sizeof(request.text1) - 1);
  request.text1[3] = '\0';
  ASSERT_TRUE(Ask(request).ok());
  std::string expected(sizeof(request.text1), '\0');
  expected.replace(0, 3, "xxx");
  EXPECT_EQ(text1, expected);
}

// A process that connected outside a session must not lend its connection to one inside.
TEST_F(ControlServerTest, RefusesARequestFromAnotherProcessThanTheConnected) {
  Listen([](std::shared_ptr<ControlCall> call) { call->Reply(0, "handled"); });
  UniqueFd client = RawClient();
  const pid_t child = fork();
  if (child == 0) {
    ControlRequest request{.command = ControlCommand::kStatus};
    _exit(send(client.get(), &request, sizeof(request), 0) == sizeof(request) ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  const std::optional<ControlReply> reply = RawAnswer(client);
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->exit_code, 2);
  EXPECT_THAT(reply->message, HasSubstr("another process"));
}

TEST_F(ControlServerTest, DropsDescriptorsThatAreSentAlong) {
  Listen([](std::shared_ptr<ControlCall> call) { call->Reply(0, "handled"); });
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  UniqueFd read_end(ends[0]), write_end(ends[1]);
  UniqueFd client = RawClient();
  ControlRequest request{.command = ControlCommand::kStatus};
  iovec part{.iov_base = &request, .iov_len = sizeof(request)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof(int));
  const int sent = write_end.get();
  memcpy(CMSG_DATA(head), &sent, sizeof(sent));
  ASSERT_GT(sendmsg(client.get(), &message, 0), 0);
  EXPECT_EQ(RawAnswer(client)->exit_code, 0);
  write_end.reset();
  pollfd ended{.fd = read_end.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&ended, 1, 60000), 1);  // POLLHUP only once no copy of the write end is open anywhere
  EXPECT_TRUE(ended.revents & POLLHUP);
}

TEST_F(ControlServerTest, EndsAClientThatSaysNothing) {
  Listen([](std::shared_ptr<ControlCall> call) { call->Reply(0, ""); }, {.request_timeout = absl::Milliseconds(1)});
  UniqueFd client = RawClient();
  EXPECT_EQ(RawAnswer(client), std::nullopt);
  EXPECT_EQ(server_->clients(), 0u);
}

TEST_F(ControlServerTest, EndsAClientThatDoesNotReadItsAnswer) {
  Listen(
      [](std::shared_ptr<ControlCall> call) {
        call->Reply(0, "", std::vector<std::string>(100, std::string(kControlBodyMax, 'x')));
      },
      {.answer_timeout = absl::Milliseconds(1)});
  UniqueFd client = RawClient();
  ControlRequest request{.command = ControlCommand::kStatus};
  send(client.get(), &request, sizeof(request), 0);
  pollfd answer{.fd = client.get(), .events = POLLIN, .revents = 0};
  ASSERT_TRUE(ServeUntil([&answer] { return poll(&answer, 1, 0) == 1; }));
  EXPECT_TRUE(ServeUntil([this] { return server_->clients() == 0; }));
}

TEST_F(ControlServerTest, SilentClientsGiveWayToANewOne) {
  Listen([](std::shared_ptr<ControlCall> call) { call->Reply(0, "served"); }, {.request_timeout = kLong});
  std::vector<UniqueFd> silent;
  for (size_t i = 0; i < ControlServer::kMaxPerUid; ++i) {
    silent.push_back(RawClient());
    server_->Dispatch();
  }
  EXPECT_EQ(server_->clients(), ControlServer::kMaxPerUid);
  EXPECT_EQ(Ask({.command = ControlCommand::kStatus})->exit_code, 0);
  EXPECT_EQ(RawAnswer(silent[0]), std::nullopt);  // the oldest one went
}

TEST_F(ControlServerTest, TheOldestWaitGivesWayWithUndecided) {
  std::vector<std::shared_ptr<ControlCall>> waiting;
  int gone = 0;
  Listen([&](std::shared_ptr<ControlCall> call) {
    if (call->request().command != ControlCommand::kWait) return call->Reply(0, "served");
    call->OnGone([&gone] { ++gone; });
    waiting.push_back(std::move(call));
  });
  std::vector<UniqueFd> clients;
  ControlRequest request{.command = ControlCommand::kWait};
  for (size_t i = 0; i < ControlServer::kMaxPerUid; ++i) {
    clients.push_back(RawClient());
    send(clients.back().get(), &request, sizeof(request), 0);
    ASSERT_TRUE(ServeUntil([&] { return waiting.size() == i + 1; }));
  }
  EXPECT_EQ(Ask({.command = ControlCommand::kStatus})->exit_code, 0);
  EXPECT_EQ(RawAnswer(clients[0])->exit_code, 75);
  EXPECT_EQ(gone, 1);
  EXPECT_TRUE(waiting[0]->answered());
  EXPECT_FALSE(waiting[1]->answered());
}

TEST_F(ControlServerTest, AnAnswerMayGoOnAndEndWithItsReply) {
  std::shared_ptr<ControlCall> watching;
  Listen([&](std::shared_ptr<ControlCall> call) {
    watching = std::move(call);
    watching->Send({"{\"a\":1}", "{\"a\":2}"});
  });
  ControlRequest request{.command = ControlCommand::kWatch};
  absl::StatusOr<ControlStream> stream = ControlStream::Open(path_, request);
  ASSERT_TRUE(stream.ok()) << stream.status();
  absl::StatusOr<std::optional<ControlPacket>> packet = std::nullopt;
  const auto next = [&] {
    EXPECT_TRUE(ServeUntil([&] { return !(packet = stream->Next()).ok() || packet->has_value(); }));
    return **packet;
  };
  EXPECT_EQ(next().body, "{\"a\":1}");
  EXPECT_TRUE((*packet)->more);
  EXPECT_EQ(next().body, "{\"a\":2}");
  watching->Send({"{\"a\":3}"});
  EXPECT_EQ(next().body, "{\"a\":3}");
  watching->Reply(69, "the end");
  EXPECT_EQ(next().exit_code, 69);
  EXPECT_FALSE((*packet)->more);
  EXPECT_TRUE(ServeUntil([&] { return server_->clients() == 0; }));
}

TEST_F(ControlServerTest, AWatcherThatDoesNotReadIsDroppedAndTheServerGoesOn) {
  std::shared_ptr<ControlCall> watching;
  bool gone = false;
  Listen([&](std::shared_ptr<ControlCall> call) {
    if (call->request().command != ControlCommand::kWatch) return call->Reply(0, "");
    watching = std::move(call);
    watching->OnGone([&] { gone = true; });
  });
  ControlRequest request{.command = ControlCommand::kWatch};
  const absl::StatusOr<ControlStream> stream = ControlStream::Open(path_, request);
  ASSERT_TRUE(ServeUntil([&] { return watching != nullptr; }));
  size_t sent = 0;
  for (; !gone && sent < 100'000; ++sent) watching->Send({std::string(16 << 10, 'x')});
  EXPECT_TRUE(gone);
  EXPECT_GT(sent, ControlServer::kMaxUnread);
  EXPECT_EQ(server_->clients(), 0u);
  EXPECT_EQ(Ask({.command = ControlCommand::kStatus})->exit_code, 0);
}

TEST_F(ControlServerTest, TheSecretIsHandedOutOnce) {
  std::string first, second;
  Listen([&](std::shared_ptr<ControlCall> call) {
    first = call->TakeSecret();
    second = call->TakeSecret();
    call->Reply(0, "");
  });
  ControlRequest request{.command = ControlCommand::kApprove};
  ASSERT_TRUE(SetControlText(request.secret, "correct horse", "password").ok());
  std::future<absl::StatusOr<ControlAnswer>> answer =
      std::async(std::launch::async, [&] { return AskDaemon(path_, request, kLong); });
  ASSERT_TRUE(ServeUntil([&] { return answer.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }));
  EXPECT_EQ(first, "correct horse");
  EXPECT_EQ(second, "");
  EXPECT_EQ(std::string(request.secret, sizeof(request.secret)), std::string(sizeof(request.secret), '\0'));
}

TEST_F(ControlServerTest, ReplacesTheSocketOfADeadDaemonAndNoLiveOne) {
  {
    UniqueFd dead(socket(AF_UNIX, SOCK_SEQPACKET, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    strcpy(address.sun_path, path_.c_str());
    ASSERT_EQ(bind(dead.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  Listen([](std::shared_ptr<ControlCall> call) { call->Reply(0, ""); });
  ASSERT_NE(server_, nullptr);
  EXPECT_EQ(ControlServer::Listen({.path = path_}, [](auto) {}).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Ask({.command = ControlCommand::kStatus})->exit_code, 0);
}

TEST_F(ControlServerTest, RefusesAFolderThatOthersMayWrite) {
  ASSERT_EQ(chmod(folder_.c_str(), 0777), 0);
  EXPECT_EQ(ControlServer::Listen({.path = path_}, [](auto) {}).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ControlServerTest, LeavesAFileThatIsNoSocketAlone) {
  UniqueFd file(open(path_.c_str(), O_CREAT | O_WRONLY, 0600));
  EXPECT_EQ(ControlServer::Listen({.path = path_}, [](auto) {}).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(access(path_.c_str(), F_OK), 0);
}

TEST_F(ControlServerTest, EveryoneMayConnect) {
  Listen([](std::shared_ptr<ControlCall> call) { call->Reply(0, ""); });
  struct stat st {};
  ASSERT_EQ(stat(path_.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0666u);
}

TEST(AskDaemon, SaysThatNoDaemonAnswersAndWhatToDo) {
  ControlRequest request{.command = ControlCommand::kStatus};
  const absl::Status status = AskDaemon("/nonexistent/control.sock", request, kLong).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/nonexistent/control.sock"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("--run"));
}

TEST(SetControlText, RefusesWhatDoesNotFitOrHoldsANul) {
  char text[8];
  EXPECT_TRUE(SetControlText(text, "1234567", "name").ok());
  EXPECT_STREQ(text, "1234567");
  EXPECT_EQ(SetControlText(text, "12345678", "name").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(SetControlText(text, absl::string_view("a\0b", 3), "name").code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace holdpoint
