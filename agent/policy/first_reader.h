#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/environment/credentials.h"
#include "agent/policy/fact_book.h"
#include "agent/policy/policy.h"
#include "holdpoint/v1/event.pb.h"

namespace holdpoint {

// Where a session had a credential from that an act carries, as far as the kernel saw it.
struct FirstReader {
  std::string sentence;   // its token was first read from /srv/domains/.env by /usr/bin/cat (pid 812) 12 s ago
  v1::Evidence evidence;
};

// The first opening, in the act's session, of a file that holds one of `credentials`, or that the configuration calls by
// the same name. Files are asked for by `facts`, aside: what becomes known here is no part of the act.
std::optional<FirstReader> FindFirstReader(const std::vector<FoundCredential>& credentials,
                                           const EvaluationContext& context, FactBook* facts);

}  // namespace holdpoint
