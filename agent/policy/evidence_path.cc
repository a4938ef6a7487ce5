#include <array>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/policy/evidence.h"
#include "agent/policy/paths.h"
#include "agent/policy/since_start.h"

namespace holdpoint {
namespace {

using Place = Assessment::Place;

// Folders whose content nobody relies on. What lies below them is temporary, they themselves are not.
constexpr std::array<absl::string_view, 3> kTemporary = {"/tmp", "/var/tmp", "/dev/shm"};
constexpr std::array<absl::string_view, 6> kHomeCaches = {".cache",         ".npm/_cacache",   ".npm/_npx",
                                                          ".gradle/caches", ".cargo/registry", ".local/state/npm"};
// What tools put into a project and make again when it is missing.
constexpr std::array<absl::string_view, 16> kProjectCaches = {
    "node_modules", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache",   ".tox",
    ".nox",         ".cache",      ".next",         ".nuxt",       ".parcel-cache", ".turbo",
    ".gradle",      ".nyc_output", ".ccls-cache",   ".svelte-kit"};
// Git ignores these too, and nobody can make them again.
constexpr std::array<absl::string_view, 12> kKeptSuffixes = {
    ".sqlite", ".sqlite3", ".db", ".sql", ".dump", ".pem", ".key", ".p12", ".tfstate", ".rdb", ".bak", ".kdbx"};
constexpr std::array<absl::string_view, 12> kKeptNames = {"data",          "db",      "database", "pgdata",
                                                          "postgres-data", "mysql",   "volumes",  "backup",
                                                          "backups",       "uploads", "secrets",  "storage"};
constexpr std::array<absl::string_view, 6> kDevices = {"/dev/null", "/dev/stdout", "/dev/stderr",
                                                       "/dev/tty",  "/dev/zero",   "/dev/full"};

bool LooksKept(absl::string_view path) {
  const std::string base = absl::AsciiStrToLower(BaseName(path));
  for (const absl::string_view harmless : {"test", "tmp", "temp", "cache", "example", "sample"}) {
    if (absl::StrContains(base, harmless)) return false;
  }
  if (base == ".env" || absl::StartsWith(base, ".env.")) return true;
  for (const absl::string_view suffix : kKeptSuffixes) {
    if (absl::EndsWith(base, suffix)) return true;
  }
  for (const absl::string_view name : kKeptNames) {
    if (base == name) return true;
  }
  return false;
}

bool InProjectCache(absl::string_view path, absl::string_view workspace) {
  for (const absl::string_view name : kProjectCaches) {
    if (HasComponent(path.substr(workspace.size()), name)) return true;
  }
  return false;
}

Assessment Lost(Place place, std::string because) {
  return Assessment{.recoverability = v1::RECOVERABILITY_IRREVERSIBLE, .place = place, .because = std::move(because)};
}
Assessment Regenerable(std::string because) {
  return Assessment{
      .recoverability = v1::RECOVERABILITY_REGENERABLE, .place = Place::kLocal, .because = std::move(because)};
}
Assessment Made() {
  Assessment assessment = Regenerable("made since this session began");
  assessment.rests_on_start = true;
  return assessment;
}
Assessment Nothing() {
  Assessment assessment = Regenerable("there is nothing");
  assessment.nothing = true;
  return assessment;
}
Assessment Unseen(absl::string_view what) {
  Assessment assessment = Lost(Place::kUnknown, "what is there was not seen");
  assessment.blind_spot = std::string(what);
  return assessment;
}

// Temporary or cache folders outside the workspace.
bool IsTemporary(absl::string_view path, const v1::SessionContext& session) {
  for (const absl::string_view folder : kTemporary) {
    if (IsBelow(path, folder)) return true;
  }
  if (session.home().empty()) return false;
  for (const absl::string_view folder : kHomeCaches) {
    if (IsBelow(path, CleanPath(absl::StrCat(session.home(), "/", folder)))) return true;
  }
  return IsBelow(path, absl::StrCat("/run/user/", session.uid()));
}

// Places that are never disposable, whoever says so. Empty: none of them.
std::string NeverDisposable(absl::string_view path, const v1::SessionContext& session) {
  if (path == "/") return "the whole file system";
  const std::string home = session.home().empty() ? "" : CleanPath(session.home());
  if (!home.empty() && IsWithin(home, path)) return path == home ? "the home directory" : "above the home directory";
  const std::string workspace = session.workspace().empty() ? "" : CleanPath(session.workspace());
  if (!workspace.empty() && IsWithin(workspace, path)) {
    return path == workspace ? "the root of the workspace" : "above the workspace";
  }
  for (const absl::string_view folder : kTemporary) {
    if (path == folder) return "a folder that everybody uses";
  }
  for (const absl::string_view folder : kHomeCaches) {
    if (!home.empty() && IsWithin(absl::StrCat(home, "/", folder), path)) return "the cache folder itself";
  }
  return "";
}

// Inside the workspace, and something is there.
Assessment AssessInside(const std::string& path, absl::string_view workspace, const v1::PathFact& fact,
                        const AssessmentInput& input) {
  if (HasComponent(path.substr(workspace.size()), ".git")) {
    if (absl::EndsWith(path, ".lock")) return Regenerable("a lock file of git");
    return Lost(Place::kOrdinary, "git's own data, with history that is nowhere else");
  }
  if (!fact.repository().empty() && CleanPath(fact.repository()) == path) {
    return Lost(Place::kOrdinary, "a whole git working tree with its history");
  }
  if (InProjectCache(path, workspace)) return Regenerable("a cache that tools rebuild");
  // What git says is not whole: an unreadable repository, files marked as unchanged.
  if (!fact.problem().empty()) return Unseen("git state of the path unseen");
  if (fact.tracked_clean()) {
    return Assessment{.recoverability = v1::RECOVERABILITY_RECOVERABLE,
                      .place = Place::kLocal,
                      .because = "tracked by git and unchanged"};
  }
  if (LooksKept(path)) return Lost(Place::kOrdinary, "looks like data, and git does not have it");
  if (fact.ignored()) return Regenerable("ignored by git");
  if (MadeSince(path, fact, input)) return Made();
  if (fact.kind() == "directory") {
    const bool here = !fact.repository().empty() && !fact.contains_repository();
    if (here && OnlySince({.below = path, .changed = true, .untracked = true}, input)) {
      return Assessment{.recoverability = v1::RECOVERABILITY_RECOVERABLE,
                        .place = Place::kLocal,
                        .rests_on_start = true,
                        .because = "git has what was there when this session began"};
    }
    return Lost(Place::kOrdinary, "a folder with files that git does not have");
  }
  Assessment lost = Lost(Place::kLocal, "git does not have this content");
  lost.born_since = BornSince(fact.born_unix_ns(), fact.own(), input.session);
  return lost;
}

// One of so many paths that only its folder is known.
Assessment AssessByFolder(const std::string& asked, const AssessmentInput& input) {
  const v1::PathFact* folder = input.facts->Folder(std::string(ParentPath(asked)));
  if (folder == nullptr || !folder->problem().empty()) return Unseen("path not looked at");
  if (!folder->exists() || folder->resolved().empty()) return Nothing();
  const std::string path = CleanPath(absl::StrCat(folder->resolved(), "/", BaseName(asked)));
  if (const std::string never = NeverDisposable(path, input.session); !never.empty()) {
    return Lost(Place::kUnknown, never);
  }
  const std::string workspace = Workspace(input.session);
  if (IsBelow(path, workspace)) {
    if (InProjectCache(path, workspace)) return Regenerable("a cache that tools rebuild");
    if (folder->ignored() && !LooksKept(path)) return Regenerable("ignored by git");
    return Lost(Place::kOrdinary, "one of more files than can be looked at");
  }
  if (IsTemporary(path, input.session)) return Regenerable("a temporary or cache folder");
  return Lost(Place::kUnknown, "outside the workspace");
}

Assessment AssessAt(const std::string& asked, const AssessmentInput& input, bool everything_below) {
  if (input.facts->PastBound(asked)) return AssessByFolder(asked, input);
  const v1::PathFact* fact = input.facts->Path(asked);
  const bool resolved = fact != nullptr && fact->exists() && !fact->resolved().empty();
  const std::string path = CleanPath(resolved ? fact->resolved() : asked);
  if (const std::string never = NeverDisposable(path, input.session); !never.empty()) {
    return Lost(Place::kUnknown, never);
  }
  if (fact == nullptr) return Unseen("path not looked at");
  if (!resolved && !fact->problem().empty()) return Unseen("path could not be looked at");
  if (!fact->exists()) return Nothing();
  if (!resolved) return Unseen("path could not be resolved");
  if (input.spares_folders && !everything_below && fact->kind() == "directory") return Nothing();
  const std::string workspace = Workspace(input.session);
  if (IsBelow(path, workspace)) return AssessInside(path, workspace, *fact, input);
  if (IsTemporary(path, input.session)) return Regenerable("a temporary or cache folder");
  if (!LooksKept(path) && MadeSince(path, *fact, input)) {
    Assessment made = Made();
    made.place = Place::kUnknown;
    return made;
  }
  Assessment outside =
      Lost(Place::kUnknown, everything_below || fact->kind() == "directory" ? "a folder outside the workspace"
                                                                            : "outside the workspace");
  if (!fact->repository().empty()) outside.because = "in another working tree";
  if (fact->kind() == "other") outside.because = "a device or a special file";
  return outside;
}

}  // namespace

std::string Workspace(const v1::SessionContext& session) {
  if (session.workspace().empty()) return "";
  const std::string workspace = CleanPath(session.workspace());
  if (workspace == "/") return "";
  if (!session.home().empty() && IsWithin(CleanPath(session.home()), workspace)) return "";
  return workspace;
}

Assessment AssessPath(absl::string_view word, const AssessmentInput& input) {
  if (input.act.unexpanded) {
    const UnexpandedPath unexpanded = ReadUnexpanded(input.act, word);
    if (unexpanded.opaque) {
      // The part in front of the first expansion is known; what it becomes is not.
      return Unseen("expansion unseen");
    }
    return AssessAt(unexpanded.path, input, unexpanded.all);
  }
  return AssessAt(AbsolutePath(input.act, word), input, false);
}

Assessment AssessOverwrite(absl::string_view word, const AssessmentInput& input) {
  std::string target = AbsolutePath(input.act, word);
  if (input.act.unexpanded) {
    const UnexpandedPath unexpanded = ReadUnexpanded(input.act, word);
    if (unexpanded.opaque) return Unseen("expansion unseen");
    target = unexpanded.path;
  }
  for (const absl::string_view device : kDevices) {
    if (target == device) return Nothing();
  }
  const v1::PathFact* fact = input.facts->Path(target);
  if (fact != nullptr && fact->exists() && fact->kind() == "link") {
    // Writing goes through a link; a new file where it leads to nothing overwrites nothing.
    if (fact->target().empty()) return fact->problem().empty() ? Nothing() : Unseen("link not followed");
    target = fact->target();
    fact = input.facts->Path(target);
  }
  if (fact == nullptr || !fact->exists() || fact->kind() != "directory") return AssessAt(target, input, false);
  // Into a folder: what has the same name there is lost.
  Assessment worst = Nothing();
  const bool target_is_option = input.call.Has("target-directory");
  const size_t count = input.call.operands.size();
  const size_t sources = target_is_option || count == 0 ? count : count - 1;
  for (size_t i = 0; i < sources; ++i) {
    const std::string inner = absl::StrCat(CleanPath(target), "/", BaseName(input.call.operands[i].value));
    const v1::PathFact* there = input.facts->Path(inner);
    if (there != nullptr && there->kind() == "directory") continue;  // mv does not replace a folder that has files
    Assessment one = AssessAt(inner, input, false);
    if (one.recoverability > worst.recoverability ||
        (one.recoverability == worst.recoverability && one.place > worst.place)) {
      worst = std::move(one);
    }
  }
  return worst;
}

Assessment AssessTreePart(absl::string_view word, const AssessmentInput& input) {
  const std::string asked = AbsolutePath(input.act, word);
  const v1::PathFact* fact = input.facts->Path(asked);
  const bool resolved = fact != nullptr && fact->exists() && !fact->resolved().empty();
  const std::string path = CleanPath(resolved ? fact->resolved() : asked);
  if (fact == nullptr || !fact->problem().empty()) return Unseen("path not looked at");
  if (!fact->exists()) return Nothing();
  const std::string workspace = Workspace(input.session);
  if (IsWithin(path, workspace)) {
    if (HasComponent(path.substr(workspace.size()), ".git")) return AssessInside(path, workspace, *fact, input);
    if (path != workspace && (InProjectCache(path, workspace) || fact->ignored())) {
      return AssessInside(path, workspace, *fact, input);
    }
    return Lost(Place::kLocal, "some files of the workspace");
  }
  if (const std::string never = NeverDisposable(path, input.session); !never.empty()) {
    return Lost(Place::kUnknown, never);
  }
  if (IsTemporary(path, input.session)) return Regenerable("a temporary or cache folder");
  return Lost(Place::kUnknown, "outside the workspace");
}

Assessment AssessElsewhere(Evidence evidence, absl::string_view id, const ExecAct& act) {
  Assessment assessment;
  assessment.blind_spot = "the other side was not looked at";
  if (evidence != Evidence::kPath && evidence != Evidence::kOverwrite && evidence != Evidence::kTreePart) return assessment;
  const std::string path = CleanPath(AbsolutePath(act, id));
  const auto within = [&](std::initializer_list<absl::string_view> folders) {
    return std::any_of(folders.begin(), folders.end(), [&](absl::string_view folder) { return IsWithin(path, folder); });
  };
  if (path == "/" || within({"/dev", "/boot"}) || LooksKept(path)) return assessment;
  if (within({"/tmp", "/var/tmp", "/dev/shm"})) {
    assessment.recoverability = v1::RECOVERABILITY_REGENERABLE;
    assessment.because = "a temporary folder";
  } else if (act.place == ExecAct::Place::kContainer && !within({"/var/lib", "/var/opt", "/srv", "/mnt", "/home", "/root", "/etc"})) {
    assessment.recoverability = v1::RECOVERABILITY_REGENERABLE;
    assessment.because = "what a container was made with";
  } else if (evidence == Evidence::kOverwrite && !within({"/etc", "/usr", "/var/lib"})) {
    assessment.recoverability = v1::RECOVERABILITY_REGENERABLE;  // Most such files are written for the first time.
    assessment.because = "written elsewhere";
  }
  return assessment;
}

Assessment Assess(Evidence evidence, absl::string_view id, const AssessmentInput& input) {
  switch (evidence) {
    case Evidence::kNone:
      return Assessment{};
    case Evidence::kPath:
      return AssessPath(id, input);
    case Evidence::kOverwrite:
      return AssessOverwrite(id, input);
    case Evidence::kTreePart:
      return AssessTreePart(id, input);
    case Evidence::kWorktree:
      return AssessWorktree(input);
    case Evidence::kUntracked:
      return AssessUntracked(input);
    case Evidence::kGitPath:
      return AssessGitPath(id, input);
    case Evidence::kRepository:
      return AssessRepository(input);
    case Evidence::kRemoteRef:
      return AssessRemoteRef(id, input);
    case Evidence::kDatabase:
      return AssessDatabase(id, input);
    case Evidence::kProjectDatabase:
      return AssessProjectDatabase(input);
    case Evidence::kComposeProject:
      return AssessComposeProject(input);
    case Evidence::kVolume:
      return AssessVolume(id, input);
    case Evidence::kContainerStore:
      return AssessContainerStore(input);
    case Evidence::kCluster:
      return AssessCluster(input);
    case Evidence::kInfrastructure:
      return AssessInfrastructure(input);
    case Evidence::kPlan:
      return AssessPlan(id, input);
    case Evidence::kProcess:
      return AssessProcess(id, input);
    case Evidence::kUnit:
      return AssessUnit(id, input);
    case Evidence::kPackageData:
      return AssessPackageData(id, input);
    case Evidence::kCrontab:
      return AssessCrontab(input);
    case Evidence::kPythonEnvironment:
      return AssessPythonEnvironment(input);
    case Evidence::kLinkedProject:
      return AssessLinkedProject(id, input);
    case Evidence::kRemoteHost:
      return AssessRemoteHost(id, input);
  }
  return Assessment{};
}

}  // namespace holdpoint
