#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "agent/base/fd.h"
#include "agent/gate/core.h"
#include "agent/gate/running_program.h"
#include "agent/gate/session_killer.h"
#include "agent/kernel/decode.h"

namespace holdpoint {

struct KeptFile;

// Sessions from the first exec of a coding agent to the end of its last process.
class SessionDesk {
 public:
  explicit SessionDesk(Core core) : core_(core), killer_(core) {}

  // Called when a session has left kCandidate: what waited for it may go on.
  std::function<void(SessionNumber)> on_known;
  // Called with a live process of a candidate that was no coding agent, where it started another program in the moment
  // in which the label was taken back: nobody has looked at that.
  std::function<void(const ProcessId&)> on_unseen;

  // Whether what the session did is still being described for the record: until then it has not ended. May be null.
  std::function<bool(SessionNumber)> is_described;

  // The kernel labelled a process that looks like a coding agent; the judge says whether it is one. One inside a
  // session (`holdpoint run -- claude`) makes no session of its own: it gives the enclosing one its name.
  void OnCandidate(const ExecEvent& event);
  void OnExit(const ExitEvent& event);

  // `holdpoint run`: makes the peer the root of a new session. `done` gets a sentence for people, or the error.
  struct Launch {
    ProcessId process;
    std::shared_ptr<UniqueFd> pidfd;
    uint32_t uid = 0;
    uint32_t gid = 0;
    std::string environment;
    std::string owner;
    std::string coding_agent;
  };
  void Run(Launch launch, std::function<void(absl::StatusOr<std::string>)> done);

  // Makes a running process, and what it has started already, a session. Where something below it has one by now, that
  // one is made to begin here: one run of one coding agent is one session, whichever of its processes was known first.
  absl::StatusOr<SessionNumber> Start(const SessionRoot& root, const v1::SessionVerdict& verdict) {
    return Start(root, verdict, 0);
  }

  // Candidates and sessions.
  std::set<SessionNumber> Live(SessionNumber except = 0) const;

  // An act of the session was judged. Once enough of them were to have the ids of its tools, the kernel may pass some by
  // itself.
  void LetTriage(Session& session);
  // The tools of a session showed the coding agent's own ids.
  void OnJoinKeys(Session& session, const google::protobuf::Map<std::string, std::string>& keys);

  // What the judge said of a program, for the next time that it starts outside every session.
  void Learn(const FileId& file, uint64_t script, const v1::SessionVerdict& verdict);

  // Ends every process of a session: nothing of it may fork or exec from now on, and what lives is killed until the
  // kernel knows no labelled process any more. `done` (may be null) gets the number killed.
  void Kill(SessionNumber number, const std::string& why, std::function<void(absl::StatusOr<int>)> done);

  // After a restart: the sessions that the kernel still labels, and those that ended without a gate. What was held by the
  // earlier daemon is ended.
  absl::Status TakeOver();

  // See CarriedSession.
  SessionNumber Carried(const ExecEvent& event) const { return CarriedSession(core_, event); }

  // A session that a label names but nobody knows (its candidate event was lost): made with what is known.
  Session* Adopt(SessionNumber number);

  // After a reload: flags and environment numbers of every session follow the new policy.
  void Reprogram();

  // Events were lost: what they would have said of processes is asked of the kernel at the next Tick().
  void EventsLost() { reconciled_ = BootTime{}; }

  // The rollups of whole minutes, and sessions that have ended. Called by a timer.
  void Tick();

 private:
  using Seen = std::set<uint64_t>;  // exec ids

  // `leaving` is a candidate that is about to be dissolved: what carries its label may be taken over.
  absl::StatusOr<SessionNumber> Start(const SessionRoot& root, const v1::SessionVerdict& verdict, SessionNumber leaving);
  Session SessionOf(SessionNumber number, const KeptFile& kept) const;
  bool EndedBefore(SessionNumber number);
  Session* SessionBelow(const ProcessId& root, SessionNumber leaving);
  absl::StatusOr<SessionNumber> Join(Session& session, const SessionRoot& root, const v1::SessionVerdict& verdict);
  void NameRoot(SessionNumber number, const SessionRoot& root);  // of a session that was launched
  void AskAbout(v1::ConsultSession question, const StoppedTask& task, const FileId& file, JudgeLink::Answer answer);
  void Confirm(SessionNumber number, const v1::SessionVerdict& verdict, v1::Process process);
  void Reconsider(SessionNumber number, Seen seen);
  void Reconsidered(SessionNumber number, const RunningProgram& running, const v1::SessionVerdict& verdict);
  void Dissolve(SessionNumber number, const Seen& seen);
  void Merge(SessionNumber number, const v1::SessionVerdict& nested, bool outer);
  void WriteUpdated(const Session& session, const std::string& because);
  void Enrich(const ExecEvent& event);
  void EndDescribed();
  void End(SessionNumber number, const std::string& reason);
  void WriteStarted(const Session& session, const v1::Process& process, const v1::SessionVerdict& verdict);
  void Program(const Session& session, uint32_t extra_flags);
  void Guards();

  Core core_;
  std::map<SessionNumber, std::vector<ExecEvent>> nested_;  // in candidates, until those are known
  std::set<SessionNumber> ending_;  // nothing of them lives
  SessionKiller killer_;
  bool guards_on_ = false;
  BootTime reconciled_;
  BootTime reconcile_not_before_;
};

}  // namespace holdpoint
