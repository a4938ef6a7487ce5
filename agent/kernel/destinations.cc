#include "agent/kernel/destinations.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

absl::StatusOr<hp_dest> MakeDest(const std::vector<hp_dest_range>& ranges) {
  if (ranges.size() > HP_DEST_RANGES) {
    return absl::InvalidArgumentError(
        absl::StrCat("destination: ", ranges.size(), " port ranges, at most ", HP_DEST_RANGES, " fit a prefix"));
  }
  hp_dest dest{};
  dest.count = static_cast<uint32_t>(ranges.size());
  for (size_t i = 0; i < ranges.size(); ++i) {
    const hp_dest_range& range = ranges[i];
    if (range.port_low > range.port_high || range.environment >= HP_ENV_MAX || range.refuse > HP_REFUSE_NEVER) {
      return absl::InvalidArgumentError(absl::StrCat("destination: ports ", range.port_low, "-", range.port_high,
                                                     ", environment ", range.environment, ", refuse ", range.refuse));
    }
    dest.range[i] = range;
  }
  return dest;
}

// The address with the bits behind the prefix cleared, so that equal prefixes have equal keys.
template <typename Key>
Key MakeKey(const Kernel::DestinationPrefix& prefix) {
  Key key{};
  key.prefix_length = prefix.prefix_length;
  for (size_t i = 0; i < sizeof(key.address); ++i) {
    const uint32_t bits = prefix.prefix_length > 8 * i ? std::min<uint32_t>(8, prefix.prefix_length - 8 * i) : 0;
    key.address[i] = static_cast<uint8_t>(prefix.address[i]) & static_cast<uint8_t>(0xff00u >> bits);
  }
  return key;
}

template <typename Key>
std::string Bytes(const Key& key) {
  return std::string(reinterpret_cast<const char*>(&key), sizeof(key));
}

template <typename Key>
absl::Status Replace(const MapView<Key, hp_dest>& table, const std::vector<Kernel::DestinationPrefix>& prefixes) {
  std::set<std::string> wanted;
  for (const Kernel::DestinationPrefix& prefix : prefixes) {
    const Key key = MakeKey<Key>(prefix);
    HP_ASSIGN_OR_RETURN(const hp_dest dest, MakeDest(prefix.ranges));
    HP_RETURN_IF_ERROR(table.Put(key, dest));
    wanted.insert(Bytes(key));
  }
  for (const Key& key : table.Keys()) {
    if (!wanted.contains(Bytes(key))) HP_RETURN_IF_ERROR(table.Erase(key));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ReplaceDestinations(const Dest4& table4, const Dest6& table6,
                                 const std::vector<Kernel::DestinationPrefix>& prefixes) {
  std::vector<Kernel::DestinationPrefix> v4;
  std::vector<Kernel::DestinationPrefix> v6;
  for (const Kernel::DestinationPrefix& prefix : prefixes) {
    const size_t size = prefix.address.size();
    if ((size != 4 && size != 16) || prefix.prefix_length > 8 * size) {
      return absl::InvalidArgumentError(
          absl::StrCat("destination: an address of ", size, " bytes with a prefix of ", prefix.prefix_length, " bits"));
    }
    HP_RETURN_IF_ERROR(MakeDest(prefix.ranges).status());
    (size == 4 ? v4 : v6).push_back(prefix);
  }
  HP_RETURN_IF_ERROR(Replace(table4, v4));
  return Replace(table6, v6);
}

}  // namespace holdpoint
