#include "agent/judge/channel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <memory>
#include <string>

#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {
namespace {

class JudgeChannelTest : public testing::Test {
 protected:
  void SetUp() override {
    auto ends = JudgeChannel::Pair();
    ASSERT_TRUE(ends.ok()) << ends.status();
    gate_ = std::make_unique<JudgeChannel>(std::move(ends->first), JudgeChannel::Mode::kNonBlocking);
    judge_ = std::make_unique<JudgeChannel>(std::move(ends->second), JudgeChannel::Mode::kNonBlocking);
  }

  v1::ToJudge Message(size_t bytes) {
    v1::ToJudge message;
    message.set_id(7);
    message.mutable_exec()->set_raw_argv(std::string(bytes, 'x'));
    return message;
  }

  // Sends raw bytes with one descriptor from the judge's end, as a hostile judge would.
  void SendRaw(const std::string& bytes, int fd) {
    iovec part{const_cast<char*>(bytes.data()), bytes.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (fd >= 0) {
      header.msg_control = control;
      header.msg_controllen = sizeof(control);
      cmsghdr* c = CMSG_FIRSTHDR(&header);
      c->cmsg_level = SOL_SOCKET;
      c->cmsg_type = SCM_RIGHTS;
      c->cmsg_len = CMSG_LEN(sizeof(int));
      memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    }
    ASSERT_GE(sendmsg(judge_->fd(), &header, MSG_NOSIGNAL), 0) << strerror(errno);
  }

  std::unique_ptr<JudgeChannel> gate_, judge_;
};

TEST_F(JudgeChannelTest, NothingThereIsFalseAndNotAnError) {
  v1::FromJudge message;
  const auto got = gate_->Receive(&message);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_FALSE(*got);
}

TEST_F(JudgeChannelTest, CarriesMessagesOfEverySizeUpToTheLimit) {
  for (const size_t bytes : {size_t{0}, size_t{1}, JudgeChannel::kMaxPacket - 64, JudgeChannel::kMaxPacket,
                             size_t{1} << 20, JudgeChannel::kMaxMessage - 64}) {
    const v1::ToJudge sent = Message(bytes);
    ASSERT_TRUE(gate_->Send(sent).ok()) << bytes;
    v1::ToJudge got;
    const auto received = judge_->Receive(&got);
    ASSERT_TRUE(received.ok()) << bytes << ": " << received.status();
    ASSERT_TRUE(*received);
    EXPECT_EQ(got.exec().raw_argv().size(), bytes);
    EXPECT_EQ(got.id(), 7u);
  }
}

TEST_F(JudgeChannelTest, RefusesToSendMoreThanTheLimit) {
  EXPECT_EQ(gate_->Send(Message(JudgeChannel::kMaxMessage + 1)).code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(JudgeChannelTest, AFullQueueIsUnavailableAndNothingIsSentByHalves) {
  size_t sent = 0;
  absl::Status status;
  while ((status = gate_->Send(Message(100'000))).ok()) ++sent;
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  v1::ToJudge got;
  size_t received = 0;
  while (*judge_->Receive(&got)) ++received;
  EXPECT_EQ(received, sent);
}

TEST_F(JudgeChannelTest, AClosedEndIsAborted) {
  judge_.reset();
  v1::FromJudge message;
  EXPECT_EQ(gate_->Receive(&message).status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(gate_->Send(Message(1)).code(), absl::StatusCode::kAborted);
}

TEST_F(JudgeChannelTest, AMemfdThatCanStillChangeIsRefused) {
  UniqueFd memfd(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(ftruncate(memfd.get(), 16), 0);
  SendRaw(std::string("f\x10\0\0\0\0\0\0\0", 9), memfd.get());
  v1::FromJudge message;
  EXPECT_EQ(gate_->Receive(&message).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(JudgeChannelTest, ADescriptorThatIsNoMemfdIsRefusedAndNeverRead) {
  int pipe_fds[2];
  ASSERT_EQ(pipe2(pipe_fds, O_CLOEXEC), 0);
  UniqueFd reader(pipe_fds[0]), writer(pipe_fds[1]);
  SendRaw(std::string("f\x10\0\0\0\0\0\0\0", 9), reader.get());
  v1::FromJudge message;
  EXPECT_EQ(gate_->Receive(&message).status().code(), absl::StatusCode::kDataLoss);
  SendRaw("m", reader.get());  // A descriptor that nobody asked for.
  EXPECT_EQ(gate_->Receive(&message).status().code(), absl::StatusCode::kDataLoss);
  reader.reset();
  EXPECT_EQ(write(writer.get(), "x", 1), -1) << "a received descriptor was left open";
  EXPECT_EQ(errno, EPIPE);
}

TEST_F(JudgeChannelTest, BytesThatAreNoMessageAreRefused) {
  for (const std::string bytes : {"x", "m\xff\xff\xff", "f", "f12345678"}) {
    SendRaw(bytes, -1);
    v1::FromJudge message;
    EXPECT_EQ(gate_->Receive(&message).status().code(), absl::StatusCode::kDataLoss) << bytes;
  }
}

}  // namespace
}  // namespace holdpoint

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
