#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/policy/evidence.h"
#include "agent/policy/paths.h"
#include "agent/policy/since_start.h"

namespace holdpoint {
namespace {

using Place = Assessment::Place;

Assessment Make(v1::Recoverability recoverability, Place place, std::string because) {
  return Assessment{.recoverability = recoverability, .place = place, .because = std::move(because)};
}

Assessment Unseen() {
  Assessment assessment = Make(v1::RECOVERABILITY_IRREVERSIBLE, Place::kUnknown, "the repository was not seen");
  assessment.blind_spot = "git state unseen";
  return assessment;
}

bool IsSet(const ExecAct& act, absl::string_view name) {
  return std::any_of(act.environment.begin(), act.environment.end(), [&](absl::string_view word) {
    return word.size() > name.size() && absl::StartsWith(word, name) && word[name.size()] == '=';
  });
}

// The command works on another repository than the one around its working directory, which is all that was read.
bool Elsewhere(const AssessmentInput& input) {
  if (input.call.Has("git-dir") || input.call.Has("work-tree")) return true;
  for (const ParsedOption& option : input.call.options) {
    if (option.name == "C" && option.value.has_value() && *option.value != "." && !option.value->empty() &&
        CleanPath(AbsolutePath(input.act, *option.value)) != CleanPath(input.act.cwd)) {
      return true;
    }
  }
  return IsSet(input.act, "GIT_DIR") || IsSet(input.act, "GIT_WORK_TREE");
}

// The state of the repository that the command works on. With one -C and nothing else it is still known from what the
// reader says of that folder.
struct Repository {
  bool seen = false;
  bool none = false;  // no repository there
  std::string root;
  bool dirty = true;  // as far as its working tree was looked at
  const v1::GitFact* fact = nullptr;  // null where it is elsewhere
};

enum class Look { kNames, kWorkingTree };  // the second goes through all files

Repository RepositoryOf(const AssessmentInput& input, Look look) {
  Repository repository;
  if (!Elsewhere(input)) {
    repository.fact = look == Look::kWorkingTree ? input.facts->GitStatus() : input.facts->Git();
    if (repository.fact == nullptr || !repository.fact->problem().empty()) return repository;
    repository.seen = true;
    repository.root = repository.fact->root();
    repository.none = repository.root.empty();
    repository.dirty = look == Look::kNames || repository.fact->dirty();
    return repository;
  }
  const auto directories = std::count_if(input.call.options.begin(), input.call.options.end(),
                                         [](const ParsedOption& option) { return option.name == "C"; });
  const std::string* directory = input.call.Value("C");
  if (directories != 1 || directory == nullptr || input.call.Has("git-dir") || input.call.Has("work-tree") ||
      IsSet(input.act, "GIT_DIR") || IsSet(input.act, "GIT_WORK_TREE")) {
    return repository;
  }
  const v1::PathFact* path = input.facts->Path(AbsolutePath(input.act, *directory));
  if (path == nullptr || !path->problem().empty()) return repository;
  repository.seen = true;
  repository.root = path->repository();
  repository.none = repository.root.empty();
  // Of a sub-folder only that part is known.
  repository.dirty = !path->tracked_clean() || CleanPath(path->resolved()) != CleanPath(repository.root);
  return repository;
}

// The repository is the session's own: its working tree is the workspace, inside it, or around it.
Place PlaceOf(const std::string& root, const v1::SessionContext& session) {
  const std::string workspace = Workspace(session);
  if (workspace.empty() || root.empty()) return Place::kUnknown;
  const std::string clean = CleanPath(root);
  return IsWithin(clean, workspace) || IsWithin(workspace, clean) ? Place::kOrdinary : Place::kUnknown;
}

Assessment NothingLost(Place place, std::string because) {
  return Make(v1::RECOVERABILITY_REGENERABLE, place == Place::kUnknown ? Place::kUnknown : Place::kLocal,
              std::move(because));
}

// Table cell of what only this session's own work would be lost of.
Assessment OnlySessions(Place place, std::string because) {
  Assessment assessment = NothingLost(place, std::move(because));
  assessment.rests_on_start = true;
  return assessment;
}

Assessment NoRepository() {
  Assessment assessment = NothingLost(Place::kLocal, "there is no repository");
  assessment.nothing = true;
  return assessment;
}

bool IsUsualDefaultBranch(absl::string_view branch) {
  for (const absl::string_view name : {"main", "master", "trunk", "develop", "production", "prod", "staging"}) {
    if (branch == name) return true;
  }
  return absl::StartsWith(branch, "release");
}

}  // namespace

Assessment AssessWorktree(const AssessmentInput& input) {
  const Repository repository = RepositoryOf(input, Look::kWorkingTree);
  if (!repository.seen) return Unseen();
  if (repository.none) return NoRepository();
  const Place place = PlaceOf(repository.root, input.session);
  if (!repository.dirty) return NothingLost(place, "the working tree is clean");
  if (repository.fact != nullptr && OnlySince({}, input)) {
    return OnlySessions(place, "only what was changed since this session began");
  }
  std::string files = "uncommitted changes";
  if (repository.fact != nullptr && repository.fact->dirty_files() > 0) {
    files = absl::StrCat("uncommitted changes in ", repository.fact->dirty_files(),
                         repository.fact->dirty_files() == 1 ? " file" : " files");
  }
  return Make(v1::RECOVERABILITY_IRREVERSIBLE, place, std::move(files));
}

Assessment AssessUntracked(const AssessmentInput& input) {
  const Repository repository = RepositoryOf(input, Look::kWorkingTree);
  if (!repository.seen || repository.fact == nullptr) return Unseen();
  if (repository.none) return NoRepository();
  const Place place = PlaceOf(repository.root, input.session);
  const bool ignored_too = input.call.Has("x") || input.call.Has("X");
  if ((ignored_too || repository.fact->untracked_files() > 0) &&
      OnlySince({.below = CleanPath(input.act.cwd), .changed = false, .untracked = true, .ignored = ignored_too}, input)) {
    return OnlySessions(place, "only files that were made since this session began");
  }
  if (ignored_too) return Make(v1::RECOVERABILITY_IRREVERSIBLE, place, "files that git ignores, which may be data");
  if (repository.fact->untracked_files() == 0) return NothingLost(place, "there are no untracked files");
  return Make(v1::RECOVERABILITY_IRREVERSIBLE, place,
              absl::StrCat(repository.fact->untracked_files(), " untracked files that are nowhere else"));
}

Assessment AssessGitPath(absl::string_view word, const AssessmentInput& input) {
  const Repository repository = RepositoryOf(input, Look::kWorkingTree);
  if (!repository.seen) return Unseen();
  if (repository.none) return NoRepository();
  const Place place = PlaceOf(repository.root, input.session);
  if (!repository.dirty) return NothingLost(place, "the working tree is clean");
  if (repository.fact == nullptr || absl::StartsWith(word, ":")) {  // ":/", ":(glob)": magic that is not read here
    return Make(v1::RECOVERABILITY_IRREVERSIBLE, place, "uncommitted changes");
  }
  const v1::PathFact* path = input.facts->Path(AbsolutePath(input.act, word));
  if (path == nullptr || !path->problem().empty()) return Unseen();
  // What is not there is a branch or a commit, or comes back.
  if (!path->exists() && word.find_first_of("*?[") == absl::string_view::npos) {
    return NothingLost(place, "there is nothing of that name");
  }
  if (path->tracked_clean()) return NothingLost(place, "unchanged");
  const bool exact = path->exists() && !path->resolved().empty();
  if (OnlySince({.below = exact ? CleanPath(path->resolved()) : ""}, input)) {
    return OnlySessions(place, "only what was changed since this session began");
  }
  return Make(v1::RECOVERABILITY_IRREVERSIBLE, place, "uncommitted changes");
}

Assessment AssessRepository(const AssessmentInput& input) {
  const Repository repository = RepositoryOf(input, Look::kNames);
  if (!repository.seen) return Unseen();
  if (repository.none) return NoRepository();
  return Make(v1::RECOVERABILITY_IRREVERSIBLE, PlaceOf(repository.root, input.session), "");
}

std::vector<std::string> PushedRefs(const ToolCall& call, const std::string& branch) {
  std::vector<std::string> refs;
  for (size_t i = 1; i < call.operands.size(); ++i) {
    absl::string_view ref = call.operands[i].value;
    absl::ConsumePrefix(&ref, "+");
    if (const size_t colon = ref.find(':'); colon != absl::string_view::npos) ref.remove_prefix(colon + 1);
    absl::ConsumePrefix(&ref, "refs/heads/");
    refs.emplace_back(ref == "HEAD" ? branch : std::string(ref));
  }
  if (refs.empty()) refs.push_back(branch);
  return refs;
}

Assessment AssessRemoteRef(absl::string_view, const AssessmentInput& input) {
  const Repository repository = RepositoryOf(input, Look::kNames);
  if (!repository.seen || repository.fact == nullptr) return Unseen();
  if (repository.none) return NoRepository();
  const v1::GitFact& git = *repository.fact;
  const auto lost = [](std::string because) {
    return Make(v1::RECOVERABILITY_IRREVERSIBLE, Place::kUnknown, std::move(because));
  };
  if (input.call.Has("mirror") || input.call.Has("all") || input.call.Has("prune")) return lost("every branch there");
  const std::vector<std::string> refs = PushedRefs(input.call, git.branch());
  for (const std::string& ref : refs) {
    if (ref.empty()) return lost("a branch that was not seen");
    if (ref == git.default_branch() || (git.default_branch().empty() && IsUsualDefaultBranch(ref))) {
      return lost("the default branch");
    }
    if (ref != git.branch()) return lost("another branch than the current one");
  }
  if (!git.upstream_in_local_objects() && !input.call.Has("force-with-lease")) {
    return lost("the remote has commits that are not here");
  }
  return Make(v1::RECOVERABILITY_RECOVERABLE, Place::kOrdinary, "the old commits are in the local repository");
}

}  // namespace holdpoint
