// holdpoint presence and holdpoint challenge: what owners prove to be there with.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "agent/base/status.h"
#include "agent/cli/ask.h"
#include "agent/cli/context.h"
#include "agent/cli/mode.h"
#include "agent/cli/proof.h"
#include "agent/cli/qr_code.h"
#include "agent/cli/scope.h"
#include "agent/cli/terminal.h"

namespace holdpoint {
namespace {

struct CodeOptions {
  std::string as, hash = "sha1";
  uint64_t digits = 6;
  ProofOptions proof;
  int confirm_fd = -1;
};

absl::StatusOr<int> ListPresence(const Context& context) {
  ControlRequest request{.command = ControlCommand::kPresence};
  HP_ASSIGN_OR_RETURN(const ControlAnswer answer, Ask(context, request));
  if (answer.exit_code != 0) return Tell(answer);
  HP_ASSIGN_OR_RETURN(const std::vector<Json> rows, RowsOf(answer, "presence"));
  Table table({"OWNER", "UID", "CAN PROVE TO BE THERE BY"});
  for (const Json& row : rows) {
    if (context.json) Print(JsonLine(row));
    table.Add({{TextOf(row, "owner")}, {absl::StrCat(NumberOf(row, "uid"))}, {TextOf(row, "methods")}});
  }
  if (!context.json) Print(table.empty() ? "no owner that you may see\n" : table.Render(context.Colored(), TerminalWidth()));
  return 0;
}

// Sends one request of its own kind as the owner, with a proof.
absl::StatusOr<ControlAnswer> AskAs(const Context& context, const CodeOptions& options, const std::string& as,
                                    ControlRequest& request) {
  const absl::Cleanup wipe = [&request] { explicit_bzero(request.secret, sizeof(request.secret)); };
  HP_RETURN_IF_ERROR(SetControlText(request.text1, as, "--as"));
  HP_RETURN_IF_ERROR(BringProof(options.proof, as, request));
  return Ask(context, request, kDecisionTime);
}

void ShowSecret(const std::string& uri) {
  if (isatty(STDOUT_FILENO) != 0) {
    if (const absl::StatusOr<std::string> code = RenderQrCode(uri); code.ok()) Print(*code);
  }
  Print(absl::StrCat(Safe(uri), "\n"));
  fflush(stdout);
}

absl::StatusOr<int> EnrolCode(const Context& context, const CodeOptions& options) {
  const std::string as = options.as.empty() ? CallerName() : options.as;
  ControlRequest request{.command = ControlCommand::kEnrolCode,
                         .flags = options.hash == "sha256" ? kControlSha256 : 0,
                         .number = options.digits};
  HP_ASSIGN_OR_RETURN(const ControlAnswer begun, AskAs(context, options, as, request));
  if (begun.exit_code != 0) return Tell(begun);
  HP_ASSIGN_OR_RETURN(const Json enrolment, ObjectOf(begun));
  ShowSecret(TextOf(enrolment, "uri"));
  FlushOutput().IgnoreError();
  ControlRequest confirm{.command = ControlCommand::kConfirmCode};
  const absl::Cleanup wipe = [&confirm] { explicit_bzero(confirm.secret, sizeof(confirm.secret)); };
  HP_RETURN_IF_ERROR(SetControlText(confirm.text1, as, "--as"));
  HP_ASSIGN_OR_RETURN(const std::string code,
                      options.confirm_fd >= 0
                          ? ReadSecret(options.confirm_fd, sizeof(confirm.secret) - 1, "--confirm-fd")
                          : AskHidden("Its first code: ", sizeof(confirm.secret) - 1));
  HP_RETURN_IF_ERROR(SetControlText(confirm.secret, code, "the code"));
  HP_ASSIGN_OR_RETURN(const ControlAnswer done, Ask(context, confirm, kDecisionTime));
  return Tell(done);
}

absl::StatusOr<int> RemoveCode(const Context& context, const CodeOptions& options) {
  ControlRequest request{.command = ControlCommand::kRemoveCode};
  HP_ASSIGN_OR_RETURN(const ControlAnswer answer,
                      AskAs(context, options, options.as.empty() ? CallerName() : options.as, request));
  return Tell(answer);
}

struct ChallengeOptions {
  std::string ticket, as;
  bool deny = false;
  ScopeOptions scope;
};

absl::StatusOr<int> ShowChallenge(const Context& context, const ChallengeOptions& options) {
  ControlRequest request{.command = ControlCommand::kChallenge, .flags = options.deny ? kControlDeny : 0};
  if (options.deny && !options.scope.None()) {
    return absl::InvalidArgumentError("--deny closes the ticket, whatever its act is: no --once, --session or --until with it");
  }
  ScopeOptions scope = options.scope;
  if (!options.deny && scope.None()) scope.once = true;
  if (!options.deny) HP_RETURN_IF_ERROR(SetScope(scope, false, request));
  const std::string as = options.as.empty() ? CallerName() : options.as;
  HP_RETURN_IF_ERROR(SetControlText(request.ticket, absl::AsciiStrToUpper(options.ticket), "the ticket"));
  HP_RETURN_IF_ERROR(SetControlText(request.text1, as, "--as"));
  HP_ASSIGN_OR_RETURN(const ControlAnswer answer, Ask(context, request));
  if (answer.exit_code != 0) return Tell(answer);
  HP_ASSIGN_OR_RETURN(const Json shown, ObjectOf(answer));
  Print(context.json ? JsonLine(shown) : absl::StrCat(Safe(TextOf(shown, "challenge")), "\n"));
  HP_RETURN_IF_ERROR(FlushOutput());
  const std::string verb = options.deny ? "deny" : "approve", flag = options.deny ? "" : " " + ScopeFlag(request);
  fprintf(stderr, "to bring what signs it: holdpoint %s %s%s --as %s --reason \"...\" --signature FILE\n", verb.c_str(),
          Safe(request.ticket).c_str(), flag.c_str(), Safe(as).c_str());
  return 0;
}

}  // namespace

void AddPresence(CLI::App& app, Context& context) {
  CLI::App* presence = app.add_subcommand("presence", "What owners prove to be there with: password, codes, keys");
  presence->callback([&context, presence] {
    if (presence->get_subcommands().empty()) context.command = [&context] { return ListPresence(context); };
  });

  auto options = std::make_shared<CodeOptions>();
  CLI::App* enrol = presence->add_subcommand("enroll-totp", "Make a secret for an authenticator program (RFC 6238)");
  enrol->add_option("--hash", options->hash, "sha1 is what every such program knows")
      ->capture_default_str()
      ->check(CLI::IsMember({"sha1", "sha256"}));
  enrol->add_option("--digits", options->digits, "of a code")->capture_default_str()->check(CLI::Range(6, 8));
  enrol->add_option("--confirm-fd", options->confirm_fd, "read its first code from this descriptor, not the terminal")
      ->check(CLI::NonNegativeNumber);
  CLI::App* remove = presence->add_subcommand("remove-totp", "Codes of this owner count no more");
  for (CLI::App* command : {enrol, remove}) {
    command->add_option("--as", options->as, "the owner (default: who called sudo, else the caller)");
    AddProofOptions(*command, options->proof, /*with_signature=*/false);
  }
  enrol->callback([&context, options] { context.command = [&context, options] { return EnrolCode(context, *options); }; });
  remove->callback([&context, options] { context.command = [&context, options] { return RemoveCode(context, *options); }; });

  auto asked = std::make_shared<ChallengeOptions>();
  CLI::App* challenge = app.add_subcommand(
      "challenge", "What an owner's key signs elsewhere, for approve --signature: ssh-keygen -Y sign -n holdpoint");
  challenge->add_option("ticket", asked->ticket, "for example HP-4K7Q")->required();
  challenge->add_flag("--deny", asked->deny, "to close the ticket, not to let its act pass");
  AddScopeOptions(*challenge, asked->scope);
  challenge->add_option("--as", asked->as, "owner who decides (default: who called sudo, else the caller)");
  challenge->callback([&context, asked] { context.command = [&context, asked] { return ShowChallenge(context, *asked); }; });
}

}  // namespace holdpoint
