// holdpoint break-glass, off, on and approvals.
#include <stdio.h>
#include <string.h>

#include <CLI/CLI.hpp>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/base/status.h"
#include "agent/cli/ask.h"
#include "agent/cli/context.h"
#include "agent/cli/mode.h"
#include "agent/cli/proof.h"
#include "agent/cli/terminal.h"
#include "agent/cli/when.h"

namespace holdpoint {
namespace {

struct LiftOptions {
  std::string span, environment, reason, as;
  bool end = false;
  ProofOptions proof;
};

// Asks without a proof first: who may not, or asks for too much, types no password.
absl::StatusOr<int> Lift(const Context& context, const LiftOptions& options, ControlCommand command) {
  ControlRequest request{.command = command};
  absl::Cleanup wipe_request = [&request] { explicit_bzero(request.secret, sizeof(request.secret)); };
  const bool begins = command == ControlCommand::kBreakGlass || command == ControlCommand::kOff;
  if (begins) {
    if (options.span.empty()) return absl::InvalidArgumentError("--for: say how long, for example 15m");
    if (absl::StripAsciiWhitespace(options.reason).empty()) {
      return absl::InvalidArgumentError("--reason: why this is lifted belongs into the record");
    }
    HP_ASSIGN_OR_RETURN(const absl::Duration span, ParseLength(options.span, "--for"));
    request.number = static_cast<uint64_t>(absl::ToInt64Seconds(span));
  }
  const std::string as = options.as.empty() ? CallerName() : options.as;
  HP_RETURN_IF_ERROR(SetControlText(request.text1, as, "--as"));
  HP_RETURN_IF_ERROR(SetControlText(request.text2, options.reason, "--reason"));
  HP_RETURN_IF_ERROR(SetControlText(request.text3, options.environment, "--env"));
  HP_ASSIGN_OR_RETURN(ControlAnswer answer, Ask(context, request, kDecisionTime));
  const absl::StatusOr<Json> wanted = ObjectOf(answer);
  if (answer.exit_code != 77 || !wanted.ok() || TextOf(*wanted, "presence") != "wanted") return Tell(answer);
  fprintf(stderr, "%s: %s\n", Safe(answer.message).c_str(), Safe(ListOf(*wanted, "owners")).c_str());
  HP_RETURN_IF_ERROR(BringProof(options.proof, as, request));
  HP_ASSIGN_OR_RETURN(answer, Ask(context, request, kDecisionTime));
  return Tell(answer);
}

void AddLiftOptions(CLI::App& command, LiftOptions& options) {
  command.add_option("--for", options.span, "how long: 15m, 2h");
  command.add_option("--reason", options.reason, "why; part of the record");
  command.add_option("--as", options.as, "owner who is present (default: who called sudo, else the caller)");
  AddProofOptions(command, options.proof, /*with_signature=*/false);
}

absl::StatusOr<int> ShowApprovals(const Context& context) {
  ControlRequest request{.command = ControlCommand::kApprovals};
  HP_ASSIGN_OR_RETURN(const ControlAnswer answer, Ask(context, request));
  if (answer.exit_code != 0) return Tell(answer);
  HP_ASSIGN_OR_RETURN(const std::vector<Json> rows, RowsOf(answer, "approvals"));
  Table table({"APPROVAL", "ENDS", "ENVIRONMENT", "BY", "TARGET"});
  for (const Json& row : rows) {
    if (context.json) {
      Print(JsonLine(row));
      continue;
    }
    const int64_t until = NumberOf(row, "until");
    table.Add({{TextOf(row, "approval")},
               {until != 0 ? HumanTime(until) : absl::StrCat("with ", TextOf(row, "session"))},
               {TextOf(row, "environment")},
               {ListOf(row, "by")},
               {absl::StrCat(TextOf(row, "resource_type"), " ", TextOf(row, "resource"))}},
              absl::StrCat("why: ", TextOf(row, "reason"), " (", TextOf(row, "rule"), "; sessions of uid ",
                           NumberOf(row, "session_uid"), ", since ", HumanTime(NumberOf(row, "since")), ")"));
  }
  if (!context.json) Print(table.empty() ? "nothing is remembered\n" : table.Render(context.Colored(), TerminalWidth()));
  return 0;
}

absl::StatusOr<int> RemoveApproval(const Context& context, const std::string& id, const std::string& reason) {
  ControlRequest request{.command = ControlCommand::kApprovalRemove};
  HP_RETURN_IF_ERROR(SetControlText(request.ticket, absl::AsciiStrToUpper(id), "the approval"));
  HP_RETURN_IF_ERROR(SetControlText(request.text1, CallerName(), "the caller"));
  HP_RETURN_IF_ERROR(SetControlText(request.text2, reason, "--reason"));
  HP_ASSIGN_OR_RETURN(const ControlAnswer answer, Ask(context, request));
  return Tell(answer);
}

}  // namespace

void AddEmergency(CLI::App& app, Context& context) {
  auto glass = std::make_shared<LiftOptions>();
  CLI::App* breaking = app.add_subcommand(
      "break-glass", "Let what would be held or refused in an environment pass for a while, recorded (root, an owner present)");
  AddLiftOptions(*breaking, *glass);
  breaking->add_option("--env", glass->environment, "the environment (default: the protected one, where there is one)");
  breaking->add_flag("--end", glass->end, "end it now");
  breaking->callback([&context, glass] {
    context.command = [&context, glass] {
      return Lift(context, *glass, glass->end ? ControlCommand::kBreakGlassEnd : ControlCommand::kBreakGlass);
    };
  });
  auto off_options = std::make_shared<LiftOptions>();
  CLI::App* off = app.add_subcommand("off", "Stop nothing for a while: everything is recorded (root, an owner present)");
  AddLiftOptions(*off, *off_options);
  off->callback([&context, off_options] {
    context.command = [&context, off_options] { return Lift(context, *off_options, ControlCommand::kOff); };
  });
  app.add_subcommand("on", "End `off` before its time (root)")->callback([&context] {
    context.command = [&context] { return Lift(context, LiftOptions(), ControlCommand::kOn); };
  });

  CLI::App* approvals = app.add_subcommand("approvals", "What was approved for longer than once, and until when");
  approvals->callback([&context, approvals] {
    if (approvals->get_subcommands().empty()) context.command = [&context] { return ShowApprovals(context); };
  });
  auto id = std::make_shared<std::string>();
  auto reason = std::make_shared<std::string>();
  CLI::App* remove = approvals->add_subcommand("remove", "Forget one: the next attempt is asked about (root)");
  remove->add_option("approval", *id, "for example AP-4K7Q")->required();
  remove->add_option("--reason", *reason, "why; part of the record");
  remove->callback([&context, id, reason] {
    context.command = [&context, id, reason] { return RemoveApproval(context, *id, *reason); };
  });
}

}  // namespace holdpoint
