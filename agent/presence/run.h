#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/fd.h"
#include "agent/presence/owners.h"

namespace holdpoint {

// One run of holdpoint-presence beside the caller, for an event loop: wait until fd() is readable (at most 30
// seconds: the helper ends itself), then ask for the answer. Destroying it ends a helper that still runs.
//
// The child must not be reaped by anybody else: no waitpid(-1), no ignored SIGCHLD; a status that is lost counts as
// kUnavailable. Thread: one at a time; the helper dies with the thread that started it.
class PresenceRun {
 public:
  // `helper` is the path of holdpoint-presence. `password` is written to a pipe and wiped.
  static absl::StatusOr<std::unique_ptr<PresenceRun>> Prove(const std::string& helper, const std::string& service,
                                                            const std::string& user, std::string password);
  static absl::StatusOr<std::unique_ptr<PresenceRun>> Resolve(const std::string& helper,
                                                              const std::vector<std::string>& names);
  ~PresenceRun();
  PresenceRun(const PresenceRun&) = delete;
  PresenceRun& operator=(const PresenceRun&) = delete;

  int fd() const { return pidfd_.get(); }  // a pidfd

  // Of Prove(). OK only for a proof; kPermissionDenied for a no; kUnavailable where PAM could not be asked or the
  // helper did not end well; kFailedPrecondition while it still runs.
  absl::Status Proved();

  // Of Resolve(). The same errors.
  absl::StatusOr<std::vector<EligibleOwner>> Owners();

 private:
  PresenceRun(pid_t pid, UniqueFd pidfd, UniqueFd output)
      : pid_(pid), pidfd_(std::move(pidfd)), output_(std::move(output)) {}
  static absl::StatusOr<std::unique_ptr<PresenceRun>> Start(const std::string& helper, std::vector<std::string> args,
                                                            const std::string* password);
  absl::Status Ended();

  pid_t pid_;
  UniqueFd pidfd_;
  UniqueFd output_;
  bool reaped_ = false;
  absl::Status result_;
};

}  // namespace holdpoint
