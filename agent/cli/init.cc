// holdpoint init: five questions, and a configuration of the answers.
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "agent/base/fd.h"
#include "agent/base/status.h"
#include "agent/cli/checkouts.h"
#include "agent/cli/context.h"
#include "agent/cli/files.h"
#include "agent/cli/init_text.h"
#include "agent/cli/mode.h"
#include "agent/cli/terminal.h"
#include "agent/environment/load.h"
#include "agent/environment/tags.h"
#include "agent/environment/yaml.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxCheckouts = 24;

struct InitOptions {
  std::string output = "/etc/holdpoint/holdpoint.yaml";
  std::string answers;
  bool force = false, defaults = false;
  std::vector<std::string> environments, owners, workspaces, production_hosts;
  std::string mode;

  bool unattended() const {
    return defaults || !answers.empty() || !environments.empty() || !owners.empty() || !workspaces.empty() ||
           !production_hosts.empty() || !mode.empty();
  }
};

// The group that administers this host by convention.
std::string AdminGroup() {
  for (const char* name : {"sudo", "wheel", "admin"}) {
    if (getgrnam(name) != nullptr) return absl::StrCat("%", name);
  }
  return CallerName();
}

// The checkouts of who asks. One that looks like production belongs to a protected environment.
std::vector<std::string> SuggestedWorkspaces(const InitAnswers& answers) {
  const passwd* account = getpwnam(CallerName().c_str());
  if (account == nullptr || account->pw_dir == nullptr) return {};
  const std::string home = account->pw_dir;
  std::vector<std::string> workspaces;
  for (const std::string& path : FindCheckouts(home, kMaxCheckouts)) {
    std::string environment = DefaultEnvironment(answers);
    if (LooksLikeProduction(BuiltInConfiguration(), path.substr(home.size()))) {
      for (const std::string& each : answers.environments) {
        if (!absl::EndsWith(each, "*")) continue;
        environment = each.substr(0, each.size() - 1);
        break;
      }
    }
    const std::string shown = "~" + path.substr(home.size());
    if (shown.find_first_of("*?[]{}\\=, ") != std::string::npos) continue;  // A glob or a list would read it differently.
    workspaces.push_back(absl::StrCat(shown, "=", environment));
  }
  return workspaces;
}

absl::Status SetWorkspaces(const std::vector<std::string>& words, InitAnswers* answers) {
  answers->workspaces.clear();
  for (const std::string& word : words) {
    const size_t equals = word.rfind('=');
    if (equals == std::string::npos || equals == 0) {
      return absl::InvalidArgumentError(absl::StrCat("a workspace is wanted as FOLDER=ENVIRONMENT, got ", word));
    }
    answers->workspaces.emplace_back(word.substr(0, equals), word.substr(equals + 1));
  }
  return absl::OkStatus();
}

absl::Status ReadAnswers(const std::string& file, InitOptions* options) {
  HP_ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(file));
  HP_ASSIGN_OR_RETURN(const YamlNode root, ParseYaml(file, bytes));
  HP_ASSIGN_OR_RETURN(const YamlMap map, YamlValue(file, "", root).Map(
                                             {"environments", "owners", "workspaces", "production_hosts", "mode"}));
  HP_RETURN_IF_ERROR(map.Optional("environments", &options->environments));
  HP_RETURN_IF_ERROR(map.Optional("owners", &options->owners));
  HP_RETURN_IF_ERROR(map.Optional("workspaces", &options->workspaces));
  HP_RETURN_IF_ERROR(map.Optional("production_hosts", &options->production_hosts));
  return map.Optional("mode", &options->mode);
}

// Each question says what it is for, and what an empty line means.
absl::StatusOr<std::string> AskLine(int number, const std::string& question, const std::string& usual) {
  fprintf(stderr, "\n%d of 5  %s\n", number, question.c_str());
  fprintf(stderr, "        [%s] ", Safe(usual).c_str());
  std::string line;
  if (!std::getline(std::cin, line)) return absl::CancelledError("no answer: nothing was written");
  line = std::string(absl::StripAsciiWhitespace(line));
  return line.empty() ? usual : line == "-" ? "" : line;
}

absl::Status AskAll(InitAnswers* answers) {
  fprintf(stderr, "Five questions. An empty line takes what stands in brackets, - takes nothing.\n");
  HP_ASSIGN_OR_RETURN(const std::string environments,
                      AskLine(1, "Which environments are there, the strictest first? * marks where loss hurts.",
                              absl::StrJoin(answers->environments, ", ")));
  answers->environments = WordsOf(environments);
  HP_ASSIGN_OR_RETURN(const std::string owners, AskLine(2, "Who may approve what is held? Users, or %groups.",
                                                        absl::StrJoin(answers->owners, ", ")));
  answers->owners = WordsOf(owners);
  HP_ASSIGN_OR_RETURN(const std::string workspaces,
                      AskLine(3, "Where do coding agents work? FOLDER=ENVIRONMENT; these checkouts were found:",
                              absl::StrJoin(SuggestedWorkspaces(*answers), ", ")));
  HP_RETURN_IF_ERROR(SetWorkspaces(WordsOf(workspaces), answers));
  HP_ASSIGN_OR_RETURN(const std::string hosts,
                      AskLine(4, "Which hosts belong to production? For example *.prod.example.com", "-"));
  answers->production_hosts = WordsOf(hosts == "-" ? "" : hosts);
  HP_ASSIGN_OR_RETURN(answers->mode,
                      AskLine(5, "What is enforced from the start: all, protected (the others are observed), nothing?",
                              answers->mode));
  return absl::OkStatus();
}

absl::Status WriteFile(const std::string& path, const std::string& text, bool force) {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  const std::string fresh = path + ".new";
  {
    const UniqueFd fd(open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!fd.ok()) return ErrnoStatus(fresh);
    for (absl::string_view rest = text; !rest.empty();) {
      const ssize_t size = write(fd.get(), rest.data(), rest.size());
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return ErrnoStatus(fresh);
      rest.remove_prefix(static_cast<size_t>(size));
    }
    if (fchmod(fd.get(), 0644) != 0 || fsync(fd.get()) != 0) return ErrnoStatus(fresh);
  }
  // link(2) never replaces: what somebody wrote in the meantime stays.
  const int done = force ? rename(fresh.c_str(), path.c_str()) : link(fresh.c_str(), path.c_str());
  const int why = errno;
  if (!force) unlink(fresh.c_str());
  return done == 0 ? absl::OkStatus() : ErrnoStatus(path, why);
}

absl::StatusOr<int> Init(InitOptions options) {
  if (!options.force && access(options.output.c_str(), F_OK) == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(options.output, " is there already: --force replaces it, --output writes another file"));
  }
  if (!options.answers.empty()) HP_RETURN_IF_ERROR(ReadAnswers(options.answers, &options));
  InitAnswers answers;
  answers.owners = {AdminGroup()};
  if (options.unattended()) {
    if (!options.environments.empty()) answers.environments = options.environments;
    if (!options.owners.empty()) answers.owners = options.owners;
    if (!options.mode.empty()) answers.mode = options.mode;
    answers.production_hosts = options.production_hosts;
    if (options.workspaces.empty()) options.workspaces = SuggestedWorkspaces(answers);
    HP_RETURN_IF_ERROR(SetWorkspaces(options.workspaces, &answers));
  } else if (isatty(STDIN_FILENO)) {
    HP_RETURN_IF_ERROR(AskAll(&answers));
  } else {
    return absl::InvalidArgumentError(
        "there is no terminal to ask on: --answers FILE, --defaults, or a flag for each answer");
  }
  HP_ASSIGN_OR_RETURN(const std::string text, InitText(answers));
  HP_RETURN_IF_ERROR(WriteFile(options.output, text, options.force));
  Print(absl::StrCat(Safe(options.output), " is written\n"));
  const ConfigurationReport report = CheckConfiguration(options.output, text);
  for (const std::string& line : report.summary) Print(absl::StrCat("  ", Safe(line), "\n"));
  Print("Next: sudo holdpoint doctor, then start holdpointd (or sudo holdpoint reload where it runs)\n");
  return 0;
}

}  // namespace

void AddInit(CLI::App& app, Context& context) {
  auto options = std::make_shared<InitOptions>();
  CLI::App* init = app.add_subcommand("init", "Write a configuration: five questions, or --answers FILE, or flags");
  init->add_option("--output", options->output, "the file that is written")->capture_default_str();
  init->add_flag("--force", options->force, "replace the file where it is there");
  init->add_flag("--defaults", options->defaults, "ask nothing: the usual answers");
  init->add_option("--answers", options->answers,
                   "a YAML map: environments, owners, workspaces, production_hosts, mode");
  init->add_option("--environments", options->environments, "strictest first; * behind a name: protected")
      ->delimiter(',');
  init->add_option("--owners", options->owners, "who may approve: users, %groups")->delimiter(',');
  init->add_option("--workspace", options->workspaces, "FOLDER=ENVIRONMENT; may be repeated");
  init->add_option("--production-host", options->production_hosts, "a host glob of production; may be repeated");
  init->add_option("--mode", options->mode, "what is enforced from the start: all, protected, nothing");
  init->callback([&context, options] { context.command = [options] { return Init(*options); }; });
}

}  // namespace holdpoint
