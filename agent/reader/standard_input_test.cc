#include "agent/reader/standard_input.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "agent/base/fd.h"

namespace holdpoint::reader {
namespace {

struct Ends {
  UniqueFd read, write;
};

Ends Pipe() {
  int fds[2];
  EXPECT_EQ(pipe2(fds, O_CLOEXEC), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Ends SocketPair() {
  int fds[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

void Write(const UniqueFd& fd, const std::string& text) {
  ASSERT_EQ(write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

std::string ReadAll(const UniqueFd& fd) {
  std::string all;
  char buffer[4096];
  for (ssize_t n; (n = read(fd.get(), buffer, sizeof(buffer))) > 0;) all.append(buffer, static_cast<size_t>(n));
  return all;
}

v1::StandardInputFact Peek(int fd, size_t max = 65536) {
  v1::StandardInputFact fact;
  PeekInput(fd, max, 0, &fact);
  EXPECT_EQ(fact.problem(), "");
  return fact;
}

TEST(StandardInputTest, APipeIsSeenWholeOnceItsWriterIsGoneAndKeepsEveryByte) {
  Ends pipe = Pipe();
  Write(pipe.write, "drop table ");
  v1::StandardInputFact fact = Peek(pipe.read.get());
  EXPECT_EQ(fact.kind(), "pipe");
  EXPECT_EQ(fact.content(), "drop table ");
  EXPECT_FALSE(fact.whole()) << "its writer may go on";
  Write(pipe.write, "orders");
  pipe.write.reset();
  fact = Peek(pipe.read.get());
  EXPECT_EQ(fact.content(), "drop table orders");
  EXPECT_TRUE(fact.whole());
  EXPECT_EQ(ReadAll(pipe.read), "drop table orders");
}

TEST(StandardInputTest, AFullPipeIsSeenUpToTheBound) {
  Ends pipe = Pipe();
  ASSERT_GT(fcntl(pipe.write.get(), F_SETPIPE_SZ, 1 << 18), 0);
  const std::string text(200'000, 'x');
  Write(pipe.write, text);
  pipe.write.reset();
  const v1::StandardInputFact fact = Peek(pipe.read.get(), 65536);
  EXPECT_EQ(fact.content().size(), 65536u);
  EXPECT_TRUE(fact.cut());
  EXPECT_FALSE(fact.whole());
  EXPECT_EQ(ReadAll(pipe.read), text);
}

TEST(StandardInputTest, ManySmallWritesAreSeen) {
  Ends pipe = Pipe();
  std::string text;
  for (int i = 0; i < 1000; ++i) {
    Write(pipe.write, "select 1;\n");
    text += "select 1;\n";
  }
  pipe.write.reset();
  EXPECT_EQ(Peek(pipe.read.get()).content(), text);
  EXPECT_EQ(ReadAll(pipe.read), text);
}

TEST(StandardInputTest, AFileIsSeenFromWhereTheProgramReadsOn) {
  char path[] = "/tmp/holdpoint-input-XXXXXX";
  const UniqueFd file(mkstemp(path));
  ASSERT_EQ(unlink(path), 0);
  Write(file, "12345drop table orders");
  ASSERT_EQ(lseek(file.get(), 5, SEEK_SET), 5);
  const v1::StandardInputFact fact = Peek(file.get());
  EXPECT_EQ(fact.kind(), "file");
  EXPECT_EQ(fact.content(), "drop table orders");
  EXPECT_EQ(fact.position(), 5u);
  EXPECT_TRUE(fact.whole());
  EXPECT_TRUE(Peek(file.get(), 4).cut());
  EXPECT_EQ(lseek(file.get(), 0, SEEK_CUR), 5);
}

TEST(StandardInputTest, ASocketIsPeekedInto) {
  Ends pair = SocketPair();
  Write(pair.write, "drop table ");
  Write(pair.write, "orders");
  v1::StandardInputFact fact = Peek(pair.read.get());
  EXPECT_EQ(fact.kind(), "socket");
  EXPECT_EQ(fact.content(), "drop table orders");
  EXPECT_FALSE(fact.whole());
  pair.write.reset();
  EXPECT_TRUE(Peek(pair.read.get()).whole());
  EXPECT_EQ(ReadAll(pair.read), "drop table orders");
}

TEST(StandardInputTest, WhatHoldsNothingSaysSo) {
  const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(Peek(null.get()).kind(), "null");
  EXPECT_TRUE(Peek(null.get()).whole());
  EXPECT_EQ(Peek(-1).kind(), "closed");
  const UniqueFd zero(open("/dev/zero", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(Peek(zero.get()).kind(), "other");
  EXPECT_FALSE(Peek(zero.get()).whole());
  const UniqueFd terminal(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_TRUE(terminal.ok());
  EXPECT_EQ(Peek(terminal.get()).kind(), "terminal");
}

}  // namespace
}  // namespace holdpoint::reader
