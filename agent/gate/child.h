#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/base/fd.h"
#include "agent/gate/event_loop.h"

namespace holdpoint {

// A program of our own that the gate started: the judge, the stream, a reader, a presence check.
struct Child {
  pid_t pid = -1;
  UniqueFd pidfd;  // readable once it has ended
};

struct ChildSpec {
  std::string path;               // absolute
  std::vector<std::string> args;  // without the program's name
  struct Inherit {
    int fd;     // of ours
    int as;  // its number in the child; 1 replaces /dev/null
  };
  std::vector<Inherit> inherit;
};

// Starts it with an empty environment (PATH only), standard input and output on /dev/null, our standard error, in a
// process group of its own, no signal blocked or ignored.
absl::StatusOr<Child> StartChild(const ChildSpec& spec);

// Reaps a child that has ended: its wait status. Does not block: kUnavailable while it lives.
absl::StatusOr<int> ReapChild(const Child& child);

// Starts a short-lived program, gives it `input` on descriptor `input_as` (an anonymous file at its start), collects
// what it writes to descriptor `output_as` (at most `max_output` bytes) and calls `done` on the loop when it has
// ended. Past the budget it is killed and `done` gets kDeadlineExceeded at once; it is reaped when it has ended, which
// takes as long as the file system answers that it waits for.
struct HelperRequest {
  ChildSpec spec;
  std::string input;
  int input_as = 4;
  int output_as = 3;
  size_t max_output = 64 * 1024;
  absl::Duration budget;
  bool what_there_is = false;  // past the budget: no error, but what it wrote until then, and `late`
  std::shared_ptr<int> stuck;  // where given: how many were killed and have not ended yet
};
struct HelperResult {
  int wait_status = 0;
  std::string output;
  bool late = false;
};
using HelperDone = std::function<void(absl::StatusOr<HelperResult>)>;
void RunHelper(EventLoop& loop, const Clock& clock, HelperRequest request, HelperDone done);

}  // namespace holdpoint
