#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "agent/gate/core.h"
#include "agent/kernel/decode.h"

namespace holdpoint {

// What is done to Holdpoint itself: told by the kernel programs, or seen when the gate looks at its own things. Each is an
// event "daemon", state "tamper", with the session where one is known.
class TamperDesk {
 public:
  explicit TamperDesk(Core core);

  void OnTamper(const TamperEvent& event);

  void OnLeft(const LeftEvent& event);

  // A signal that asks for something: true where a process of a session sent it. It is recorded, and not obeyed. The
  // kernel's urgent events have been taken before: the sender may have ended, and what was told of it is what counts.
  bool IsFromSession(pid_t sender, int signal);

  // Looks once: pins that are gone (they are put back), somebody who traces the gate, policy files that are not what was
  // loaded. `ours` are Holdpoint's own processes.
  void Look(const std::vector<pid_t>& ours);

  // The policy files are as they are on the disk from here on.
  void PolicyLoaded();

 private:
  void Write(SessionNumber session, const std::string& detail);

  struct Told {
    SessionNumber session = 0;
    pid_t sender = 0;
    BootTime at;
  };

  Core core_;
  std::map<int, Told> told_;  // signals to the gate that it has not read yet
  std::vector<pid_t> ours_;
  pid_t tracer_ = 0;
  std::string policy_stamp_;
};

}  // namespace holdpoint
