#pragma once

#include <string>

#include "absl/status/status.h"
#include "agent/control/wire.h"

namespace CLI {
class App;
}

namespace holdpoint {

// How the person at the terminal proves to be an owner.
struct ProofOptions {
  int password_fd = -1;
  std::string code = {};
  std::string signature = {};  // a file

  // Whether anything has to be asked for.
  bool Asks() const { return password_fd < 0 && code.empty() && signature.empty(); }
};

// Adds --password-fd and --code, and --signature where a signature can be a proof.
void AddProofOptions(CLI::App& command, ProofOptions& options, bool with_signature);

// Fills in the request's secret and the flags that say what it is. Asks on the terminal where no option brings one. The
// caller wipes the request.
absl::Status BringProof(const ProofOptions& options, const std::string& as, ControlRequest& request);

}  // namespace holdpoint
