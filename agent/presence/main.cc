// holdpoint-presence: one question about an owner, asked by the daemon, answered by an exit status and one line.
//
//   prove --user dana --by password|code|signature --keys DIR --codes DIR [--challenge TEXT] 3<secret
//       is dana there? A password is checked with the PAM service that KEYS/service names. 0 and "pam", "totp" or "key SHA256:...", 77 no, 69 or 78 could not be asked; then why
//   resolve [--keys DIR] [--codes DIR] [-- NAME|%GROUP ...]
//       who may decide, "USER UID THROUGH METHODS" each
//   begin-code --user dana --codes DIR --hash sha1|sha256 --digits N --host NAME     the URI of a new secret
//   confirm-code --user dana --codes DIR 3<code                                      puts it into use
//   remove-code --user dana --codes DIR
//
// It is a process of its own because PAM modules and NSS plug-ins are whatever the system's configuration names:
// they may block, crash, start threads or leak, and nothing of that may happen in the gate. What is secret of an owner
// is read here and nowhere else.
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <map>
#include <string>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "agent/base/fd.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/presence/confine.h"
#include "agent/presence/prove.h"
#include "agent/presence/resolve.h"
#include "agent/presence/totp_store.h"

namespace {

using holdpoint::PresenceQuestion;

constexpr unsigned kSeconds = 30;
constexpr int kSecretFd = 3;

struct Arguments {
  std::string verb;
  std::map<std::string, std::string> options;
  std::vector<std::string> names;  // behind "--"

  std::string Of(const std::string& name) const {
    const auto found = options.find(name);
    return found == options.end() ? "" : found->second;
  }
};

absl::StatusOr<Arguments> Parse(const std::vector<std::string>& args) {
  const absl::Status usage = absl::InvalidArgumentError("usage: prove|resolve|begin-code|confirm-code|remove-code --NAME VALUE ...");
  if (args.empty()) return usage;
  Arguments parsed{.verb = args[0], .options = {}, .names = {}};
  size_t at = 1;
  for (; at < args.size() && args[at] != "--"; at += 2) {
    static const char* const kKnown[] = {"--user", "--by", "--keys", "--codes", "--hash", "--host", "--digits", "--challenge"};
    bool known = false;
    for (const char* name : kKnown) known = known || args[at] == name;
    if (!known || at + 1 == args.size()) return usage;
    parsed.options[args[at]] = args[at + 1];
  }
  if (at < args.size()) parsed.names.assign(args.begin() + static_cast<std::ptrdiff_t>(at) + 1, args.end());
  return parsed;
}

absl::StatusOr<std::string> Prove(const Arguments& args) {
  PresenceQuestion question;
  const std::string by = args.Of("--by");
  if (by != "password" && by != "code" && by != "signature") {
    return absl::InvalidArgumentError("--by: want password, code or signature");
  }
  question.by = by == "code"        ? PresenceQuestion::By::kCode
                : by == "signature" ? PresenceQuestion::By::kSignature
                                    : PresenceQuestion::By::kPasswordOrCode;
  question.user = args.Of("--user");
  question.challenge = args.Of("--challenge");
  question.folders = {.keys = args.Of("--keys"), .codes = args.Of("--codes")};
  holdpoint::Secret secret;
  HP_RETURN_IF_ERROR(secret.ReadFrom(kSecretFd));
  return holdpoint::ProvePresence(question, secret, absl::Now());
}

absl::StatusOr<std::string> BeginCode(const Arguments& args) {
  holdpoint::TotpKey key;
  const std::string hash = args.Of("--hash");
  if (hash != "sha1" && hash != "sha256") return absl::InvalidArgumentError("--hash: want sha1 or sha256");
  if (hash == "sha256") key.hash = holdpoint::TotpKey::Hash::kSha256;
  if (!absl::SimpleAtoi(args.Of("--digits"), &key.digits) || key.digits < 6 || key.digits > 8) {
    return absl::InvalidArgumentError("--digits: want 6 to 8");
  }
  return holdpoint::TotpStore(args.Of("--codes")).Begin(args.Of("--user"), key, args.Of("--host"));
}

absl::StatusOr<std::string> Answer(const Arguments& args) {
  if (args.verb == "prove") return Prove(args);
  if (args.verb == "resolve") {
    HP_ASSIGN_OR_RETURN(const std::vector<holdpoint::EligibleOwner> owners,
                        holdpoint::ResolveOwners(args.names, {.keys = args.Of("--keys"), .codes = args.Of("--codes")}));
    return holdpoint::FormatEligibleOwners(owners);
  }
  if (args.verb == "begin-code") return BeginCode(args);
  const holdpoint::TotpStore codes(args.Of("--codes"));
  if (args.verb == "confirm-code") {
    holdpoint::Secret code;
    HP_RETURN_IF_ERROR(code.ReadFrom(kSecretFd));
    HP_RETURN_IF_ERROR(codes.Confirm(args.Of("--user"), code.view(), absl::Now()));
    return "";
  }
  if (args.verb == "remove-code") {
    HP_RETURN_IF_ERROR(codes.Remove(args.Of("--user")));
    return "";
  }
  return absl::InvalidArgumentError(absl::StrCat(args.verb, ": want prove, resolve, begin-code, confirm-code or remove-code"));
}

// Gives standard output to /dev/null and what it was to us alone: a PAM module that prints says nothing to the gate.
absl::StatusOr<holdpoint::UniqueFd> TakeOutput() {
  holdpoint::UniqueFd output(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, kSecretFd + 1));
  const holdpoint::UniqueFd null(open("/dev/null", O_WRONLY | O_CLOEXEC));
  if (!output.ok() || !null.ok() || dup2(null.get(), STDOUT_FILENO) < 0) return holdpoint::ErrnoStatus("standard output");
  return output;
}

absl::Status Say(int fd, absl::string_view line) {
  while (!line.empty()) {
    const ssize_t written = write(fd, line.data(), line.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return absl::UnavailableError("standard output could not be written");
    line.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status Run(const std::vector<std::string>& words) {
  HP_RETURN_IF_ERROR(holdpoint::ConfineThisProcess(kSeconds));
  HP_ASSIGN_OR_RETURN(const holdpoint::UniqueFd output, TakeOutput());
  HP_ASSIGN_OR_RETURN(const Arguments args, Parse(words));
  absl::StatusOr<std::string> answer = Answer(args);
  // A refusal goes to the daemon, which shows it to whoever asked.
  std::string line = answer.ok() ? *answer : std::string(answer.status().message());
  const absl::Cleanup wipe = [&line] { explicit_bzero(line.data(), line.size()); };
  if (answer.ok()) explicit_bzero(answer->data(), answer->size());
  HP_RETURN_IF_ERROR(Say(output.get(), line));
  return answer.status();
}

}  // namespace

int main(int argc, char** argv) {
  holdpoint::SetLogName("holdpoint-presence");
  const absl::Status status = Run({argv + 1, argv + argc});
  if (!status.ok()) holdpoint::LogWarning(std::string(status.message()));
  return holdpoint::ExitCode(status);
}
