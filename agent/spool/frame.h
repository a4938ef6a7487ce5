#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace holdpoint {

// How a record lies in a segment file, all integers little endian:
//
//   offset  size
//   0       4     magic "HPR1"
//   4       4     length of the payload, 1 to kMaxFramePayload; bit 31: not ordinary, evicted last
//   8       8     sequence of the record in its stream
//   16      4     CRC-32C of bytes 4 to 15 and the payload
//   20      n     payload: the serialised envelope
//
// A segment is frames one behind the other, then zero bytes to the end of the file where space was set aside.
inline constexpr size_t kFrameHeaderBytes = 20;
inline constexpr size_t kMaxFramePayload = 1024 * 1024;
inline constexpr absl::string_view kFrameMagic = "HPR1";

// The header for a payload; the payload is written behind it as it is. payload.size() is within the limits.
std::array<char, kFrameHeaderBytes> MakeFrameHeader(uint64_t sequence, absl::string_view payload,
                                                    bool kept_last = false);

struct Frame {
  uint64_t sequence = 0;
  absl::string_view payload;  // Points into the parsed data.
  size_t size = 0;            // of the whole frame
  bool kept_last = false;
};

enum class FrameState {
  kWhole,    // a frame, and its checksum is right
  kNothing,  // no data, or a header of zero bytes: the end of what was written
  kPartial,  // the data ends inside the frame
  kDamaged,  // something else: wrong magic, impossible length, wrong checksum
};

// Reads the frame at the start of `data`. Any bytes are fine. Pure.
FrameState ParseFrame(absl::string_view data, Frame* frame);

}  // namespace holdpoint
