#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "holdpoint/v1/event.pb.h"

namespace holdpoint {

// Counts what was stopped, and what would have been, from the records of a spool in their order. Pure and bounded: one
// entry for each rule, session, user and environment, and a few examples of each rule.
class Tally {
 public:
  struct Counts {
    uint64_t would_hold = 0, would_refuse = 0, would_kill = 0;  // observed only
    uint64_t held = 0, refused = 0, killed = 0;

    uint64_t observed() const { return would_hold + would_refuse + would_kill; }
    uint64_t stopped() const { return held + refused + killed; }
  };
  struct Example {
    std::string summary, reason, session;
    int64_t time_unix_ns = 0;
    bool observed = false;
    uint64_t times = 1;  // the same act by its digest
  };
  struct RuleRow {
    Counts counts;
    uint64_t observed_of_this_text = 0;  // since the rule is as it is
    std::vector<Example> examples;       // the first kExamples different ones
  };
  struct Decisions {
    uint64_t approved = 0, denied = 0, expired = 0, not_accepted = 0;
    std::vector<absl::Duration> waited;  // from the first time the act was stopped to an accepted approve or deny
  };
  static constexpr size_t kExamples = 3;
  static constexpr size_t kMaxRows = 10'000;  // of each kind; what is over is counted under "(other)"

  // Records before `since` tell only who a session is.
  explicit Tally(absl::Time since) : since_ns_(absl::ToUnixNanos(since)) {}

  void Add(const v1::Envelope& event);

  const Counts& all() const { return all_; }
  const std::map<std::string, RuleRow>& rules() const { return rules_; }
  const std::map<std::string, Counts>& sessions() const { return sessions_; }
  const std::map<std::string, Counts>& users() const { return users_; }
  const std::map<std::string, Counts>& environments() const { return environments_; }
  const Decisions& decisions() const { return decisions_; }
  uint64_t events() const { return events_; }  // since then
  bool more_lost() const { return more_lost_; }  // besides lost(), a number that nobody knows
  uint64_t lost() const;                       // said by the record itself: then all numbers are at least that
  int64_t first_unix_ns() const { return first_unix_ns_; }
  int64_t last_unix_ns() const { return last_unix_ns_; }
  // "codex, dana": who a session is; empty where its beginning is not in the record.
  std::string WhoIs(const std::string& session) const;

 private:
  void Judged(const v1::Envelope& event, const v1::Judgement& judgement, const v1::Process& process, bool held);
  void Decided(const v1::Envelope& event, const v1::Decision& decision);
  void Released(const v1::Outcome& outcome);
  void RuleChanged(const v1::ModeChanged& change);

  int64_t since_ns_;
  Counts all_;
  std::map<std::string, RuleRow> rules_;
  std::map<std::string, Counts> sessions_, users_, environments_;
  Decisions decisions_;
  uint64_t events_ = 0, lost_ = 0;
  bool more_lost_ = false;
  using Range = std::pair<uint64_t, uint64_t>;
  std::map<std::string, std::vector<Range>> gone_;  // by run: records that tombstones stand for; some are said twice
  int64_t first_unix_ns_ = 0, last_unix_ns_ = 0;
  using Act = std::pair<std::string, std::string>;                  // session and digest
  std::map<std::string, std::pair<std::string, std::string>> who_;  // session to coding agent and user
  std::map<Act, int64_t> stopped_since_;                            // its first time; 0 once it is approved
  std::map<std::string, Act> approved_;                             // by ticket
  std::map<std::string, std::string> rule_hashes_;                  // of rules that are new or changed
};

// The middle one and the longest; zero without any.
absl::Duration Median(std::vector<absl::Duration> durations);
absl::Duration Longest(const std::vector<absl::Duration>& durations);

}  // namespace holdpoint
