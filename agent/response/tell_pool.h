#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "agent/base/fd.h"
#include "agent/base/ids.h"

namespace holdpoint {

// A few threads that write texts to the stderr of stopped tasks. A thread can be lost for as long as a file system or
// terminal of a session does not answer; so there are several, they are made when needed, and when all of them are
// stuck further texts are given up at once instead of waiting.
class TellPool {
 public:
  struct Told {
    bool whole = false;  // every byte was written
    std::string detail;  // why not, or why not on its own stderr; empty otherwise
  };
  // Runs on a thread of the pool, or on the caller's where none is free. Must not block.
  using Done = std::function<void(Told)>;

  explicit TellPool(size_t threads = 8);
  // Stuck threads are left behind; they hold nothing but their descriptors and never call back after this.
  ~TellPool();
  TellPool(const TellPool&) = delete;
  TellPool& operator=(const TellPool&) = delete;

  // Finds the stderr of the task (FindStderr) and writes `text` there, all within `patience` from now. Returns at once;
  // the caller's thread does not touch a descriptor of the session, whose mere closing could block.
  void Tell(std::shared_ptr<UniqueFd> pidfd, const ProcessId& id, std::string text, absl::Duration patience, Done done);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace holdpoint
