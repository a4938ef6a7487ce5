#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "agent/environment/configuration.h"
#include "agent/environment/tags.h"
#include "agent/policy/act.h"
#include "agent/policy/fact_book.h"
#include "agent/policy/rule.h"
#include "agent/policy/tool.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {

struct StatementView;

// What the host knows of one resource: how much would be lost for good, and how near it is to the session.
//
// Where nothing is known the strictest stands. A name may make an assessment stricter, never milder: the only names
// that count as evidence are those of caches that tools rebuild, and only inside the workspace.
struct Assessment {
  enum class Place {
    kLocal,     // the session's own and disposable: workspace, temporary or cache folder
    kOrdinary,  // the session's own, and not disposable: history, uncommitted work, a folder nobody can rebuild
    kUnknown,   // anybody's
  };
  v1::Recoverability recoverability = v1::RECOVERABILITY_IRREVERSIBLE;
  Place place = Place::kUnknown;
  bool nothing = false;      // there is nothing that could be lost
  bool born_since = false;   // it came into being since the session began
  bool rests_on_start = false;  // what is said rests on when it came or changed, not on who did it
  std::string because{};     // a clause for people: "ignored by git", "the home directory"
  std::string blind_spot{};  // what could not be looked at; empty for none

  // What the host says of where an act leads, for evidence that looks it up.
  std::string resource{};                 // which one it is, whatever the act calls it; empty: as the act names it
  std::vector<Destination> leads_to{};    // to be tagged
  std::vector<std::string> secrets{};     // that it would use there; only their fingerprints leave this struct
  std::vector<v1::Evidence> evidence{};   // for the record
};

struct AssessmentInput {
  const ExecAct& act;
  const v1::SessionContext& session;
  const ToolCall& call;
  FactBook* facts;
  bool spares_folders = false;  // it takes files alone: rm without -r
  const Configuration* configuration = nullptr;  // for names that say what a thing belongs to
  const StatementView* statement = nullptr;      // the one that the hit is about
};

// `id` as the act names it; for paths an operand. Pure; asks `facts`.
Assessment Assess(Evidence evidence, absl::string_view id, const AssessmentInput& input);

// The same of an act that runs where nothing can be looked at.
Assessment AssessElsewhere(Evidence evidence, absl::string_view id, const ExecAct& act);

// The parts, for paths (evidence_path.cc) and for git (evidence_git.cc).
Assessment AssessPath(absl::string_view word, const AssessmentInput& input);
Assessment AssessOverwrite(absl::string_view word, const AssessmentInput& input);
Assessment AssessTreePart(absl::string_view word, const AssessmentInput& input);
Assessment AssessWorktree(const AssessmentInput& input);
Assessment AssessUntracked(const AssessmentInput& input);
Assessment AssessGitPath(absl::string_view word, const AssessmentInput& input);
Assessment AssessRepository(const AssessmentInput& input);
Assessment AssessRemoteRef(absl::string_view id, const AssessmentInput& input);

// What the host knows of things that no argument shows, each in evidence_NAME.cc.
Assessment AssessDatabase(absl::string_view id, const AssessmentInput& input);         // of a client's connection
Assessment AssessProjectDatabase(const AssessmentInput& input);                        // of a project's files
Assessment AssessComposeProject(const AssessmentInput& input);
Assessment AssessVolume(absl::string_view id, const AssessmentInput& input);
Assessment AssessContainerStore(const AssessmentInput& input);
Assessment AssessCluster(const AssessmentInput& input);
Assessment AssessInfrastructure(const AssessmentInput& input);
Assessment AssessPlan(absl::string_view word, const AssessmentInput& input);
Assessment AssessProcess(absl::string_view id, const AssessmentInput& input);
Assessment AssessUnit(absl::string_view id, const AssessmentInput& input);
Assessment AssessPackageData(absl::string_view id, const AssessmentInput& input);
Assessment AssessCrontab(const AssessmentInput& input);
Assessment AssessPythonEnvironment(const AssessmentInput& input);
Assessment AssessLinkedProject(absl::string_view id, const AssessmentInput& input);
Assessment AssessRemoteHost(absl::string_view word, const AssessmentInput& input);

// The branches there that `git push` changes: what stands behind the remote, else the current one.
std::vector<std::string> PushedRefs(const ToolCall& call, const std::string& branch);

// The session's workspace, cleaned; empty where it has none or where it is no fence: the home directory or above it.
std::string Workspace(const v1::SessionContext& session);

}  // namespace holdpoint
