#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/base/latency.h"
#include "agent/gate/core.h"
#include "agent/kernel/decode.h"
#include "agent/response/proc.h"
#include "agent/response/refusal_text.h"

namespace holdpoint {

// Acts that the kernel asks about: from the stopped task to what became of it. Every ask ends in exactly one of
// released, refused, killed, gone; whatever goes wrong on the way ends in the fail mode of its environment.
class ConsultDesk {
 public:
  // `kill_session` ends a whole session; the session desk does it.
  ConsultDesk(Core core, std::function<void(SessionNumber, const std::string& why)> kill_session);
  ~ConsultDesk();

  // Events of the kernel.
  void OnAsk(ExecEvent event);            // stopped, waits
  void OnKilled(const ExecEvent& event);  // the kernel killed it at exec
  void OnObserved(ExecEvent event);       // it ran; would have been asked
  void OnPassed(const ExecEvent& event);  // it ran; harmless
  void OnToldToEnd(const SignalEvent& event);  // or a guard acted
  void OnEndedBefore(const ExitEvent& event);  // while no gate or another one was there
  void OnExit(const ExitEvent& event);         // a labelled process has ended, whoever ended it

  // The session desk has an answer: acts of the session that waited for it go on.
  void OnSessionKnown(SessionNumber number);

  // An owner has decided. OK: `ticket` is changed and what it held goes its way.
  absl::Status Approve(Ticket& ticket, const std::string& by, const std::string& reason);
  absl::Status Deny(Ticket& ticket, const std::string& by, const std::string& reason);

  // Called with the ticket whenever one leaves kHeld or kOpen.
  std::function<void(const Ticket&)> on_decided;

  // Called with what the judge found on the way: the coding agent's own ids in a tool's environment; a program that
  // hands work to a server.
  std::function<void(Session&, const v1::ExecVerdict&)> on_join_keys;
  std::function<void(const Session&, const v1::Process&, const std::string& kind)> on_server;

  // A new ticket for a refused act of this session; null (and a line in the log) where there is no room for one.
  Ticket* OpenTicket(const Session& session, const v1::Judgement& judgement);

  // Refuses everything that is stopped: the daemon ends. `done` when the last one has ended.
  void RefuseAll(const std::string& why, std::function<void()> done);

  size_t in_flight() const { return consults_.size(); }

  // Of acts that were stopped and asked about: from the kernel's event to the judge's answer, and to the continued task.
  const Latency& to_verdict() const { return to_verdict_; }
  const Latency& to_continue() const { return to_continue_; }

 private:
  struct Consult;
  // Why an act ends now, as its text says it.
  struct WayOut {
    RefusalText::Kind kind = RefusalText::Kind::kRefused;
    std::string by;    // who decided
    std::string also;  // behind the judgement's reason
  };
  using ConsultPtr = std::shared_ptr<Consult>;

  void Begin(ExecEvent event);
  void Ask(const ConsultPtr& consult, const Session& session, OpenedProcess* opened, absl::Duration budget,
           JudgeLink::Answer answered);
  void Answered(const ConsultPtr& consult, absl::StatusOr<v1::FromJudge> answer);
  void Decide(const ConsultPtr& consult, v1::ExecVerdict verdict);
  void Trace(const ConsultPtr& consult, v1::ExecVerdict verdict);  // adds what it comes from, then decides
  void FailMode(const ConsultPtr& consult, const std::string& why);
  void Pass(const ConsultPtr& consult);
  void Hold(const ConsultPtr& consult, Ticket& ticket);
  void HoldRanOut(uint64_t exec_id);
  void LookAgain(const ConsultPtr& consult, const Ticket& ticket);  // what is approved is what is there now
  void ReleaseHeld(const ConsultPtr& consult, Ticket& ticket);
  void Refuse(const ConsultPtr& consult, Ticket* ticket, const WayOut& way);
  void Kill(const ConsultPtr& consult, bool whole_session);
  void Ended(const ConsultPtr& consult, const ResponseResult& result, const std::string& ticket);
  void WaitRanOut(const ConsultPtr& consult, bool killed);
  bool MayHold(const Consult& consult, const Session& session, const v1::Environment* owners) const;
  void DescribePassed();
  void Learn(const ExecEvent& event, v1::ExecutableClass value);
  std::string Text(const Session& session, const v1::Judgement& judgement, const Ticket* ticket,
                   const WayOut& way) const;

  Core core_;
  std::function<void(SessionNumber, const std::string&)> kill_session_;
  std::map<uint64_t, ConsultPtr> consults_;  // by exec id, from ask to end
  std::map<SessionNumber, std::vector<ExecEvent>> waiting_;
  std::function<void()> all_ended_;
  std::vector<ExecEvent> undescribed_;  // passed in the kernel, to be recorded in full
  Latency to_verdict_, to_continue_;
};

}  // namespace holdpoint
