#include "agent/gate/open_watch.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

#include "tests/support/fanotify_record.h"

namespace holdpoint {
namespace {

class OpenWatchTest : public testing::Test {
 protected:
  OpenWatchTest() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    kernel_.reset(ends[0]);
    watch_ = std::make_unique<OpenWatch>(UniqueFd(ends[1]));
  }

  std::vector<OpenWatch::Event> Taken(const std::string& bytes, size_t max = 100) {
    EXPECT_EQ(send(kernel_.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    std::vector<OpenWatch::Event> events;
    watch_->Drain(max, [&events](OpenWatch::Event event) { events.push_back(std::move(event)); });
    return events;
  }

  const WatchedFile token_ = MadeWatchedFile("/srv/token", "token");
  UniqueFd kernel_;
  std::unique_ptr<OpenWatch> watch_;
};

TEST_F(OpenWatchTest, EachWayToOpenAFileIsTold) {
  const auto events = Taken(FanotifyRecord(FAN_OPEN, 12).Of(token_).Text() +
                            FanotifyRecord(FAN_ACCESS | FAN_CLOSE_NOWRITE, 12).Of(token_).Text() +
                            FanotifyRecord(FAN_CLOSE_WRITE, 13).Of(token_).Text() +
                            FanotifyRecord(FAN_DELETE_SELF, 14).Of(token_).Text());
  ASSERT_EQ(events.size(), 4u);
  const auto seen = [&events](size_t i) {
    return std::vector<bool>{events[i].opened, events[i].read, events[i].closed, events[i].gone, events[i].put, events[i].lost};
  };
  EXPECT_THAT(seen(0), testing::ElementsAre(true, false, false, false, false, false));
  EXPECT_THAT(seen(1), testing::ElementsAre(false, true, true, false, false, false));
  EXPECT_THAT(seen(2), testing::ElementsAre(false, false, true, false, false, false));
  EXPECT_THAT(seen(3), testing::ElementsAre(false, false, false, true, false, false));
  EXPECT_EQ(events[2].tgid, 13);
  for (const OpenWatch::Event& event : events) EXPECT_EQ(event.key, OpenWatch::KeyOf(token_));
}

TEST_F(OpenWatchTest, WhatWasPutIntoAFolderHasItsName) {
  const WatchedFile folder = MadeWatchedFile("/srv", "folder");
  const auto events = Taken(FanotifyRecord(FAN_MOVED_TO).In(folder, ".env").Text() +
                            FanotifyRecord(FAN_CREATE).In(folder, "a\nb").Text());
  ASSERT_EQ(events.size(), 2u);
  EXPECT_TRUE(events[0].put);
  EXPECT_EQ(events[0].key, OpenWatch::KeyOf(folder));
  EXPECT_EQ(events[0].name, ".env");
  EXPECT_EQ(events[1].name, "a\nb");
}

TEST_F(OpenWatchTest, APidfdIsOwnedAndOneThatIsMissingIsNone) {
  const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  {
    const auto events = Taken(FanotifyRecord(FAN_OPEN, 1).Of(token_).By(fd).Text() +
                              FanotifyRecord(FAN_OPEN, 1).Of(token_).By(FAN_NOPIDFD).Text());
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[0].pidfd.get(), fd);
    EXPECT_FALSE(events[1].pidfd.ok());
  }
  EXPECT_EQ(fcntl(fd, F_GETFD), -1) << "it is closed with its event";
}

TEST_F(OpenWatchTest, AFullQueueIsSaid) {
  const auto events = Taken(FanotifyRecord(FAN_Q_OVERFLOW).Text());
  ASSERT_EQ(events.size(), 1u);
  EXPECT_TRUE(events[0].lost);
  EXPECT_EQ(events[0].key, "");
}

TEST_F(OpenWatchTest, FilesOfTwoFileSystemsWithTheSameHandleAreTwo) {
  WatchedFile other = token_;
  other.fsid[0] = 2;
  EXPECT_NE(OpenWatch::KeyOf(token_), OpenWatch::KeyOf(other));
  other = token_;
  other.handle_type = 3;
  EXPECT_NE(OpenWatch::KeyOf(token_), OpenWatch::KeyOf(other));
  const auto events = Taken(FanotifyRecord(FAN_OPEN).Of(other).Text());
  EXPECT_EQ(events.at(0).key, OpenWatch::KeyOf(other));
}

TEST_F(OpenWatchTest, ARecordThatIsCutGivesNothingThatIsNotInIt) {
  const std::string whole = FanotifyRecord(FAN_OPEN, 5).Of(token_).Text();
  for (size_t size = 1; size < whole.size(); ++size) {
    EXPECT_THAT(Taken(whole.substr(0, size)), testing::IsEmpty()) << size;
  }
  // One whose parts say more than it holds.
  const std::string longer = FanotifyRecord::Bytes(token_.fsid) + FanotifyRecord::Bytes(uint32_t{64}) +
                             FanotifyRecord::Bytes(token_.handle_type) + "token";
  for (const std::string& body : {longer, std::string("short"), std::string()}) {
    const auto events = Taken(FanotifyRecord(FAN_OPEN, 5).Info(FAN_EVENT_INFO_TYPE_FID, body).Text());
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].key, "");
  }
}

TEST_F(OpenWatchTest, WhatIsMoreThanWasAskedForWaits) {
  const std::string one = FanotifyRecord(FAN_OPEN).Of(token_).Text();
  for (int i = 0; i < 4; ++i) ASSERT_EQ(send(kernel_.get(), one.data(), one.size(), 0), static_cast<ssize_t>(one.size()));
  EXPECT_EQ(Taken(one, 3).size(), 3u);
  EXPECT_TRUE(watch_->Waiting());
  EXPECT_EQ(Taken(one).size(), 3u);
  EXPECT_FALSE(watch_->Waiting());
}

}  // namespace
}  // namespace holdpoint
