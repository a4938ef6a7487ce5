#include "agent/cli/init_text.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/environment/load.h"

namespace holdpoint {
namespace {

constexpr char kFile[] = "the answers";

bool IsProtected(const std::string& environment) { return absl::EndsWith(environment, "*"); }
std::string NameOf(const std::string& environment) { return std::string(absl::StripSuffix(environment, "*")); }

// In double quotes; what a quoted text cannot hold as it is makes the text invalid, which the loader says.
std::string Quoted(absl::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c == '\n' ? ' ' : c);
  }
  return out + "\"";
}

std::string List(const std::vector<std::string>& texts) {
  return absl::StrCat("[", absl::StrJoin(texts, ", ", [](std::string* out, const std::string& text) {
                        absl::StrAppend(out, Quoted(text));
                      }), "]");
}

}  // namespace

std::vector<std::string> WordsOf(absl::string_view text) {
  return absl::StrSplit(text, absl::ByAnyChar(", \t\n"), absl::SkipEmpty());
}

std::string DefaultEnvironment(const InitAnswers& answers) {
  std::string last;
  for (const std::string& environment : answers.environments) {
    if (environment == "development") return environment;
    if (!IsProtected(environment)) last = environment;
  }
  return last.empty() && !answers.environments.empty() ? NameOf(answers.environments.back()) : last;
}

absl::StatusOr<std::string> InitText(const InitAnswers& answers) {
  if (answers.environments.empty()) return absl::InvalidArgumentError("environments: at least one is wanted");
  if (answers.owners.empty()) return absl::InvalidArgumentError("owners: at least one is wanted");
  if (answers.mode != "all" && answers.mode != "protected" && answers.mode != "nothing") {
    return absl::InvalidArgumentError(absl::StrCat("mode: wanted all, protected or nothing, got ", answers.mode));
  }
  std::string strictest = NameOf(answers.environments.front());
  bool any_protected = false;
  for (const std::string& environment : answers.environments) {
    if (!IsProtected(environment) || any_protected) continue;
    strictest = NameOf(environment);
    any_protected = true;
  }
  if (!any_protected && !answers.production_hosts.empty()) {
    return absl::InvalidArgumentError("production hosts: no environment is marked with * as protected");
  }

  for (const auto& [glob, environment] : answers.workspaces) {
    if (std::none_of(answers.environments.begin(), answers.environments.end(),
                     [&](const std::string& each) { return NameOf(each) == environment; })) {
      return absl::InvalidArgumentError(absl::StrCat("workspace ", glob, ": there is no environment ", environment));
    }
  }

  std::string text =
      "# Holdpoint's configuration, made by `holdpoint init`. `holdpoint config default` prints every key with its\n"
      "# explanation, `holdpoint config check FILE` says what a file means or where it is wrong. After a change:\n"
      "# `sudo holdpoint reload`. A wrong file is not taken, the last good one stays.\n"
      "version: 1\n\n"
      "# Who may approve what is held or refused: users by name, groups with %. They prove to be there by password, code or key.\n";
  absl::StrAppend(&text, "owners:\n  approval: ", List(answers.owners), "\n\n");
  absl::StrAppend(&text,
                  "# Places with stakes, the strictest first. In a protected one loss hurts.\n"
                  "#   mode: observe   records what would have been stopped: `sudo holdpoint report`\n"
                  "#   mode: enforce   stops it. Live: `sudo holdpoint mode set environment NAME enforce`\n"
                  "environments:\n");
  for (const std::string& environment : answers.environments) {
    const bool enforced = answers.mode == "all" || (answers.mode == "protected" && IsProtected(environment));
    absl::StrAppend(&text, "  - name: ", NameOf(environment), "\n",
                    IsProtected(environment) ? "    protected: true\n" : "", "    mode: ", enforced ? "enforce" : "observe", "\n");
  }
  absl::StrAppend(&text,
                  "\n# Which environment a session of a coding agent belongs to: `holdpoint run --env NAME`, else its\n"
                  "# workspace (what lies below counts too), else the default. \"~\" is the home of the session's user.\n"
                  "sessions:\n  default: ",
                  DefaultEnvironment(answers), "\n  workspaces:", answers.workspaces.empty() ? " []\n" : "\n");
  for (const auto& [glob, environment] : answers.workspaces) {
    absl::StrAppend(&text, "    - {glob: ", Quoted(glob), ", environment: ", environment, "}\n");
  }
  absl::StrAppend(&text,
                  "\n# Where acts go: what argv shows by host, connects by range. `sudo holdpoint suggest` proposes more from\n"
                  "# what was seen. Hosts, files and ids that look like production (\"*prod*\", \"live\") count as such anyway.\n"
                  "destinations:");
  absl::StrAppend(&text, answers.production_hosts.empty()
                             ? " []\n"
                             : absl::StrCat("\n  - hosts: ", List(answers.production_hosts),
                                            "\n    environment: ", strictest, "\n"));
  absl::StrAppend(&text,
                  "\n# What opens doors. `sudo holdpoint fingerprint` makes the name of a secret without writing it anywhere.\n"
                  "credentials: []\n"
                  "#  - {name: cloud-token, environment: ",
                  strictest, ", variables: [CLOUD_API_TOKEN], fingerprints: [\"fp:0123456789abcdef\"]}\n");
  absl::StrAppend(&text,
                  "\n# What can be lost. `backups` is said to whoever has to approve.\n"
                  "resources: []\n"
                  "#  - {type: volume, id: \"3d2c42fb-*\", environment: ",
                  strictest, ", backups: on the same volume}\n");
  if (const absl::StatusOr<Configuration> loaded = LoadConfiguration(kFile, text); !loaded.ok()) {
    return absl::InvalidArgumentError(loaded.status().message());
  }
  return text;
}

}  // namespace holdpoint
