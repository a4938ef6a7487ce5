// Where a project's own things are: the environment that pip installs into, the project that a folder is linked to, a
// host by its name.
#include <array>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/policy/evidence.h"
#include "agent/policy/host_evidence.h"
#include "agent/policy/paths.h"

namespace holdpoint {
namespace {

using Place = Assessment::Place;

// The folder of a virtual environment that the act runs from: pip and python stand in its bin, whatever
// VIRTUAL_ENV says. Kernel paths go through the links of bin/python, so the words as given count too.
std::vector<std::string> Candidates(const ExecAct& act) {
  std::vector<std::string> candidates;
  for (const std::string& word : {act.script, act.interpreter, act.argv.empty() ? std::string() : act.argv[0], act.executable.path}) {
    if (!absl::StrContains(word, "/")) continue;
    const std::string path = CleanPath(AbsolutePath(act, word));
    if (BaseName(ParentPath(path)) == "bin") candidates.emplace_back(ParentPath(ParentPath(path)));
  }
  return candidates;
}

struct Link {
  absl::string_view tool, file, key, what;
};
// What the command lines of hosts write down in a folder that they are linked to.
constexpr std::array<Link, 5> kLinks = {{{"vercel", ".vercel/project.json", "projectId", "vercel project"},
                                         {"netlify", ".netlify/state.json", "siteId", "netlify site"},
                                         {"supabase", "supabase/.temp/project-ref", "", "supabase project"},
                                         {"flyctl", "fly.toml", "app", "fly app"},
                                         {"render", ".render/project.json", "id", "render project"}}};

std::string TomlValue(absl::string_view text, absl::string_view key) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (absl::StartsWith(line, "[")) break;
    const size_t equals = line.find('=');
    if (equals == absl::string_view::npos || absl::StripAsciiWhitespace(line.substr(0, equals)) != key) continue;
    line = absl::StripAsciiWhitespace(line.substr(equals + 1));
    if (line.size() < 2 || (line[0] != '"' && line[0] != '\'')) return std::string(line);
    const size_t end = line.find(line[0], 1);
    return std::string(line.substr(1, end == absl::string_view::npos ? end : end - 1));
  }
  return "";
}

std::string LinkedId(const Link& link, const ContextFile& file) {
  if (link.key.empty()) return std::string(absl::StripAsciiWhitespace(absl::string_view(file.text).substr(0, 200)));
  if (absl::EndsWith(link.file, ".toml")) return TomlValue(file.text, link.key);
  const absl::StatusOr<ParsedJson> json = ParseJson(file.text);
  return json.ok() ? TextAt(json->root, link.key) : "";
}

// `thing` is what the command names in it.
Assessment Linked(std::string id, absl::string_view thing, v1::Evidence evidence) {
  Assessment assessment;
  assessment.because = absl::StrCat("this folder is linked to ", id);
  assessment.leads_to = {{.host = id, .address = "", .port = 0}};
  assessment.resource = absl::StrCat(id, thing.empty() ? "" : ": ", thing);
  assessment.evidence.push_back(std::move(evidence));
  return assessment;
}

Assessment LinkedByRailway(absl::string_view id, const AssessmentInput& input) {
  Assessment unseen;
  const ContextFile file = ReadContextFile(CleanPath(absl::StrCat(input.act.home, "/.railway/config.json")), input.facts);
  if (!file.read()) {
    if (!file.missing()) unseen.blind_spot = absl::StrCat("linked project unseen: ", file.problem);
    return unseen;
  }
  const absl::StatusOr<ParsedJson> json = ParseJson(file.text);
  const JsonValue* projects = json.ok() ? json->root.Find("projects") : nullptr;
  // The nearest folder above counts.
  for (std::string folder = CleanPath(input.act.cwd); projects != nullptr; folder = std::string(ParentPath(folder))) {
    if (const JsonValue* one = projects->Find(folder)) {
      const std::string environment = TextAt(*one, "environmentName");
      return Linked(absl::StrCat("railway project ", TextAt(*one, "project"), environment.empty() ? "" : ", environment ", environment), id,
                    MakeEvidence("linked project", TextAt(*one, "project"), file.path, file.changed_unix_ns));
    }
    if (folder == "/" || folder.empty()) break;
  }
  return unseen;
}

}  // namespace

Assessment AssessPythonEnvironment(const AssessmentInput& input) {
  Assessment assessment{.recoverability = v1::RECOVERABILITY_REGENERABLE, .place = Place::kUnknown};
  bool unseen = false;
  for (const std::string& folder : Candidates(input.act)) {
    const v1::PathFact* marker = input.facts->Path(absl::StrCat(folder, "/pyvenv.cfg"));
    if (marker == nullptr || !marker->problem().empty()) {
      unseen = true;
      continue;
    }
    if (!marker->exists()) continue;
    const std::string place = CleanPath(marker->resolved().empty() ? folder : std::string(ParentPath(marker->resolved())));
    const bool own = IsBelow(place, Workspace(input.session));
    assessment.place = own ? Place::kLocal : Place::kUnknown;
    assessment.because = absl::StrCat("into the environment ", place);
    assessment.evidence.push_back(MakeEvidence("python environment", place, marker->path(), marker->changed_unix_ns()));
    for (const absl::string_view elsewhere : {"target", "prefix", "root", "user", "python"}) {
      if (input.call.Has(elsewhere)) {
        assessment.place = Place::kUnknown;
        assessment.because = absl::StrCat("--", elsewhere, " leads elsewhere");
      }
    }
    return assessment;
  }
  assessment.because = unseen ? "which environment this is was not seen" : "outside any environment of the workspace";
  if (unseen) assessment.blind_spot = "python environment unseen";
  return assessment;
}

Assessment AssessLinkedProject(absl::string_view id, const AssessmentInput& input) {
  // A project that the command names itself is the one that it is about.
  for (const absl::string_view option : {"project", "app", "site", "project-ref", "db-url"}) {
    if (input.call.Has(option)) return Assessment{};
  }
  const std::string tool = NameOfTool(input.call);
  if (tool == "railway") return LinkedByRailway(id, input);
  if (tool == "heroku") {
    const v1::GitFact* git = input.facts->Git();
    if (git == nullptr) return Assessment{.blind_spot = "linked project unseen"};
    for (const auto& [name, url] : git->remotes()) {
      constexpr absl::string_view kHost = "git.heroku.com";
      const size_t at = url.find(std::string(kHost));
      if (at == std::string::npos) continue;
      const absl::string_view app = absl::StripSuffix(absl::string_view(url).substr(at + kHost.size() + 1), ".git");
      return Linked(absl::StrCat("heroku app ", app), id, MakeEvidence("linked project", app, absl::StrCat("git remote ", name)));
    }
    return Assessment{};
  }
  for (const Link& link : kLinks) {
    if (link.tool != tool) continue;
    const ContextFile file = ReadContextFile(absl::StrCat(CleanPath(input.act.cwd), "/", link.file), input.facts);
    if (file.missing()) return Assessment{};
    const std::string found = file.read() ? LinkedId(link, file) : "";
    if (found.empty()) return Assessment{.blind_spot = absl::StrCat("linked project unseen: ", file.problem)};
    return Linked(absl::StrCat(link.what, " ", found), id, MakeEvidence("linked project", found, file.path, file.changed_unix_ns));
  }
  return Assessment{};
}

Assessment AssessRemoteHost(absl::string_view word, const AssessmentInput&) {
  Assessment assessment;
  absl::string_view host = word;
  absl::ConsumePrefix(&host, "ssh://");
  if (const size_t at = host.rfind('@'); at != absl::string_view::npos) host.remove_prefix(at + 1);
  assessment.leads_to = {{.host = std::string(host), .address = "", .port = 22}};
  return assessment;
}

}  // namespace holdpoint
