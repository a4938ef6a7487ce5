// holdpoint approve, deny and wait.
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "agent/base/status.h"
#include "agent/cli/ask.h"
#include "agent/cli/context.h"
#include "agent/cli/proof.h"
#include "agent/cli/scope.h"
#include "agent/cli/terminal.h"

namespace holdpoint {
namespace {

constexpr absl::Duration kWaitSlack = absl::Seconds(5);
constexpr uint64_t kWaitMax = 3600;

struct DecideOptions {
  std::string ticket, as, reason;
  ScopeOptions scope;
  ProofOptions proof;
};

// Who decides where --as does not say: the person behind sudo, else the caller.
std::string Caller() {
  const char* behind_sudo = getenv("SUDO_USER");
  if (geteuid() == 0 && behind_sudo != nullptr && *behind_sudo != '\0') return behind_sudo;
  const passwd* account = getpwuid(getuid());
  return account == nullptr ? absl::StrCat(getuid()) : account->pw_name;
}

absl::Status SetTicket(ControlRequest& request, const std::string& ticket) {
  HP_RETURN_IF_ERROR(SetControlText(request.ticket, absl::AsciiStrToUpper(ticket), "the ticket"));
  if (ticket.empty()) return absl::InvalidArgumentError("the ticket is wanted, for example HP-4K7Q");
  return absl::OkStatus();
}

// Shows what is decided on before the password is asked. Nothing where the caller may not see it: the daemon decides.
absl::Status ShowTicket(const Context& context, const std::string& ticket) {
  ControlRequest request{.command = ControlCommand::kHolds};
  HP_ASSIGN_OR_RETURN(const ControlAnswer answer, Ask(context, request));
  HP_ASSIGN_OR_RETURN(const std::vector<Json> rows, RowsOf(answer, "holds"));
  for (const Json& row : rows) {
    if (TextOf(row, "ticket") != ticket) continue;
    fprintf(stderr, "%s (%s, %s): %s\n", Safe(ticket).c_str(), Safe(TextOf(row, "state")).c_str(),
            Safe(TextOf(row, "environment")).c_str(), Safe(TextOf(row, "summary")).c_str());
    fprintf(stderr, "why it waits: %s\n", Safe(TextOf(row, "reason")).c_str());
    if (const std::string rollback = ListOf(row, "rollback"); !rollback.empty()) {
      fprintf(stderr, "rollback: %s\n", Safe(rollback).c_str());
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<int> Decide(const Context& context, const DecideOptions& options, ControlCommand command) {
  const bool approve = command == ControlCommand::kApprove;
  ControlRequest request{.command = command};
  absl::Cleanup wipe_request = [&request] { explicit_bzero(request.secret, sizeof(request.secret)); };
  if (approve) HP_RETURN_IF_ERROR(SetScope(options.scope, !options.proof.signature.empty(), request));
  if (approve && absl::StripAsciiWhitespace(options.reason).empty()) {
    return absl::InvalidArgumentError("--reason: why this may happen belongs into the record");
  }
  const std::string as = options.as.empty() ? Caller() : options.as;
  HP_RETURN_IF_ERROR(SetTicket(request, options.ticket));
  HP_RETURN_IF_ERROR(SetControlText(request.text1, as, "--as"));
  HP_RETURN_IF_ERROR(SetControlText(request.text2, options.reason, "--reason"));

  if (options.proof.Asks()) HP_RETURN_IF_ERROR(ShowTicket(context, request.ticket));
  HP_RETURN_IF_ERROR(BringProof(options.proof, as, request));
  HP_ASSIGN_OR_RETURN(const ControlAnswer answer, Ask(context, request, kDecisionTime));
  return Tell(answer);
}

struct WaitOptions {
  std::string ticket;
  uint64_t seconds = 8;
};

absl::StatusOr<int> Wait(const Context& context, const WaitOptions& options) {
  ControlRequest request{.command = ControlCommand::kWait, .number = options.seconds};
  HP_RETURN_IF_ERROR(SetTicket(request, options.ticket));
  HP_ASSIGN_OR_RETURN(const ControlAnswer answer,
                      Ask(context, request, absl::Seconds(static_cast<int64_t>(options.seconds)) + kWaitSlack));
  if (!context.json) return Tell(answer);
  Print(JsonLine({{"ticket", request.ticket}, {"exit_code", answer.exit_code}, {"message", answer.message}}));
  return answer.exit_code;
}

void AddDecide(CLI::App& app, Context& context, const char* name, const char* text, ControlCommand command) {
  auto options = std::make_shared<DecideOptions>();
  CLI::App* decide = app.add_subcommand(name, text);
  decide->add_option("ticket", options->ticket, "for example HP-4K7Q; `holdpoint holds` lists them")->required();
  if (command == ControlCommand::kApprove) AddScopeOptions(*decide, options->scope);
  decide->add_option("--reason", options->reason, "why; part of the record");
  decide->add_option("--as", options->as, "owner who decides (default: who called sudo, else the caller)");
  AddProofOptions(*decide, options->proof, /*with_signature=*/true);
  decide->callback([&context, options, command] {
    context.command = [&context, options, command] { return Decide(context, *options, command); };
  });
}

}  // namespace

void AddDecisions(CLI::App& app, Context& context) {
  AddDecide(app, context, "approve", "Let an act pass: sudo holdpoint approve HP-4K7Q --once --reason \"...\"",
            ControlCommand::kApprove);
  AddDecide(app, context, "deny", "Close a ticket: its act stays refused", ControlCommand::kDeny);

  auto options = std::make_shared<WaitOptions>();
  CLI::App* wait = app.add_subcommand("wait", "Wait for a decision: 0 approved, 77 denied, 75 undecided, 69 gone");
  wait->add_option("ticket", options->ticket, "for example HP-4K7Q")->required();
  wait->add_option("--seconds", options->seconds, "at most this long")
      ->capture_default_str()
      ->check(CLI::Range(kWaitMax));
  wait->callback([&context, options] { context.command = [&context, options] { return Wait(context, *options); }; });
}

}  // namespace holdpoint
