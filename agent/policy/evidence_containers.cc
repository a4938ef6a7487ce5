// Volumes: whose they are. A volume of the workspace's own compose project is made again by it; any other is somebody's
// data. Names come from the project's files, never from the command.
#include <algorithm>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/base/escape.h"
#include "agent/environment/tags.h"
#include "agent/policy/compose_project.h"
#include "agent/policy/evidence.h"
#include "agent/policy/host_evidence.h"
#include "agent/policy/paths.h"

namespace holdpoint {
namespace {

using Place = Assessment::Place;

Assessment Lost(std::string because, std::string blind_spot = "") {
  Assessment assessment{
      .recoverability = v1::RECOVERABILITY_IRREVERSIBLE, .place = Place::kUnknown, .because = std::move(because)};
  assessment.blind_spot = std::move(blind_spot);
  return assessment;
}

// The project lies in the workspace, and what says how it is called was not written by the session.
std::string WhyNotTheWorkspaces(const ComposeProject& project, const AssessmentInput& input) {
  const std::string workspace = Workspace(input.session);
  if (!IsWithin(project.folder, workspace)) return "the compose project is not the workspace's";
  for (const v1::Evidence& each : project.evidence) {
    if (each.fact() == "compose file" && input.configuration != nullptr &&
        LooksLikeProduction(*input.configuration, each.value())) {
      return absl::StrCat("the name of ", EscapeAndClip(each.value(), 64), " looks like production");
    }
  }
  if (!project.own_name) return "";
  if (input.call.Has("project-name") || !Variable(input.act, "COMPOSE_PROJECT_NAME").empty()) {
    return absl::StrCat("the project is called ", project.name, ", which the workspace's files do not say");
  }
  return project.changed_since ? absl::StrCat("the name ", project.name, " was written since this session began") : "";
}

struct Owned {
  ComposeProject project;
  std::string problem;
};

Owned OwnProject(const AssessmentInput& input) {
  Owned owned{FindComposeProject(input), WhyNotThisEngine(input)};
  if (owned.problem.empty()) owned.problem = owned.project.problem;
  if (owned.problem.empty()) owned.problem = WhyNotTheWorkspaces(owned.project, input);
  return owned;
}

Assessment Own(ComposeProject project, std::string because) {
  Assessment assessment{
      .recoverability = v1::RECOVERABILITY_RECOVERABLE, .place = Place::kLocal, .because = std::move(because)};
  assessment.evidence = std::move(project.evidence);
  return assessment;
}

}  // namespace

Assessment AssessComposeProject(const AssessmentInput& input) {
  Owned owned = OwnProject(input);
  if (!owned.problem.empty()) return Lost(owned.problem, "which volumes these are was not seen");
  const std::string name = owned.project.name;
  Assessment assessment = Own(std::move(owned.project), absl::StrCat("the workspace's own project ", name));
  assessment.resource = name;
  return assessment;
}

Assessment AssessVolume(absl::string_view id, const AssessmentInput& input) {
  if (id.empty()) return Lost("which volumes these are was not seen", "which volumes these are was not seen");
  Owned owned = OwnProject(input);
  if (!owned.problem.empty()) return Lost(owned.problem);
  const std::vector<std::string>& own = owned.project.volumes;
  if (std::find(own.begin(), own.end(), id) == own.end()) {
    return Lost(absl::StrCat("no volume of the workspace's project ", owned.project.name));
  }
  const std::string name = owned.project.name;
  return Own(std::move(owned.project), absl::StrCat("a volume of the workspace's own project ", name));
}

Assessment AssessContainerStore(const AssessmentInput& input) {
  Owned owned = OwnProject(input);
  if (!owned.problem.empty()) return Lost(owned.problem);
  const v1::ContainerStoreFact* store = input.facts->ContainerStore();
  const bool images = input.call.Has("all"), volumes = input.call.Has("volumes");
  const bool whole = store != nullptr && store->problem().empty() && (!images || store->images_whole()) &&
                     (!volumes || store->volumes_whole());
  if (!whole) return Lost("what this host keeps was not seen", "volumes and images of this host unseen");
  const auto all_in = [](const auto& names, const auto& belongs) {
    return std::find_if_not(names.begin(), names.end(), belongs);
  };
  if (volumes) {
    const std::vector<std::string>& own = owned.project.volumes;
    const auto other = all_in(store->volumes(), [&](const std::string& name) {
      return std::find(own.begin(), own.end(), name) != own.end();
    });
    if (other != store->volumes().end()) return Lost(absl::StrCat("also ", *other, ", which is not the workspace's"));
  }
  if (images) {
    const std::vector<std::string>& own = owned.project.images;
    const auto other = all_in(store->images(), [&](const std::string& name) {
      return absl::StartsWith(name, absl::StrCat(owned.project.name, "-")) ||
             absl::StartsWith(name, absl::StrCat(owned.project.name, "_")) ||
             std::find(own.begin(), own.end(), name) != own.end() ||
             std::find(own.begin(), own.end(), absl::StripSuffix(name, ":latest")) != own.end();
    });
    if (other != store->images().end()) return Lost(absl::StrCat("also ", *other, ", which is not the workspace's"));
  }
  Assessment assessment = Own(std::move(owned.project), "all that this host keeps is the workspace's");
  assessment.evidence.push_back(MakeEvidence(
      "volumes and images of this host", absl::StrCat(store->volumes_size(), " and ", store->images_size()), kKernel));
  return assessment;
}

}  // namespace holdpoint
