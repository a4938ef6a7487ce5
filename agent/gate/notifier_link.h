#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "agent/base/clock.h"
#include "agent/gate/child.h"
#include "agent/gate/event_loop.h"
#include "agent/notify/notice.h"

namespace holdpoint {

// The gate's side of holdpoint-notify: starts it, hands it notices, starts it again when it has ended or says nothing
// any more. Nothing here waits. What it was given and has not finished with is given to the next one, once more.
// Thread: the event thread.
class NotifierLink {
 public:
  static constexpr size_t kMaxWaiting = 64;  // not finished with; past it notices are lost, and counted

  struct Totals {
    uint64_t told = 0;  // finished with
    uint64_t terminals = 0, terminals_failed = 0, terminals_spared = 0;
    uint64_t delivered = 0, given_up = 0, dropped = 0;  // by the webhook
    uint64_t lost = 0;                                  // never finished with
    uint64_t restarts = 0;
    std::string problem;  // the last one
  };
  // Called for notices that did not reach somebody: a reason of ours and how many.
  using Lost = std::function<void(absl::string_view reason, uint64_t count)>;

  NotifierLink(EventLoop& loop, const Clock& clock, std::string program, Lost lost)
      : loop_(loop), clock_(clock), program_(std::move(program)), lost_(std::move(lost)) {}
  ~NotifierLink();

  // Starts it with these settings, in place of one that runs. Nothing runs where they have neither wall nor webhook.
  void Configure(const NoticeSettings& settings);

  // `notice` gets its sequence here.
  void Send(Notice notice);

  // From time to time: what did not fit goes out, one that is stuck is ended.
  void Tick();

  bool wanted() const { return wanted_; }
  bool alive() const { return child_.pid > 0; }
  pid_t pid() const { return child_.pid; }
  size_t waiting() const { return waiting_.size(); }
  const Totals& totals() const { return totals_; }

 private:
  struct Waiting {
    Notice notice;
    int given = 0;  // to how many processes
    bool sent = false;
  };

  absl::Status Start();
  void StartLater();
  void Flush();
  void Reported();
  void Finished(const NoticeReport& report);
  void Ended();
  void End();

  EventLoop& loop_;
  const Clock& clock_;
  const std::string program_;
  const Lost lost_;
  NoticeSettings settings_;
  bool wanted_ = false;
  Child child_;
  UniqueFd socket_;
  std::deque<Waiting> waiting_;
  uint64_t sequence_ = 0;
  Totals totals_;
  absl::Duration pause_ = absl::ZeroDuration();
  BootTime started_, heard_;
  EventLoop::TimerId start_timer_ = 0;
};

}  // namespace holdpoint
