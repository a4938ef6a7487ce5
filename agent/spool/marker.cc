#include "agent/spool/marker.h"

#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/base/status.h"
#include "agent/spool/layout.h"

namespace holdpoint {
namespace {

constexpr absl::string_view kSuffix = ".gone";

}  // namespace

std::string MarkerPath(const std::string& stream_dir, const Eviction& eviction) {
  const SequenceGap& gap = eviction.gaps.front();
  const std::string why = absl::StrReplaceAll(eviction.reason, {{" ", "_"}, {"/", "_"}, {"-", "_"}});
  return absl::StrFormat("%s/%020d-%d-%s-%s-%d-%d-%d-%s%s", stream_dir, gap.first, gap.last, Hex(gap.last_hash),
                         eviction.delivered ? "d" : "u", eviction.records, eviction.kept_last, eviction.bytes, why,
                         kSuffix);
}

std::optional<Marker> ReadMarker(const std::string& stream_dir, const std::string& run_id, const std::string& name) {
  absl::string_view text = name;
  if (!absl::ConsumeSuffix(&text, kSuffix)) return std::nullopt;
  const std::vector<std::string> parts = absl::StrSplit(text, '-');
  Marker marker{.path = absl::StrCat(stream_dir, "/", name), .eviction = {.run_id = run_id, .gaps = {SequenceGap{}}}};
  Eviction& eviction = marker.eviction;
  SequenceGap& gap = eviction.gaps.front();
  if (parts.size() != 8 || !absl::SimpleAtoi(parts[0], &gap.first) || !absl::SimpleAtoi(parts[1], &gap.last) ||
      parts[2].size() != 2 * gap.last_hash.size() || !absl::SimpleAtoi(parts[4], &eviction.records) ||
      !absl::SimpleAtoi(parts[5], &eviction.kept_last) || !absl::SimpleAtoi(parts[6], &eviction.bytes) ||
      gap.first == 0 || gap.last < gap.first) {
    return std::nullopt;
  }
  const std::string hash = absl::HexStringToBytes(parts[2]);
  std::memcpy(gap.last_hash.data(), hash.data(), std::min(hash.size(), gap.last_hash.size()));
  eviction.delivered = parts[3] == "d";
  eviction.reason = absl::StrReplaceAll(parts[7], {{"_", " "}});
  return marker;
}

absl::StatusOr<std::vector<Marker>> ListMarkers(const std::string& stream_dir, const std::string& run_id) {
  HP_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListNames(stream_dir));
  std::vector<Marker> markers;
  for (const std::string& name : names) {
    if (std::optional<Marker> marker = ReadMarker(stream_dir, run_id, name)) markers.push_back(*std::move(marker));
  }
  std::sort(markers.begin(), markers.end(), [](const Marker& a, const Marker& b) {
    return a.eviction.gaps.front().first < b.eviction.gaps.front().first;
  });
  return markers;
}

absl::Status LeaveMarker(const std::string& segment, const Marker& marker) {
  if (rename(segment.c_str(), marker.path.c_str()) != 0) return ErrnoStatus(absl::StrCat("evicting ", segment));
  const std::string directory = segment.substr(0, segment.rfind('/'));
  // Only then may its records go. A directory that cannot be synced does not keep the disk from getting room.
  SyncDir(directory).IgnoreError();
  if (truncate(marker.path.c_str(), 0) != 0) return ErrnoStatus(absl::StrCat("emptying ", marker.path));
  return absl::OkStatus();
}

}  // namespace holdpoint
