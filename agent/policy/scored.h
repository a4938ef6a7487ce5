#pragma once

#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "agent/environment/tags.h"
#include "agent/policy/collect.h"
#include "agent/policy/intent.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {

// A hit with everything that follows from it.
struct Scored {
  std::string rule = "default";
  v1::Effect effect = v1::EFFECT_UNSPECIFIED;
  v1::Recoverability recoverability = v1::RECOVERABILITY_UNSPECIFIED;
  v1::Verdict verdict = v1::VERDICT_ALLOW;
  bool observed = false;
  int conditions = 0;
  ActTags tags;
  v1::Resource resource;
  std::string why, because, blind_spot;
  const Rule* source = nullptr;
  std::optional<Hit> hit;
  std::vector<Touch> touched;
  std::string named;  // the resource's id, neither redacted nor cut
  bool looked_up = false;  // the host says which resource it is
  std::vector<v1::Evidence> evidence;

  // What decides between two that say the same.
  auto Order() const { return std::make_tuple(verdict, effect, recoverability, !resource.id().empty(), conditions); }
};

}  // namespace holdpoint
