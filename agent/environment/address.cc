#include "agent/environment/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace {

constexpr char kMapped[] = "\0\0\0\0\0\0\0\0\0\0\xff\xff";  // 12 bytes

bool IsMapped(absl::string_view address) {
  return address.size() == 16 && address.substr(0, 12) == absl::string_view(kMapped, 12);
}

std::string StrictAddress(absl::string_view text) {
  const std::string copy(text);
  in_addr four;
  if (inet_pton(AF_INET, copy.c_str(), &four) == 1) return std::string(reinterpret_cast<const char*>(&four), 4);
  in6_addr six;
  if (inet_pton(AF_INET6, copy.c_str(), &six) == 1) return std::string(reinterpret_cast<const char*>(&six), 16);
  return "";
}

bool BitIsSet(absl::string_view bytes, uint32_t bit) {
  return (static_cast<unsigned char>(bytes[bit / 8]) >> (7 - bit % 8)) & 1;
}

}  // namespace

absl::StatusOr<AddressRange> ParseRange(absl::string_view text) {
  const size_t slash = text.find('/');
  AddressRange range;
  range.text = std::string(text);
  range.bytes = StrictAddress(text.substr(0, slash));
  if (range.bytes.empty()) return absl::InvalidArgumentError("an address range such as 10.1.0.0/16 or 2001:db8::/32");
  const auto bits = static_cast<uint32_t>(range.bytes.size() * 8);
  range.prefix_length = bits;
  if (slash != absl::string_view::npos) {
    const absl::string_view length = text.substr(slash + 1);
    if (length.empty() || length.size() > 3 || length.find_first_not_of("0123456789") != absl::string_view::npos ||
        !absl::SimpleAtoi(length, &range.prefix_length) || range.prefix_length > bits) {
      return absl::InvalidArgumentError(absl::StrCat("a prefix length from 0 to ", bits, " behind the slash"));
    }
  }
  for (uint32_t bit = range.prefix_length; bit < bits; ++bit) {
    if (BitIsSet(range.bytes, bit)) {
      return absl::InvalidArgumentError(
          absl::StrCat("an address range whose bits behind /", range.prefix_length, " are zero"));
    }
  }
  if (IsMapped(range.bytes) && range.prefix_length >= 96) {
    range.bytes = range.bytes.substr(12);
    range.prefix_length -= 96;
  }
  return range;
}

absl::StatusOr<PortRange> ParsePorts(absl::string_view text) {
  const auto port = [](absl::string_view digits) -> std::optional<uint16_t> {
    uint32_t value = 0;
    if (digits.empty() || digits.find_first_not_of("0123456789") != absl::string_view::npos ||
        !absl::SimpleAtoi(digits, &value) || value < 1 || value > 65535) {
      return std::nullopt;
    }
    return static_cast<uint16_t>(value);
  };
  const size_t dash = text.find('-');
  const auto low = port(text.substr(0, dash));
  const auto high = dash == absl::string_view::npos ? low : port(text.substr(dash + 1));
  if (!low || !high || *low > *high) {
    return absl::InvalidArgumentError("a port from 1 to 65535, or a range such as \"8000-8100\"");
  }
  return PortRange{*low, *high};
}

std::string UnmapAddress(absl::string_view address) {
  return std::string(IsMapped(address) ? address.substr(12) : address);
}

std::string AddressFromText(absl::string_view text) {
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
  text = text.substr(0, text.find('%'));
  if (text.empty() || text.size() > 64) return "";
  if (std::string strict = StrictAddress(text); !strict.empty()) return UnmapAddress(strict);
  // inet_aton takes trailing words after white space; a host has none.
  if (text.find_first_not_of("0123456789abcdefABCDEFxX.") != absl::string_view::npos) return "";
  if (text.back() == '.') text.remove_suffix(1);
  in_addr four;
  if (inet_aton(std::string(text).c_str(), &four) == 0) return "";
  return std::string(reinterpret_cast<const char*>(&four), 4);
}

bool RangeHolds(const AddressRange& range, absl::string_view address) {
  if (address.size() != range.bytes.size()) return false;
  const uint32_t whole = range.prefix_length / 8;
  if (address.substr(0, whole) != absl::string_view(range.bytes).substr(0, whole)) return false;
  for (uint32_t bit = whole * 8; bit < range.prefix_length; ++bit) {
    if (BitIsSet(address, bit) != BitIsSet(range.bytes, bit)) return false;
  }
  return true;
}

}  // namespace holdpoint
