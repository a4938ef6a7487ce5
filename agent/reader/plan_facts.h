#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "agent/reader/safe_file.h"
#include "holdpoint/v1/judge.pb.h"

// What a plan file of terraform or OpenTofu would do: an archive whose member "tfplan" is a protobuf message.
namespace holdpoint::reader {

inline constexpr size_t kMaxPlanBytes = size_t{64} << 20;  // of that member
inline constexpr int kMaxPlanLosses = 32;                   // named; all are counted

// Of the message alone. Not whole: it is none, it is of another version than 3, or it holds something about resources
// that is not understood.
void ParsePlan(absl::string_view bytes, v1::PlanFact* fact);

// Of the file at an absolute path. Trouble is said in fact->problem.
void DescribePlan(const SafeFiles& files, const std::string& path, v1::PlanFact* fact);

}  // namespace holdpoint::reader
