#pragma once

#include <deque>
#include <cstdint>
#include <memory>
#include <set>
#include <utility>

#include "agent/gate/core.h"
#include "agent/gate/session_desk.h"
#include "agent/kernel/decode.h"

namespace holdpoint {

// Programs outside every session that nobody has looked at: the judge says whether one is a coding agent under another
// name. It runs on meanwhile; where it is one, it and what it has started become a session. What was said is remembered
// in the kernel, so that a program costs one look-up from then on.
class ProgramDesk {
 public:
  ProgramDesk(Core core, SessionDesk& sessions) : core_(core), sessions_(sessions) {}

  void OnProgram(const ExecEvent& event);
  // The same of a process that is known by its id alone.
  void Look(const ProcessId& process);
  // The same of all that run already, the oldest first, each at its own turn: a coding agent among them becomes a session
  // with what it has started. They run on meanwhile, and programs that start now come first.
  void LookForRunning();

 private:
  struct Asked {
    FileId file;
    uint64_t script = 0;
    SessionRoot root;
  };
  void Ask(Asked asked, v1::ConsultSession question);
  // One after the other, as they came: what the first one started is in its session when its own turn comes.
  void Next();
  bool IsInSession(const Asked& asked);
  void Answered(const Asked& asked, const v1::SessionVerdict& verdict);
  bool NextRunning();  // puts one of running_ into waiting_; false where none is left

  Core core_;
  SessionDesk& sessions_;
  std::deque<std::pair<Asked, v1::ToJudge>> waiting_;
  bool asking_ = false;
  std::deque<ProcessId> running_;
  std::set<FileId> others_;  // files seen meanwhile that are no coding agent whatever they are given
  int looked_at_ = 0, found_ = 0, unanswered_ = 0;
};

}  // namespace holdpoint
