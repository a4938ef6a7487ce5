// holdpoint mode, and what `rules list` and `rules promote` ask of the daemon.
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "agent/base/status.h"
#include "agent/cli/ask.h"
#include "agent/cli/context.h"
#include "agent/cli/mode.h"
#include "agent/cli/proof.h"
#include "agent/cli/terminal.h"

namespace holdpoint {
namespace {

struct SwitchOptions {
  std::string kind, name, mode, reason, as;
  ProofOptions proof;
};

Tone ToneOf(const std::string& mode) { return mode == "enforce" ? Tone::kGood : Tone::kWarn; }

std::string LiveText(const Json& row) {
  const std::string live = TextOf(row, "live");
  if (live.empty()) return "-";
  return absl::StrCat(live, " by ", TextOf(row, "by"), ", ", HumanTime(NumberOf(row, "since")));
}

absl::StatusOr<int> ShowModes(const Context& context, bool all) {
  HP_ASSIGN_OR_RETURN(const std::vector<Json> rows, AskModes(context));
  Table environments({"ENVIRONMENT", "IN FORCE", "FILE SAYS", "SWITCHED"});
  Table rules({"RULE", "IN FORCE", "FILE SAYS", "SWITCHED"});
  size_t enforced = 0;
  for (const Json& row : rows) {
    const bool environment = TextOf(row, "kind") == "environment";
    const std::string mode = ShownMode(row);
    const bool plain = mode == "enforce" && TextOf(row, "live").empty();
    if (!environment && plain) ++enforced;
    if (context.json) {
      Print(JsonLine(row));
      continue;
    }
    if (!environment && plain && !all) continue;
    const std::string name = TextOf(row, "name");
    (environment ? environments : rules)
        .Add({{FlagOf(row, "protected") ? name + " (protected)" : name}, {mode, ToneOf(mode)}, {TextOf(row, "file")},
              {LiveText(row)}});
  }
  if (context.json) return 0;
  Print(environments.Render(context.Colored(), TerminalWidth()));
  if (!rules.empty()) Print("\n" + rules.Render(context.Colored(), TerminalWidth()));
  if (!all) Print(absl::StrCat("\n", enforced, rules.empty() ? "" : " other", " rules are enforced\n"));
  return 0;
}

// Asks once; where an owner has to be present, asks for the password and once more.
absl::StatusOr<int> Switch(const Context& context, const SwitchOptions& options, ControlCommand command) {
  ControlRequest request{.command = command};
  absl::Cleanup wipe_request = [&request] { explicit_bzero(request.secret, sizeof(request.secret)); };
  const std::string as = options.as.empty() ? CallerName() : options.as;
  request.number = options.mode == "off" ? 2 : options.mode == "observe" ? 1 : 0;
  HP_RETURN_IF_ERROR(SetControlText(request.ticket, options.kind, "environment or rule"));
  HP_RETURN_IF_ERROR(SetControlText(request.text3, options.name, "the name"));
  HP_RETURN_IF_ERROR(SetControlText(request.text1, as, "--as"));
  HP_RETURN_IF_ERROR(SetControlText(request.text2, options.reason, "--reason"));
  HP_ASSIGN_OR_RETURN(ControlAnswer answer, Ask(context, request, kDecisionTime));
  const absl::StatusOr<Json> wanted = ObjectOf(answer);
  if (answer.exit_code != 77 || !wanted.ok() || TextOf(*wanted, "presence") != "wanted") return Tell(answer);
  fprintf(stderr, "%s: %s\n", Safe(answer.message).c_str(), Safe(ListOf(*wanted, "owners")).c_str());
  HP_RETURN_IF_ERROR(BringProof(options.proof, as, request));
  HP_ASSIGN_OR_RETURN(answer, Ask(context, request, kDecisionTime));
  return Tell(answer);
}

void AddSwitch(CLI::App& mode, Context& context, const char* name, const char* text, bool set) {
  auto options = std::make_shared<SwitchOptions>();
  CLI::App* command = mode.add_subcommand(name, text);
  command->add_option("kind", options->kind, "environment or rule")
      ->required()
      ->check(CLI::IsMember({"environment", "rule"}));
  command->add_option("name", options->name, "its name")->required();
  if (set) {
    command->add_option("mode", options->mode, "enforce or observe; of a rule also off")
        ->required()
        ->check(CLI::IsMember({"enforce", "observe", "off"}));
  }
  command->add_option("--reason", options->reason, "why; part of the record");
  command->add_option("--as", options->as, "who says so (default: who called sudo, else the caller)");
  AddProofOptions(*command, options->proof, /*with_signature=*/false);
  command->callback([&context, options, set] {
    context.command = [&context, options, set] {
      return Switch(context, *options, set ? ControlCommand::kModeSet : ControlCommand::kModeUnset);
    };
  });
}

}  // namespace

std::string CallerName() {
  const char* behind_sudo = getenv("SUDO_USER");
  if (geteuid() == 0 && behind_sudo != nullptr && *behind_sudo != '\0') return behind_sudo;
  const passwd* account = getpwuid(getuid());
  return account == nullptr ? absl::StrCat(getuid()) : account->pw_name;
}

absl::StatusOr<std::vector<Json>> AskModes(const Context& context) {
  ControlRequest request{.command = ControlCommand::kModes};
  HP_ASSIGN_OR_RETURN(const ControlAnswer answer, Ask(context, request));
  if (answer.exit_code != 0) return absl::UnavailableError(answer.message);
  return RowsOf(answer, "modes");
}

std::string ShownMode(const Json& row) {
  const std::string standing = TextOf(row, "standing");
  if (standing.empty() || !TextOf(row, "live").empty()) return TextOf(row, "mode");
  return absl::StrCat("observe (", standing, ")");
}

absl::StatusOr<int> PromoteRules(const Context& context, const std::string& rule) {
  ControlRequest request{.command = ControlCommand::kPromote, .flags = rule.empty() ? kControlAll : 0};
  HP_RETURN_IF_ERROR(SetControlText(request.text3, rule, "the rule"));
  HP_RETURN_IF_ERROR(SetControlText(request.text1, CallerName(), "the caller"));
  HP_ASSIGN_OR_RETURN(const ControlAnswer answer, Ask(context, request));
  return Tell(answer);
}

void AddMode(CLI::App& app, Context& context) {
  auto all = std::make_shared<bool>(false);
  CLI::App* mode = app.add_subcommand("mode", "What is enforced and what only observed; switches it live");
  mode->add_flag("--all", *all, "every rule, also those that are enforced as their file says");
  mode->callback([&context, mode, all] {
    if (mode->get_subcommands().empty()) context.command = [&context, all] { return ShowModes(context, *all); };
  });
  AddSwitch(*mode, context, "set", "Switch an environment or a rule (root): mode set environment staging observe", true);
  AddSwitch(*mode, context, "unset", "Take a switch back: what the file says is in force again (root)", false);
}

}  // namespace holdpoint
