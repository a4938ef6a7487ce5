#pragma once

#include "agent/event/recorder.h"
#include "agent/kernel/kernel.h"

namespace holdpoint {

// Puts into the record what only the kernel programs counted: what they could not put into their rings, and what they let
// pass without a gate. They count since their maps were made, daemons come and go: how much has been declared is kept in
// the account beside those maps.
class KernelLosses {
 public:
  // Declares what is new since the last call of any daemon. True: events were lost.
  bool Declare(Kernel& kernel, Recorder& recorder);
  // What was counted so far is not declared: a daemon did that whose maps had no account.
  void Skip(Kernel& kernel);
};

}  // namespace holdpoint
