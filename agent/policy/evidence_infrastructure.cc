// Infrastructure as code: which backend and workspace a command works on, and what a plan would take away.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/policy/evidence.h"
#include "agent/policy/host_evidence.h"
#include "agent/policy/paths.h"

namespace holdpoint {
namespace {

using Place = Assessment::Place;

// What of a backend's settings says which state it is; no secrets.
constexpr absl::string_view kPlaces[] = {"bucket", "key",       "prefix",      "path",     "address",  "hostname", "organization",
                                         "region", "container_name", "storage_account_name", "workspace_key_prefix",
                                         "schema_name", "conn_str_host"};

std::string Folder(const AssessmentInput& input) {
  for (const absl::string_view option : {"chdir", "cwd", "C", "working-dir", "terragrunt-working-dir"}) {
    if (const std::string* folder = input.call.Value(option)) return CleanPath(AbsolutePath(input.act, *folder));
  }
  return CleanPath(input.act.cwd);
}

std::string NameOfBackend(const JsonValue& backend) {
  std::vector<std::string> words = {TextAt(backend, "type")};
  if (const JsonValue* config = backend.Find("config")) {
    for (const absl::string_view key : kPlaces) {
      const std::string value = TextAt(*config, key);
      if (!value.empty()) words.push_back(value);
    }
    if (const JsonValue* workspaces = config->Find("workspaces"); workspaces != nullptr) {
      const std::string name = TextAt(*workspaces, "name");
      if (!name.empty()) words.push_back(name);
    }
  }
  return absl::StrJoin(words, " ");
}

Assessment Unseen(absl::string_view problem) {
  Assessment assessment;
  assessment.because = absl::StrCat("which state this is was not seen: ", problem);
  assessment.blind_spot = absl::StrCat("backend unseen: ", problem);
  return assessment;
}

bool IsTerraform(const ToolCall& call) { return NameOfTool(call) == "terraform"; }

}  // namespace

Assessment AssessInfrastructure(const AssessmentInput& input) {
  if (!IsTerraform(input.call)) {
    Assessment assessment;
    if (const std::string* stack = input.call.Value("stack"); stack != nullptr) {
      assessment.resource = absl::StrCat(NameOfTool(input.call), " stack ", *stack);
    }
    assessment.blind_spot = assessment.resource.empty() ? "which resources these are was not looked at" : "";
    return assessment;
  }
  if (input.act.environment_cut) return Unseen("the environment was not seen whole");
  const std::string folder = Folder(input);
  std::string data = Variable(input.act, "TF_DATA_DIR");
  data = data.empty() ? absl::StrCat(folder, "/.terraform") : CleanPath(absl::StrCat(data[0] == '/' ? "" : folder + "/", data));
  const ContextFile chosen = ReadContextFile(absl::StrCat(data, "/environment"), input.facts);
  const ContextFile backend = ReadContextFile(absl::StrCat(data, "/terraform.tfstate"), input.facts);
  for (const ContextFile* file : {&chosen, &backend}) {
    if (file->state == ContextFile::State::kUnseen) return Unseen(file->problem);
  }
  Assessment assessment;
  std::string workspace = Variable(input.act, "TF_WORKSPACE");
  if (!workspace.empty()) {
    assessment.evidence.push_back(MakeEvidence("terraform workspace", workspace, "environment"));
  } else {
    workspace = chosen.read() ? std::string(absl::StripAsciiWhitespace(chosen.text)) : "";
    if (workspace.empty()) workspace = "default";
    assessment.evidence.push_back(MakeEvidence("terraform workspace", workspace, chosen.path, chosen.changed_unix_ns));
  }
  std::string name;
  if (backend.read()) {
    const absl::StatusOr<ParsedJson> json = ParseJson(backend.text);
    if (!json.ok()) return Unseen(absl::StrCat(backend.path, ": ", json.status().message()));
    if (const JsonValue* of = json->root.Find("backend")) name = NameOfBackend(*of);
  }
  if (const std::string* state = input.call.Value("state"); state != nullptr) {
    name = absl::StrCat("local ", CleanPath(AbsolutePath(input.act, *state)));
  }
  if (name.empty() || name == "local") name = absl::StrCat("local ", folder);
  assessment.evidence.push_back(MakeEvidence("terraform backend", name, backend.path, backend.changed_unix_ns));
  assessment.resource = absl::StrCat(name, ", workspace ", workspace);
  assessment.because = assessment.resource;
  return assessment;
}

Assessment AssessPlan(absl::string_view word, const AssessmentInput& input) {
  Assessment assessment;
  const v1::PlanFact* plan =
      input.facts->Plan(CleanPath(absl::StrCat(absl::StartsWith(word, "/") ? "" : Folder(input) + "/", word)));
  if (plan == nullptr || !plan->whole() || !plan->problem().empty()) {
    const std::string why = plan == nullptr || plan->problem().empty() ? "not read" : plan->problem();
    assessment.because = absl::StrCat("what the plan takes away was not seen: ", why);
    assessment.blind_spot = absl::StrCat("plan unseen: ", why);
    return assessment;
  }
  const std::string where = absl::StrCat(plan->backend().empty() ? "local" : plan->backend(), ", workspace ",
                                         plan->workspace().empty() ? "default" : plan->workspace());
  assessment.evidence.push_back(MakeEvidence(
      "plan", absl::StrCat(plan->change_count(), " changes, ", plan->loss_count(), " of them losses, ", where), plan->path()));
  if (plan->loss_count() == 0) {
    assessment.recoverability = v1::RECOVERABILITY_REGENERABLE;
    assessment.place = Place::kLocal;
    assessment.nothing = true;
    assessment.because = "the plan takes nothing away";
    return assessment;
  }
  std::vector<std::string> shown;
  for (const v1::PlanFact::Change& change : plan->losses()) {
    if (shown.size() == 3) break;
    shown.push_back(change.address());
  }
  const uint32_t more = plan->loss_count() - static_cast<uint32_t>(shown.size());
  assessment.because = absl::StrCat(absl::StrJoin(shown, ", "), more == 0 ? "" : absl::StrCat(" and ", more, " more"));
  assessment.leads_to = {{.host = plan->workspace(), .address = "", .port = 0}};
  return assessment;
}

}  // namespace holdpoint
