#include "agent/cli/proof.h"

#include <string.h>

#include <CLI/CLI.hpp>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "agent/base/status.h"
#include "agent/cli/files.h"
#include "agent/cli/terminal.h"
#include "agent/control/client.h"
#include "agent/presence/key_proof.h"

namespace holdpoint {
namespace {

constexpr size_t kSecretMax = sizeof(ControlRequest::secret) - 1;

}  // namespace

void AddProofOptions(CLI::App& command, ProofOptions& options, bool with_signature) {
  CLI::Option* fd = command.add_option("--password-fd", options.password_fd,
                                       "read the password, or code, from this descriptor, not the terminal");
  fd->check(CLI::NonNegativeNumber);
  CLI::Option* code = command.add_option("--code", options.code, "a code of the owner's authenticator program");
  code->excludes(fd);
  if (!with_signature) return;
  command.add_option("--signature", options.signature, "file with a signature over what `holdpoint challenge` shows")
      ->excludes(fd)
      ->excludes(code);
}

absl::Status BringProof(const ProofOptions& options, const std::string& as, ControlRequest& request) {
  if (!options.signature.empty()) {
    HP_ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(options.signature));
    const absl::StatusOr<KeyProof> proof = ReadSignatureFile(bytes);
    if (!proof.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(Safe(options.signature), ": ", proof.status().message()));
    }
    request.flags |= kControlSignature;
    return SetControlText(request.secret, RenderKeyProof(*proof), "the signature");
  }
  if (!options.code.empty()) {
    request.flags |= kControlCode;
    return SetControlText(request.secret, options.code, "--code");
  }
  HP_ASSIGN_OR_RETURN(std::string secret,
                      options.password_fd >= 0
                          ? ReadSecret(options.password_fd, kSecretMax, "--password-fd")
                          : AskHidden(absl::StrCat("Password or code of ", Safe(as), ": "), kSecretMax));
  const absl::Cleanup wipe = [&secret] { explicit_bzero(secret.data(), secret.size()); };
  return SetControlText(request.secret, secret, "the password");
}

}  // namespace holdpoint
