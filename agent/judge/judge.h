#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "agent/judge/known_files.h"
#include "agent/judge/loaded_policy.h"
#include "agent/policy/policy.h"
#include "agent/policy/triage.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {

// Answers the gate's messages: values in, values out. No file, no clock, no thread of its own; what it remembers is the
// loaded policy, the identity of executables it has seen, and the consults that wait for facts.
//
// Every consult gets exactly one verdict, whatever happens inside: an error becomes the fail mode of the session's
// environment with a blind spot that says so. A consult that waits for facts stands in nobody's way; past kMaxWaiting
// the oldest one is answered with the fail mode.
class Judge {
 public:
  static constexpr size_t kMaxWaiting = 1024;
  static constexpr int kMaxRounds = 4;  // of asking for facts for one consult

  Judge();
  ~Judge();

  std::vector<v1::FromJudge> Handle(const v1::ToJudge& message);

 private:
  struct Waiting {
    v1::ToJudge message;
    v1::Facts facts;
    v1::FactsWanted asked;  // in all rounds: nothing is asked twice
    int rounds = 0;
  };
  struct Identity {
    bool settled = false;  // its content is known to be, or not to be, one of the listed tools
    std::vector<std::string> names;
    std::string sha256;
  };

  void Dispatch(const v1::ToJudge& message, std::vector<v1::FromJudge>* answers);
  v1::Configured HandleConfigure(const v1::Configure& configure);
  v1::Configured HandleRollout(const v1::Rollout* rollout);
  // Everything of the automata; with `rows` the table itself, which only a new configuration changes.
  void AddTriage(bool rows, v1::Configured* configured) const;
  // Answers, or asks for facts and lets the consult wait.
  // `waiting.message` is filled where it has to wait; until then the message is only looked at.
  void Consult(const v1::ToJudge& message, Waiting waiting, std::vector<v1::FromJudge>* answers);
  v1::ExecVerdict JudgeExec(const v1::ConsultExec& consult, const v1::Facts& facts, v1::FactsWanted* wanted);
  v1::SessionVerdict JudgeSession(const v1::ConsultSession& consult, const v1::Facts& facts, int rounds,
                                  v1::FactsWanted* wanted) const;
  v1::Described Describe(const v1::Describe& describe) const;

  // Which listed tool the executable is. Asks for what it needs in `wanted`.
  // Null where this program hands no work to a server.
  const ServerKind* ServerOf(const ExecAct& act, const std::vector<std::string>& known_as) const;
  Identity Identify(const v1::ConsultExec& consult, const v1::Facts& facts, v1::FactsWanted* wanted);
  v1::FromJudge FailMode(const v1::ToJudge& message, absl::string_view why) const;
  // What of `wanted` was not asked before; adds it to `asked`.
  static v1::FactsWanted OnlyNew(const v1::FactsWanted& wanted, v1::FactsWanted* asked);

  std::shared_ptr<const LoadedPolicy> base_;    // as the files say
  std::shared_ptr<const LoadedPolicy> policy_;  // with what is switched and promoted
  std::shared_ptr<const Triage> triage_;        // of base_
  KnownFiles known_files_;
  std::map<FileId, Identity> identities_;  // of executables that are no known file; bounded
  std::map<uint64_t, Waiting> waiting_;    // by consult id, which only grows: the first is the oldest
};

}  // namespace holdpoint
