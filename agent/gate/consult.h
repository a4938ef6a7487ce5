#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "agent/base/clock.h"
#include "agent/gate/drift.h"
#include "agent/gate/event_loop.h"
#include "agent/gate/judge_link.h"
#include "agent/gate/tickets.h"
#include "agent/kernel/decode.h"
#include "agent/response/refusal_text.h"
#include "agent/response/response.h"
#include "holdpoint/v1/event.pb.h"

namespace holdpoint {

constexpr size_t kMaxArgvBytes = 3 << 20;  // The kernel allows a little over 2 MiB with the usual stack limit.
inline constexpr char kStopRung[] = "exec: stopped at sched_process_exec";
inline constexpr char kHoldRung[] = "exec: stopped, then traced";

// One act that the kernel asked about, from the stopped task to its end.
struct Consult {
  ExecEvent event;
  StoppedTask task;
  v1::Process process;
  uint32_t generation = 0;  // of the policy that it is judged by
  std::string argv;  // as it was when it was judged
  v1::Judgement judgement;
  v1::Footprint footprint;
  Surroundings seen;  // when it was held
  std::string ticket;
  EventLoop::TimerId timer = 0;
  bool stopped = true;   // false: it runs or is dead already, this is only for the record
  bool owed = false;     // it ran, and is in the account of those that are not in the record
  bool owned = false;
  bool decided = false;  // its way out has been chosen
  BootTime held_since;
};
using ConsultPtr = std::shared_ptr<Consult>;

// Why an act ends now, as its text says it.
struct WayOut {
  RefusalText::Kind kind = RefusalText::Kind::kRefused;
  std::string by = {};    // who decided
  std::string also = {};  // behind the judgement's reason
};

// The ways out of a consult, for a desk that decides over it. Event thread only.
class Consults {
 public:
  virtual ~Consults() = default;

  // Null where that act has ended.
  virtual ConsultPtr Find(uint64_t exec_id) = 0;
  // Judges it once more as it is now. `answered` never where it is gone: its end is told elsewhere.
  virtual void AskAgain(const ConsultPtr& consult, JudgeLink::Answer answered) = 0;
  virtual void Pass(const ConsultPtr& consult) = 0;
  virtual void Refuse(const ConsultPtr& consult, Ticket* ticket, const WayOut& way) = 0;
  // It has ended: recorded and forgotten.
  virtual void Ended(const ConsultPtr& consult, const ResponseResult& result, const std::string& ticket) = 0;
  // It goes on, and that is recorded.
  virtual void Forget(const ConsultPtr& consult) = 0;
};

}  // namespace holdpoint
