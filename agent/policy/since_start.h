#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "agent/policy/evidence.h"
#include "holdpoint/v1/judge.pb.h"

// What came into being, or was changed, since the session began: what only the session's own work would be lost of. It
// says when, not who: a person who works in the same folder at the same time is not told apart, so nothing protected is
// judged by it. docs/decisions/2026-11-27-made-by-this-session.md says what it rests on and what it does not see. Pure.
namespace holdpoint {

// The state of a repository as one value that the gate keeps unread.
v1::StartState StartStateOf(const v1::GitFact& git);

// Born after the session began, and of the session's user; false where either is not known.
bool BornSince(int64_t born_unix_ns, bool own, const v1::SessionContext& session);

// Nothing at `path` (resolved) was there when the session began: each entry was born since, and either the list of what
// was not in HEAD then is whole and does not name it, or the folder that holds it is itself new. Programs that write a
// file by replacing it give an old one a new birth; the list and the folder are what tells those.
bool MadeSince(const std::string& path, const v1::PathFact& fact, const AssessmentInput& input);

// What of a repository's changes a question is about.
struct ChangesAsked {
  std::string below;       // resolved; empty: all of it
  bool changed = true;     // of tracked files
  bool untracked = false;
  bool ignored = false;
};
// There are some, and all came since the session began: what was there then is in git. Asks for the repository's changes.
bool OnlySince(const ChangesAsked& asked, const AssessmentInput& input);

}  // namespace holdpoint
