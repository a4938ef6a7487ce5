#include "agent/spool/frame.h"

#include <gtest/gtest.h>

#include <string>

namespace holdpoint {
namespace {

std::string Framed(uint64_t sequence, absl::string_view payload) {
  const auto header = MakeFrameHeader(sequence, payload);
  return std::string(header.data(), header.size()).append(payload.data(), payload.size());
}

TEST(FrameTest, ComesBackAsItWent) {
  const std::string data = Framed(0x0102030405060708, "payload") + "behind";
  Frame frame;
  ASSERT_EQ(ParseFrame(data, &frame), FrameState::kWhole);
  EXPECT_EQ(frame.sequence, 0x0102030405060708u);
  EXPECT_EQ(frame.payload, "payload");
  EXPECT_EQ(frame.size, kFrameHeaderBytes + 7);
}

// The layout is a file format: these bytes never change.
TEST(FrameTest, BytesAreFixed) {
  const std::string data = Framed(2, "abc");
  EXPECT_EQ(data.substr(0, 16), std::string("HPR1\x03\0\0\0\x02\0\0\0\0\0\0\0", 16));
  EXPECT_EQ(data.substr(kFrameHeaderBytes), "abc");
}

TEST(FrameTest, EveryShorterPieceIsNoFrame) {
  const std::string data = Framed(7, std::string(100, 'x'));
  Frame frame;
  for (size_t size = 1; size < data.size(); ++size) {
    ASSERT_EQ(ParseFrame(absl::string_view(data).substr(0, size), &frame), FrameState::kPartial) << size;
  }
}

TEST(FrameTest, EveryFlippedBitIsFound) {
  const std::string data = Framed(7, "some payload");
  Frame frame;
  for (size_t bit = 0; bit < data.size() * 8; ++bit) {
    std::string flipped = data;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    ASSERT_NE(ParseFrame(flipped, &frame), FrameState::kWhole) << bit;
  }
}

TEST(FrameTest, ZeroBytesAreTheEnd) {
  Frame frame;
  EXPECT_EQ(ParseFrame("", &frame), FrameState::kNothing);
  for (const size_t size : {1, 19, 20, 4096}) {
    EXPECT_EQ(ParseFrame(std::string(size, '\0'), &frame), FrameState::kNothing);
  }
}

TEST(FrameTest, RejectsALengthPastTheLimitAtOnce) {
  std::string data = Framed(1, "x");
  data[7] = '\x7f';  // Otherwise a reader would wait for two gigabytes.
  Frame frame;
  EXPECT_EQ(ParseFrame(data, &frame), FrameState::kDamaged);
}

}  // namespace
}  // namespace holdpoint
