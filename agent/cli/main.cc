// holdpoint: what people and scripts say to the daemon.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "agent/base/status.h"
#include "agent/base/version.h"
#include "agent/cli/ask.h"
#include "agent/cli/context.h"
#include "agent/cli/sinks.h"
#include "agent/cli/terminal.h"

namespace holdpoint {
namespace {

constexpr char kFooter[] =
    "Exit codes: 0 fine, 1 findings, 2 usage, 69 unavailable, 75 undecided, 77 not permitted, 78 configuration,\n"
    "126 refused. --json prints one object per line.";

bool write_failed = false;

// Everything before the first "--" is ours, everything behind it is the command of `holdpoint run`.
std::vector<std::string> Split(int argc, char** argv, Context& context) {
  std::vector<std::string> own;
  for (int i = 1; i < argc; ++i) {
    if (!context.has_behind && strcmp(argv[i], "--") == 0) {
      context.has_behind = true;
    } else {
      (context.has_behind ? context.behind : own).emplace_back(argv[i]);
    }
  }
  return {own.rbegin(), own.rend()};  // as CLI11 wants them
}

int Fail(const absl::Status& status) {
  fprintf(stderr, "holdpoint: %s\n", Safe(std::string(status.message())).c_str());
  return ExitCode(status);
}

int Main(int argc, char** argv) {
  Context context;
  CLI::App app("Holdpoint decides before a coding agent destroys something. This is its command line.", "holdpoint");
  app.set_version_flag("--version", absl::StrCat("holdpoint ", Version()));
  app.footer(kFooter);
  app.fallthrough();
  app.require_subcommand(1);
  app.add_option("--instance", context.instance, "which daemon, where several run")
      ->envname("HOLDPOINT_INSTANCE")
      ->capture_default_str();
  app.add_option("--run", context.run, "folder of its control socket (default: /run/holdpoint/INSTANCE)")
      ->envname("HOLDPOINT_RUN");
  app.add_option("--state", context.state, "folder of its record (default: /var/lib/holdpoint/INSTANCE)")
      ->envname("HOLDPOINT_STATE");
  app.add_flag("--json", context.json, "one JSON object per line");
  app.add_option("--color", context.color, "auto, always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->capture_default_str();
  AddRun(app, context);
  AddDecisions(app, context);
  AddViews(app, context);
  AddRecord(app, context);
  AddMetrics(app, context);
  AddTestAlert(app, context);
  AddAdministration(app, context);
  AddConfiguration(app, context);
  AddPolicy(app, context);
  AddMode(app, context);
  AddPresence(app, context);
  AddEmergency(app, context);
  AddReport(app, context);
  AddSinks(app, context);
  AddSuggest(app, context);
  AddInit(app, context);
  AddWatch(app, context);
  AddNotifyDesktop(app, context);
  AddDoctor(app, context);

  try {
    app.parse(Split(argc, argv, context));
    if (context.has_behind && !app.got_subcommand("run") && !app.got_subcommand("check"))
      throw CLI::ExtrasError({"--"});
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // -h and --version
    // CLI11 misses a subcommand before it misses the meaning of a flag; people want to know of the flag.
    const std::vector<std::string> unknown = app.remaining();
    fprintf(stderr, "holdpoint: %s (holdpoint --help lists what there is)\n",
            unknown.empty() ? Safe(error.what()).c_str()
                            : absl::StrCat("unknown argument '", Safe(unknown[0]), "'").c_str());
    return 2;
  }
  const absl::StatusOr<int> done = context.command();
  if (!done.ok()) {
    fflush(stdout);
    return Fail(done.status());
  }
  const absl::Status written = FlushOutput();
  return written.ok() ? *done : Fail(written);
}

}  // namespace

bool Context::Colored() const { return WantColor(color); }

std::string Context::StateDir() const {
  if (!state.empty()) return state;
  ControlRequest request{.command = ControlCommand::kStatus};
  if (const absl::StatusOr<ControlAnswer> answer = Ask(*this, request, absl::Seconds(2)); answer.ok()) {
    if (const absl::StatusOr<Json> status = ObjectOf(*answer); status.ok()) {
      if (std::string said = TextOf(*status, "state"); !said.empty()) return said;
    }
  }
  return "/var/lib/holdpoint/" + instance;
}

void Print(const std::string& text) {
  if (fwrite(text.data(), 1, text.size(), stdout) != text.size()) write_failed = true;
}

absl::Status FlushOutput() {
  if (fflush(stdout) == 0 && !write_failed) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("standard output cannot be written: ", strerror(errno)));
}

}  // namespace holdpoint

int main(int argc, char** argv) {
  try {
    return holdpoint::Main(argc, argv);
  } catch (const std::exception& error) {  // CLI11 while the options are declared; out of memory
    fprintf(stderr, "holdpoint: %s\n", error.what());
    return 70;
  }
}
