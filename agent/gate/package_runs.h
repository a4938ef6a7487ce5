#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "agent/base/ids.h"

namespace holdpoint {

// The package managers at work in sessions, as the judge named them: what runs below one is recorded and not stopped. A
// run counts while that very process runs that very program; who has left its tree (a daemon) is not below it.
//
// Bounded: past kMax runs a new one covers nothing. One thread.
class PackageRuns {
 public:
  static constexpr size_t kMax = 256;
  static constexpr int kMaxDepth = 32;
  using ParentOfProcess = std::function<absl::StatusOr<ProcessId>(const ProcessId&)>;

  // `same` compares identities of which one may be known to 10 ms only (SameProcess), `parent_of` gives the parent as it
  // is now.
  PackageRuns(ParentOfProcess parent_of, std::function<bool(const ProcessId&, const ProcessId&)> same)
      : parent_of_(std::move(parent_of)), same_(std::move(same)) {}

  void Began(const ProcessId& process, uint64_t exec_id, SessionNumber session, std::string name);
  // The process runs another program from now on, or none: whatever it was, it is over.
  void Execed(const ProcessId& process, uint64_t exec_id);
  void Ended(const ProcessId& process);

  // The run that `parent` is or is below, within the same session; empty for none.
  std::string Above(ProcessId parent, SessionNumber session) const;

 private:
  struct Run {
    ProcessId process;
    uint64_t exec_id = 0;
    SessionNumber session = 0;
    std::string name;
  };
  ParentOfProcess parent_of_;
  std::function<bool(const ProcessId&, const ProcessId&)> same_;
  std::map<pid_t, Run> runs_;  // by tgid
};

}  // namespace holdpoint
