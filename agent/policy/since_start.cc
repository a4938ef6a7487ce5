#include "agent/policy/since_start.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/policy/paths.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxStartBytes = 16 * 1024;
constexpr int kMaxLookedAt = 8;  // of what was uncommitted at the start: is it still there?

char Letter(absl::string_view state) { return state == "changed" ? 'M' : state == "ignored" ? '!' : '?'; }

// Which of the session's entries at its start a path has to do with.
class StartList {
 public:
  explicit StartList(const v1::SessionContext& session)
      : whole_(session.start().whole() && !session.start().root().empty()), root_(CleanPath(session.start().root())) {
    for (const absl::string_view entry : absl::StrSplit(session.start().changes(), '\0', absl::SkipEmpty())) {
      if (entry.size() < 2) continue;
      entries_.push_back({entry[0], CleanPath(absl::StrCat(root_, "/", entry.substr(1)))});
    }
  }

  bool whole() const { return whole_; }
  const std::string& root() const { return root_; }

  // An entry is this path, holds it or lies in it.
  bool Names(absl::string_view path) const {
    return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
      return IsWithin(path, entry.path) || IsWithin(entry.path, path);
    });
  }

  // What was uncommitted then is where it was: nothing of it was moved over something else.
  bool StillThere(FactBook* facts) const {
    int looked_at = 0;
    for (const Entry& entry : entries_) {
      if (entry.letter == '!') continue;
      if (++looked_at > kMaxLookedAt) return false;
      const v1::PathFact* fact = facts->Path(entry.path);
      if (fact == nullptr || !fact->exists()) return false;
    }
    return true;
  }

 private:
  struct Entry {
    char letter;
    std::string path;
  };
  const bool whole_;
  const std::string root_;
  std::vector<Entry> entries_;
};

}  // namespace

v1::StartState StartStateOf(const v1::GitFact& git) {
  v1::StartState state;
  if (git.root().empty() || !git.problem().empty()) return state;
  state.set_root(git.root());
  std::string changes;
  for (const v1::GitChange& change : git.changes()) {
    absl::StrAppend(&changes, absl::string_view("\0", changes.empty() ? 0 : 1), std::string(1, Letter(change.state())),
                    change.path());
  }
  state.set_whole(git.changes_whole() && changes.size() <= kMaxStartBytes);
  if (state.whole()) state.set_changes(std::move(changes));
  return state;
}

bool BornSince(int64_t born_unix_ns, bool own, const v1::SessionContext& session) {
  return own && session.started_unix_ns() > 0 && born_unix_ns > session.started_unix_ns();
}

bool MadeSince(const std::string& path, const v1::PathFact& fact, const AssessmentInput& input) {
  if (fact.kind() != "file" && fact.kind() != "directory" && fact.kind() != "link") return false;
  if (!BornSince(fact.born_unix_ns(), fact.own(), input.session)) return false;
  if (fact.contains_repository() || CleanPath(fact.repository()) == path) return false;
  const StartList start(input.session);
  if (start.whole() && IsBelow(path, start.root()) && CleanPath(fact.repository()) == start.root()) return !start.Names(path);
  if (fact.kind() == "directory") return true;
  const std::string folder(ParentPath(path));
  if (input.facts->PastBound(folder)) return false;
  const v1::PathFact* around = input.facts->Path(folder);
  return around != nullptr && around->exists() && BornSince(around->born_unix_ns(), around->own(), input.session);
}

bool OnlySince(const ChangesAsked& asked, const AssessmentInput& input) {
  const StartList start(input.session);
  if (!start.whole()) return false;
  const v1::GitFact* git = input.facts->GitChanges();
  if (git == nullptr || !git->problem().empty() || !git->changes_whole() || CleanPath(git->root()) != start.root()) {
    return false;
  }
  bool any = false;  // where git lists nothing, something else is lost
  for (const v1::GitChange& change : git->changes()) {
    const std::string path = CleanPath(absl::StrCat(start.root(), "/", change.path()));
    if (!asked.below.empty() && !IsWithin(path, asked.below) && !IsWithin(asked.below, path)) continue;
    const char letter = Letter(change.state());
    if ((letter == 'M' && !asked.changed) || (letter == '?' && !asked.untracked) || (letter == '!' && !asked.ignored)) {
      continue;
    }
    if (start.Names(path)) return false;
    if (letter != 'M' && !BornSince(change.born_unix_ns(), change.own(), input.session)) return false;
    any = true;
  }
  return any && start.StillThere(input.facts);
}

}  // namespace holdpoint
