#include "agent/policy/compose_project.h"

#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"
#include "agent/policy/host_evidence.h"
#include "agent/policy/paths.h"

namespace holdpoint {
namespace {

constexpr std::array<absl::string_view, 4> kFiles = {"compose.yaml", "compose.yml", "docker-compose.yml",
                                                     "docker-compose.yaml"};
constexpr std::array<absl::string_view, 4> kOverrides = {"compose.override.yaml", "compose.override.yml",
                                                         "docker-compose.override.yml", "docker-compose.override.yaml"};
constexpr size_t kMaxLevels = 6;
constexpr size_t kMaxFiles = 6;

// Lower case, and only what a project's name may have.
std::string Normalised(absl::string_view name) {
  std::string out;
  for (const char c : absl::AsciiStrToLower(name)) {
    const bool letter = absl::ascii_isalnum(static_cast<unsigned char>(c));
    if (letter || ((c == '-' || c == '_') && !out.empty())) out.push_back(c);
  }
  return out;
}

// Compose fills variables in; what is left open is not known.
bool IsOpen(absl::string_view text) { return absl::StrContains(text, "$"); }

class Finder {
 public:
  explicit Finder(const AssessmentInput& input) : input_(input) {}

  ComposeProject Find() {
    const std::vector<std::string> paths = Files();
    if (!project_.problem.empty()) return std::move(project_);
    project_.folder = std::string(ParentPath(paths[0]));
    for (const std::string& path : paths) ReadFile(path);
    if (const std::string* folder = input_.call.Value("project-directory"); folder != nullptr) {
      project_.folder = CleanPath(AbsolutePath(input_.act, *folder));
    }
    Name();
    if (!project_.problem.empty()) project_.name.clear();
    for (std::string& volume : project_.volumes) volume = absl::StrCat(project_.name, "_", volume);
    return std::move(project_);
  }

 private:
  void Fail(std::string problem) {
    if (project_.problem.empty()) project_.problem = std::move(problem);
  }

  // -f, COMPOSE_FILE, else the first of the usual names here or above.
  std::vector<std::string> Files() {
    std::vector<std::string> paths;
    for (const ParsedOption& option : input_.call.options) {
      if (option.name == "file" && option.value.has_value()) {
        if (*option.value == "-") Fail("a compose file from standard input");
        paths.push_back(CleanPath(AbsolutePath(input_.act, *option.value)));
      }
    }
    if (const std::string given = Variable(input_.act, "COMPOSE_FILE"); paths.empty() && !given.empty()) {
      for (const absl::string_view one : absl::StrSplit(given, ':', absl::SkipEmpty())) {
        paths.push_back(CleanPath(AbsolutePath(input_.act, one)));
      }
    }
    if (paths.size() > kMaxFiles) Fail("more compose files than are read");
    if (!paths.empty()) return paths;
    // Every place is asked about at once.
    for (const std::string& folder : Folders()) {
      const std::vector<std::string> found = There(folder, kFiles);
      if (found.empty() || !paths.empty()) continue;
      paths.push_back(found[0]);
      for (const std::string& other : There(folder, kOverrides)) paths.push_back(other);
    }
    if (paths.empty()) Fail("no compose file here");
    return paths;
  }

  // The working directory and those above it, up to the workspace.
  std::vector<std::string> Folders() const {
    std::vector<std::string> folders = {CleanPath(input_.act.cwd)};
    while (folders.size() < kMaxLevels && folders.back() != "/" && folders.back() != Workspace(input_.session)) {
      folders.emplace_back(ParentPath(folders.back()));
    }
    return folders;
  }

  std::vector<std::string> There(const std::string& folder, absl::Span<const absl::string_view> names) {
    std::vector<std::string> found;
    for (const absl::string_view name : names) {
      const std::string path = absl::StrCat(folder == "/" ? "" : folder, "/", name);
      const v1::PathFact* fact = input_.facts->Path(path);
      if (fact == nullptr) {
        Fail("the compose file was not looked for");
      } else if (fact->exists()) {
        found.push_back(path);
      }
    }
    return found;
  }

  void ReadFile(const std::string& path) {
    const ContextFile file = ReadContextFile(path, input_.facts);
    if (!file.read()) return Fail(file.missing() ? absl::StrCat(path, ": is not there") : file.problem);
    const absl::StatusOr<YamlNode> root = ParseYaml(path, file.text);
    if (!root.ok()) return Fail(std::string(root.status().message()));
    project_.evidence.push_back(MakeEvidence("compose file", BaseName(path), path, file.changed_unix_ns));
    const int64_t started = input_.session.started_unix_ns();
    if (started > 0 && file.changed_unix_ns > started) {
      const v1::PathFact* fact = input_.facts->Path(path);
      if (fact == nullptr || !fact->tracked_clean()) project_.changed_since = true;
    }
    if (const std::string name = TextAt(*root, "name"); !name.empty()) file_name_ = name;
    if (Entry(*root, "include") != nullptr) Fail(absl::StrCat(path, ": includes others"));
    if (const YamlNode* volumes = Entry(*root, "volumes")) ReadVolumes(*volumes);
    if (const YamlNode* services = Entry(*root, "services")) ReadServices(path, *services);
  }

  void ReadVolumes(const YamlNode& volumes) {
    for (const YamlEntry& volume : volumes.entries) {
      const std::string external = TextAt(volume.value, "external");
      if (const YamlNode* old = Entry(volume.value, "external"); old != nullptr && !old->entries.empty()) continue;
      if (external == "true") continue;
      // A volume of another name may be of another project as well.
      if (const std::string name = TextAt(volume.value, "name"); !name.empty()) {
        Fail(absl::StrCat("the volume ", volume.key, " has a name of its own"));
      }
      project_.volumes.push_back(volume.key);
    }
  }

  void ReadServices(const std::string& path, const YamlNode& services) {
    for (const YamlEntry& service : services.entries) {
      const std::string image = TextAt(service.value, "image");
      if (!image.empty()) project_.images.push_back(image);
      if (const YamlNode* extends = Entry(service.value, "extends"); extends != nullptr && Entry(*extends, "file")) {
        Fail(absl::StrCat(path, ": extends another file"));
      }
    }
  }

  // -p, COMPOSE_PROJECT_NAME (also of .env), `name:`, else the folder's.
  void Name() {
    const std::string usual = Normalised(BaseName(project_.folder));
    std::string name;
    if (const std::string* given = input_.call.Value("project-name"); given != nullptr) name = *given;
    if (name.empty()) name = Variable(input_.act, "COMPOSE_PROJECT_NAME");
    if (name.empty()) name = NameOfDotenv();
    if (name.empty()) name = file_name_;
    if (IsOpen(name)) return Fail("the project's name is a variable");
    project_.name = name.empty() ? usual : name;
    project_.own_name = project_.name != usual;
    if (project_.name.empty()) Fail("a project without a name");
    project_.evidence.push_back(MakeEvidence("compose project", project_.name, project_.folder));
  }

  std::string NameOfDotenv() {
    const ContextFile file = ReadContextFile(absl::StrCat(project_.folder, "/.env"), input_.facts);
    if (file.missing()) return "";
    if (!file.read()) Fail(file.problem);
    return Dotenv(file.text).Find("COMPOSE_PROJECT_NAME");
  }

  const AssessmentInput& input_;
  ComposeProject project_;
  std::string file_name_;
};

}  // namespace

ComposeProject FindComposeProject(const AssessmentInput& input) {
  if (input.act.environment_cut) {
    ComposeProject project;
    project.problem = "the environment was not seen whole";
    return project;
  }
  return Finder(input).Find();
}

std::string WhyNotThisEngine(const AssessmentInput& input) {
  std::string host = Variable(input.act, "DOCKER_HOST");
  if (const std::string* given = input.call.Value("host"); given != nullptr) host = *given;
  if (!host.empty()) {
    return absl::StartsWith(host, "unix:///") || absl::StartsWith(host, "fd://") ? "" : "an engine on another host";
  }
  std::string context = Variable(input.act, "DOCKER_CONTEXT");
  if (const std::string* given = input.call.Value("context"); given != nullptr) context = *given;
  if (input.call.Has("remote") || input.call.Has("connection")) return "an engine on another host";
  if (context.empty() && !input.act.home.empty()) {
    std::string folder = Variable(input.act, "DOCKER_CONFIG");
    if (folder.empty()) folder = absl::StrCat(input.act.home, "/.docker");
    const ContextFile file = ReadContextFile(CleanPath(absl::StrCat(folder, "/config.json")), input.facts);
    if (file.missing()) return "";
    if (!file.read()) return file.problem;
    const absl::StatusOr<ParsedJson> json = ParseJson(file.text);
    if (!json.ok()) return absl::StrCat(file.path, ": ", json.status().message());
    context = TextAt(json->root, "currentContext");
  }
  return context.empty() || context == "default" ? "" : absl::StrCat("the context ", context);
}

}  // namespace holdpoint
