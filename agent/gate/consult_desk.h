#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/base/latency.h"
#include "agent/gate/consult.h"
#include "agent/gate/core.h"
#include "agent/gate/hold_desk.h"
#include "agent/gate/package_runs.h"
#include "agent/kernel/decode.h"
#include "agent/response/proc.h"

namespace holdpoint {

// Acts that the kernel asks about: from the stopped task to what became of it. Every ask ends in exactly one of
// released, refused, killed, gone; whatever goes wrong on the way ends in the fail mode of its environment.
class ConsultDesk : private Consults {
 public:
  // `kill_session` ends a whole session; the session desk does it.
  ConsultDesk(Core core, std::function<void(SessionNumber, const std::string& why)> kill_session);

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

  // Tickets and holds of the acts that are stopped here, and of refused connects.
  HoldDesk& holds() { return holds_; }

  // Called with what the judge found on the way: the coding agent's own ids in a tool's environment; a program that
  // hands work to a server.
  std::function<void(Session&, const v1::ExecVerdict&)> on_join_keys;
  std::function<void(Session&)> on_judged;
  std::function<void(const Session&, const v1::Process&, const std::string& kind)> on_server;

  // Refuses everything that is stopped: the daemon ends. `done` when the last one has ended and what the judge was asked to
  // describe is recorded. What passes from here on is counted.
  void RefuseAll(const std::string& why, std::function<void()> done);

  size_t in_flight() const { return consults_.size(); }

  // Whether something that the session did, and that needs no verdict, is still to be recorded: the judge describes it.
  bool Describes(SessionNumber session) const;

  // Of acts that were stopped and asked about: from the kernel's event to the judge's answer, and to the continued task.
  const Latency& to_verdict() const { return to_verdict_; }
  const Latency& to_continue() const { return to_continue_; }

 private:
  ConsultPtr Find(uint64_t exec_id) override;
  void AskAgain(const ConsultPtr& consult, JudgeLink::Answer answered) override;
  void Pass(const ConsultPtr& consult) override;
  void Refuse(const ConsultPtr& consult, Ticket* ticket, const WayOut& way) override;
  void Ended(const ConsultPtr& consult, const ResponseResult& result, const std::string& ticket) override;
  void Forget(const ConsultPtr& consult) override;

  void Begin(ExecEvent event);
  void Gone(const ExecEvent& event);
  void Ask(const ConsultPtr& consult, const Session& session, OpenedProcess* opened, absl::Duration budget,
           JudgeLink::Answer answered);
  void Answered(const ConsultPtr& consult, absl::StatusOr<v1::FromJudge> answer);
  void Decide(const ConsultPtr& consult, v1::ExecVerdict verdict);
  void BelowPackageRun(Consult* consult) const;  // is recorded, not stopped
  void Trace(const ConsultPtr& consult, v1::ExecVerdict verdict);  // adds what it comes from, then decides
  bool Enforces(const Session& session) const;  // at this moment
  void FailMode(const ConsultPtr& consult, const std::string& why);
  void Kill(const ConsultPtr& consult, bool whole_session);
  void WaitRanOut(const ConsultPtr& consult, bool killed);
  void Record(const ConsultPtr& consult, const Session& session, absl::Duration took);
  void CountOnly(const ConsultPtr& consult, SessionNumber session);
  void PassUnknown(const ConsultPtr& consult);
  void CountPassed(const ExecEvent& event);
  void DescribePassed();
  void MaybeAllEnded();
  void Learn(const ExecEvent& event, const v1::ExecVerdict& verdict, uint32_t generation);
  std::string Text(const Session& session, const v1::Judgement& judgement, const Ticket* ticket,
                   const WayOut& way) const;

  Core core_;
  HoldDesk holds_;
  std::function<void(SessionNumber, const std::string&)> kill_session_;
  std::map<uint64_t, ConsultPtr> consults_;  // by exec id, from ask to end
  std::map<SessionNumber, std::vector<ExecEvent>> waiting_;
  std::function<void()> all_ended_;
  bool refuses_all_ = false;
  using Described = std::shared_ptr<const std::vector<ExecEvent>>;
  std::vector<ExecEvent> undescribed_;  // passed in the kernel, to be recorded in full
  std::set<Described> describing_;      // such that the judge has, by question
  PackageRuns package_runs_;
  Latency to_verdict_, to_continue_;
};

}  // namespace holdpoint
