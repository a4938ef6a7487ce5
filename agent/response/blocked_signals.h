#pragma once

#include <signal.h>

namespace holdpoint {

// Blocks every signal in this thread for its lifetime: a thread started meanwhile is born with all of them blocked and
// never runs a handler, nor takes a signal that another thread waits for.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_;
};

}  // namespace holdpoint
