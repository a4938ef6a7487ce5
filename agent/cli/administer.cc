// holdpoint kill and reload.
#include <CLI/CLI.hpp>

#include "agent/base/status.h"
#include "agent/cli/ask.h"
#include "agent/cli/context.h"

namespace holdpoint {
namespace {

constexpr absl::Duration kKillTime = absl::Seconds(30);

absl::StatusOr<int> Kill(const Context& context, const std::string& session) {
  ControlRequest request{.command = ControlCommand::kKillSession};
  HP_RETURN_IF_ERROR(SetControlText(request.text1, session, "the session"));
  HP_ASSIGN_OR_RETURN(const ControlAnswer answer, Ask(context, request, kKillTime));
  return Tell(answer);
}

absl::StatusOr<int> Reload(const Context& context, bool forget) {
  ControlRequest request{.command = forget ? ControlCommand::kClass : ControlCommand::kReload};
  HP_ASSIGN_OR_RETURN(const ControlAnswer answer, Ask(context, request));
  if (answer.exit_code == 0 && answer.message.empty()) Print("loaded\n");
  return Tell(answer);
}

}  // namespace

void AddAdministration(CLI::App& app, Context& context) {
  auto session = std::make_shared<std::string>();
  CLI::App* kill = app.add_subcommand("kill", "End a session: every process of it, wherever it went");
  kill->add_option("session", *session, "its id; `holdpoint sessions` lists them")->required();
  kill->callback([&context, session] { context.command = [&context, session] { return Kill(context, *session); }; });

  auto forget = std::make_shared<bool>(false);
  CLI::App* reload = app.add_subcommand("reload", "Load configuration and rules again (root)");
  reload->add_flag("--forget-executables", *forget, "forget what was learned of executables, too");
  reload->callback([&context, forget] { context.command = [&context, forget] { return Reload(context, *forget); }; });
}

}  // namespace holdpoint
