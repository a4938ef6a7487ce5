#pragma once

#include <cstdint>
#include <string>

#include "holdpoint/v1/judge.pb.h"

namespace holdpoint::reader {

// The reader's one answer, and the promise that it comes: from the moment of construction a timer runs, and when it
// fires, what the last Checkpoint() saw is written with a `problem` that says so, and the process ends. Code between
// two checkpoints may hang in any system call that a signal interrupts.
//
// One per process (it owns SIGALRM), no threads. `fd` is a pipe or a SOCK_SEQPACKET socket: one message, at most
// kMaxAnswer bytes (a socket may take less); a larger answer is replaced by one that only says so.
class Answer {
 public:
  static constexpr size_t kMaxAnswer = 384 * 1024;

  Answer(int fd, uint32_t budget_ms);
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;

  // Starts the timer again from now.
  void SetBudget(uint32_t budget_ms);

  v1::Facts& facts() { return facts_; }
  // What is in facts() now is what a timeout writes.
  void Checkpoint();
  // Adds to Facts.problem.
  void AddProblem(const std::string& problem);

  // Writes facts() and ends the process with 0, or with 1 where nobody takes the answer.
  [[noreturn]] void Finish();

 private:
  v1::Facts facts_;
  uint32_t budget_ms_ = 0;
};

}  // namespace holdpoint::reader
