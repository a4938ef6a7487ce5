// holdpoint run: becomes the root of a session, then the command.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/base/status.h"
#include "agent/cli/ask.h"
#include "agent/cli/context.h"
#include "agent/cli/terminal.h"

namespace holdpoint {
namespace {

constexpr int kExitNotStarted = 127;  // as a shell's, before or after labelling

struct RunOptions {
  std::string environment, owner, coding_agent;
};

// Looked for before the daemon is asked, so that a slip of the keyboard makes no session.
bool IsThere(const std::string& program) {
  if (program.find('/') != std::string::npos) return access(program.c_str(), X_OK) == 0;
  const char* path = getenv("PATH");
  for (absl::string_view folder : absl::StrSplit(path == nullptr ? "/usr/bin:/bin" : path, ':')) {
    if (access(absl::StrCat(folder.empty() ? "." : folder, "/", program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

int CannotStart(const std::string& program, int error) {
  fprintf(stderr, "holdpoint: %s cannot be started: %s\n", Safe(program).c_str(), strerror(error));
  return kExitNotStarted;
}

absl::StatusOr<int> Run(const Context& context, const RunOptions& options) {
  if (context.behind.empty()) {
    return absl::InvalidArgumentError(
        "the command is wanted behind --: holdpoint run --env staging -- claude -p \"...\"");
  }
  if (!IsThere(context.behind[0])) return CannotStart(context.behind[0], ENOENT);

  ControlRequest request{.command = ControlCommand::kRun};
  HP_RETURN_IF_ERROR(SetControlText(request.text1, options.environment, "--env"));
  HP_RETURN_IF_ERROR(SetControlText(request.text2, options.owner, "--owner"));
  HP_RETURN_IF_ERROR(SetControlText(request.text3, options.coding_agent, "--agent"));
  HP_ASSIGN_OR_RETURN(const ControlAnswer answer, Ask(context, request));
  if (answer.exit_code != 0) return Tell(answer);

  std::vector<char*> argv;
  for (const std::string& word : context.behind) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  execvp(argv[0], argv.data());
  return CannotStart(context.behind[0], errno);
}

}  // namespace

void AddRun(CLI::App& app, Context& context) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* run = app.add_subcommand("run", "Start a command as a session: holdpoint run --env staging -- COMMAND ...");
  run->add_option("--env", options->environment, "environment that the session works in (default: configured)");
  run->add_option("--owner", options->owner, "person who answers for the session");
  run->add_option("--agent", options->coding_agent, "name of the coding agent, where it is not known by its program");
  run->callback([&context, options] { context.command = [&context, options] { return Run(context, *options); }; });
}

}  // namespace holdpoint
