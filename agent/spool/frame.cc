#include "agent/spool/frame.h"

#include <algorithm>
#include <cstring>

#include "agent/spool/crc32c.h"

namespace holdpoint {
namespace {

template <typename T>
void PutLittleEndian(T value, char* to) {
  for (size_t i = 0; i < sizeof(T); ++i) to[i] = static_cast<char>(value >> (8 * i));
}

template <typename T>
T GetLittleEndian(const char* from) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) value |= static_cast<T>(static_cast<unsigned char>(from[i])) << (8 * i);
  return value;
}

constexpr size_t kCheckedHeader = 4;  // The checksum covers the header from here up to itself.
constexpr size_t kChecksumAt = 16;
constexpr uint32_t kKeptLastBit = 1u << 31;

}  // namespace

std::array<char, kFrameHeaderBytes> MakeFrameHeader(uint64_t sequence, absl::string_view payload, bool kept_last) {
  std::array<char, kFrameHeaderBytes> header;
  std::memcpy(header.data(), kFrameMagic.data(), kFrameMagic.size());
  PutLittleEndian(static_cast<uint32_t>(payload.size()) | (kept_last ? kKeptLastBit : 0), header.data() + 4);
  PutLittleEndian(sequence, header.data() + 8);
  const uint32_t crc = Crc32c({header.data() + kCheckedHeader, kChecksumAt - kCheckedHeader});
  PutLittleEndian(Crc32c(payload, crc), header.data() + kChecksumAt);
  return header;
}

FrameState ParseFrame(absl::string_view data, Frame* frame) {
  const absl::string_view header = data.substr(0, kFrameHeaderBytes);
  if (header.find_first_not_of('\0') == absl::string_view::npos) return FrameState::kNothing;
  const size_t magic_seen = std::min(header.size(), kFrameMagic.size());
  if (header.substr(0, magic_seen) != kFrameMagic.substr(0, magic_seen)) return FrameState::kDamaged;
  if (header.size() < kFrameHeaderBytes) return FrameState::kPartial;

  const auto word = GetLittleEndian<uint32_t>(header.data() + 4);
  const uint32_t length = word & ~kKeptLastBit;
  if (length == 0 || length > kMaxFramePayload) return FrameState::kDamaged;
  if (data.size() < kFrameHeaderBytes + length) return FrameState::kPartial;

  const absl::string_view payload = data.substr(kFrameHeaderBytes, length);
  const uint32_t crc = Crc32c({header.data() + kCheckedHeader, kChecksumAt - kCheckedHeader});
  if (Crc32c(payload, crc) != GetLittleEndian<uint32_t>(header.data() + kChecksumAt)) return FrameState::kDamaged;
  *frame = {GetLittleEndian<uint64_t>(header.data() + 8), payload, kFrameHeaderBytes + length,
            (word & kKeptLastBit) != 0};
  return FrameState::kWhole;
}

}  // namespace holdpoint
