#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/base/clock.h"
#include "agent/gate/child.h"
#include "agent/gate/event_loop.h"
#include "agent/gate/quarantine.h"
#include "agent/judge/channel.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {

// The gate's side of the judge: starts it, asks it, and starts it again when it ends. Never waits for it, except at the
// very first Configure. Every question gets exactly one answer or one error; none is asked twice.
//
// The judge answers in order, so the first message that has no answer is the one over which it ended. That question is not
// asked again until the configuration changes (see Quarantine); one that it does not answer for long ends the judge.
//
// Thread: the event thread.
class JudgeLink {
 public:
  // Starts a reader for a request of the judge; calls back with a serialised Facts, which is passed on unread.
  using FactsDone = std::function<void(std::string serialized_facts)>;
  using FactsSource = std::function<void(const v1::FactsWanted&, FactsDone)>;
  // kUnavailable: no judge at the moment, or it ended over this; kDeadlineExceeded: the budget is used up.
  using Answer = std::function<void(absl::StatusOr<v1::FromJudge>)>;

  // `restarted` is called with a reason each time a judge has been lost and a new one is configured.
  static absl::StatusOr<std::unique_ptr<JudgeLink>> Start(EventLoop& loop, const Clock& clock, std::string program,
                                                          std::function<void(const std::string&)> restarted);
  ~JudgeLink();

  // Called with a sentence when an input is not asked again; it follows the answer to that question.
  std::function<void(const std::string&)> on_quarantined;

  // Hands over a configuration and waits (up to 20 s) for what the judge says of it. Accepted or not is in the answer;
  // an accepted one is also what a restarted judge gets.
  absl::StatusOr<v1::Configured> ConfigureAndWait(const v1::Configure& configure);

  // Hands over what is switched and promoted, and waits likewise. Not accepted: what was before stays in force.
  absl::StatusOr<v1::Configured> RolloutAndWait(const v1::Rollout& rollout);

  // A reader's time to begin and to end, on a machine that somebody keeps busy, on top of what it may take to look.
  static constexpr absl::Duration kReaderStart = absl::Seconds(1);

  // Asks. `facts` may be empty: then FactsWanted is answered with a problem. The time a reader takes, up to what the
  // judge asked for and kReaderStart, comes on top of the budget.
  void Ask(v1::ToJudge question, absl::Duration budget, FactsSource facts, Answer answer);

  bool alive() const { return channel_.has_value() && configured_; }
  uint64_t restarts() const { return restarts_; }
  pid_t pid() const { return child_.pid; }

 private:
  struct Sent {
    uint64_t id = 0;
    std::string digest;
    BootTime when;
  };
  struct Pending {
    Answer answer;
    FactsSource facts;
    EventLoop::TimerId timer = 0;
    int rounds = 0;  // of facts
    std::string digest = {};
  };

  JudgeLink(EventLoop& loop, const Clock& clock, std::string program, std::function<void(const std::string&)> restarted)
      : loop_(loop), clock_(clock), program_(std::move(program)), restarted_(std::move(restarted)) {}
  absl::Status StartProcess();
  absl::StatusOr<v1::Configured> SendAndWait(v1::ToJudge message);
  void Readable();
  void Dispatch(v1::FromJudge message);
  void WantFacts(uint64_t id, const v1::FactsWanted& wanted);
  void Finish(uint64_t id, absl::StatusOr<v1::FromJudge> result);
  void Late(uint64_t id);
  void NoteSent(uint64_t id, std::string digest);
  void NoteAnswered(uint64_t id);
  void Lost(const std::string& why);
  void StartAgain();

  EventLoop& loop_;
  const Clock& clock_;
  const std::string program_;
  const std::function<void(const std::string&)> restarted_;
  Child child_;
  std::optional<JudgeChannel> channel_;
  bool configured_ = false;
  std::optional<v1::Configure> last_good_;
  std::map<uint64_t, Pending> pending_;
  std::deque<Sent> sent_;  // not answered yet, also where nobody waits any more
  Quarantine quarantine_{256};
  uint64_t last_id_ = 0;
  uint64_t restart_configure_id_ = 0;
  uint64_t restarts_ = 0;
  std::string lost_because_;
  absl::Duration backoff_ = absl::ZeroDuration();
  BootTime configured_at_;
  std::shared_ptr<bool> live_ = std::make_shared<bool>(true);
};

}  // namespace holdpoint
