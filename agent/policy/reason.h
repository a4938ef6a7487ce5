#pragma once

#include <string>
#include <vector>

#include "agent/policy/act.h"
#include "agent/policy/evidence.h"
#include "agent/policy/match.h"
#include "agent/policy/rule.h"

// The texts that people and coding agents read: one line, printable ASCII, no secrets, bounded.
namespace holdpoint {

inline constexpr size_t kMaxSummary = 160;
inline constexpr size_t kMaxReason = 320;

// curl POST backboard.railway.app volumeDelete "3d2c42fb..."
std::string SummariseRequest(absl::string_view tool, const RequestHit& hit, absl::string_view resource_id,
                             absl::string_view key);
// rm -rf /srv/data
std::string SummariseCall(const std::vector<std::string>& argv, absl::string_view key);

// deletes a volume for good, its backups are on the same volume; the token is tagged production, this session is
// staging
struct ReasonParts {
  std::string why;
  std::string because;
  std::string backups;
  const v1::Tags* tags = nullptr;
  std::vector<std::string> drifted{};  // files that say where it leads, and changed since the session began
  bool environment_matters = false;  // the verdict comes from the environment being unknown
  std::string credential_word = "the credential";
  std::string first_reader{};  // where the session had its credential from, a sentence
};
std::string ComposeReason(const ReasonParts& parts, absl::string_view key);

}  // namespace holdpoint
