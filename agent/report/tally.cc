#include "agent/report/tally.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace {

constexpr char kOther[] = "(other)";
constexpr size_t kMaxPending = 100'000;  // acts whose decision is waited for

template <typename Map>
typename Map::mapped_type& Row(Map& rows, const std::string& key) {
  if (const auto found = rows.find(key); found != rows.end()) return found->second;
  return rows[rows.size() < Tally::kMaxRows ? key : std::string(kOther)];
}

void Count(v1::Verdict verdict, bool observed, bool held, Tally::Counts* counts) {
  if (verdict >= v1::VERDICT_KILL) {
    ++(observed ? counts->would_kill : counts->killed);
  } else if (observed) {
    ++(verdict == v1::VERDICT_HOLD ? counts->would_hold : counts->would_refuse);
  } else {
    ++(held ? counts->held : counts->refused);
  }
}

}  // namespace

void Tally::Add(const v1::Envelope& event) {
  if (event.has_session_started()) {
    const v1::SessionStarted& started = event.session_started();
    std::string user = started.user().empty() ? absl::StrCat("uid ", started.root().uid()) : started.user();
    if (who_.size() < kMaxRows) who_[event.session()] = {started.coding_agent(), std::move(user)};
  }
  if (event.has_mode_changed()) RuleChanged(event.mode_changed());
  if (event.time_unix_ns() < since_ns_) return;
  ++events_;
  if (first_unix_ns_ == 0) first_unix_ns_ = event.time_unix_ns();
  last_unix_ns_ = std::max(last_unix_ns_, event.time_unix_ns());
  if (event.has_exec()) Judged(event, event.exec().judgement(), event.exec().process(), event.exec().held());
  if (event.has_connect()) Judged(event, event.connect().judgement(), event.connect().process(), false);
  if (event.has_decision()) Decided(event, event.decision());
  if (event.has_outcome()) Released(event.outcome());
  if (event.has_loss()) lost_ += event.loss().count();
  if (event.has_loss() && event.loss().unknown()) more_lost_ = true;
  if (event.has_tombstone() && !event.tombstone().delivered()) {
    const v1::Tombstone& tombstone = event.tombstone();
    std::vector<Range>& gone = gone_[tombstone.run_id().empty() ? event.stream().run_id() : tombstone.run_id()];
    gone.emplace_back(tombstone.first_sequence(), tombstone.last_sequence());
    for (const v1::Tombstone::Gap& gap : tombstone.gaps()) gone.emplace_back(gap.first_sequence(), gap.last_sequence());
  }
}

uint64_t Tally::lost() const {
  uint64_t lost = lost_;
  for (auto [run, ranges] : gone_) {
    std::sort(ranges.begin(), ranges.end());
    uint64_t next = 1;  // the first sequence that was not counted
    for (const auto& [first, last] : ranges) {
      if (last < next) continue;
      lost += last - std::max(first, next) + 1;
      next = last + 1;
    }
  }
  return lost;
}

void Tally::Judged(const v1::Envelope& event, const v1::Judgement& judgement, const v1::Process& process, bool held) {
  if (judgement.verdict() < v1::VERDICT_HOLD) return;
  const bool observed = judgement.observed_only();
  if (!observed && !held && !judgement.passed_by().empty()) {
    stopped_since_.erase({event.session(), judgement.act_digest()});
    return;
  }
  if (!observed && !held && judgement.verdict() < v1::VERDICT_KILL) {
    // An approved act that passes is recorded with the verdict that it would have had.
    const auto open = stopped_since_.find({event.session(), judgement.act_digest()});
    if (open != stopped_since_.end() && open->second == 0) {
      stopped_since_.erase(open);
      return;
    }
  }
  const auto who = who_.find(event.session());
  const std::string user = who == who_.end() ? absl::StrCat("uid ", process.uid()) : who->second.second;
  const std::string target = judgement.tags().target().environment();
  RuleRow& rule = Row(rules_, judgement.rule());
  if (observed) ++rule.observed_of_this_text;
  for (Counts* counts : {&all_, &rule.counts, &Row(sessions_, event.session()), &Row(users_, user),
                         &Row(environments_, target.empty() ? event.environment() : target)}) {
    Count(judgement.verdict(), observed, held, counts);
  }
  const auto same = std::find_if(rule.examples.begin(), rule.examples.end(), [&](const Example& example) {
    return example.summary == judgement.summary() && example.observed == observed;
  });
  if (same != rule.examples.end()) {
    ++same->times;
  } else if (rule.examples.size() < kExamples) {
    rule.examples.push_back({judgement.summary(), judgement.reason(), event.session(), event.time_unix_ns(), observed, 1});
  }
  if (!observed && stopped_since_.size() < kMaxPending) {
    stopped_since_.try_emplace({event.session(), judgement.act_digest()}, event.time_unix_ns());
  }
}

void Tally::Decided(const v1::Envelope& event, const v1::Decision& decision) {
  const bool approve = decision.decision() == "approve", deny = decision.decision() == "deny";
  if (!decision.accepted()) {
    if (approve || deny) ++decisions_.not_accepted;
    return;
  }
  const std::pair<std::string, std::string> act{event.session(), decision.act_digest()};
  const auto since = stopped_since_.find(act);
  if (decision.still_wanted() > 0) return;  // The second person decides.
  if (decision.decision() == "expire") {
    if (decision.ticket().empty()) return;  // of a remembered approval
    ++decisions_.expired;
    if (since != stopped_since_.end()) stopped_since_.erase(since);
    return;
  }
  if (!approve && !deny) return;
  ++(approve ? decisions_.approved : decisions_.denied);
  if (since == stopped_since_.end() || since->second == 0) return;
  decisions_.waited.push_back(absl::Nanoseconds(event.time_unix_ns() - since->second));
  if (approve) {
    since->second = 0;  // The next identical one passes.
    if (approved_.size() < kMaxPending) approved_[decision.ticket()] = act;
  } else {
    stopped_since_.erase(since);
  }
}

// What an older text of a rule would have stopped says nothing of the one that can be promoted.
void Tally::RuleChanged(const v1::ModeChanged& change) {
  if (change.change() != "rule new" && change.change() != "rule changed") return;
  std::string& hash = rule_hashes_[change.name()];
  if (hash == change.rule_hash()) return;
  hash = change.rule_hash();
  if (const auto rule = rules_.find(change.name()); rule != rules_.end()) rule->second.observed_of_this_text = 0;
}

// A held act was approved and ran: nothing of that approval is left for a later one.
void Tally::Released(const v1::Outcome& outcome) {
  if (outcome.what() != "released" || outcome.held_ns() == 0) return;
  const auto act = approved_.find(outcome.ticket());
  if (act == approved_.end()) return;
  stopped_since_.erase(act->second);
  approved_.erase(act);
}

std::string Tally::WhoIs(const std::string& session) const {
  const auto who = who_.find(session);
  return who == who_.end() ? "" : absl::StrCat(who->second.first, ", ", who->second.second);
}

absl::Duration Median(std::vector<absl::Duration> durations) {
  if (durations.empty()) return absl::ZeroDuration();
  const auto middle = durations.begin() + static_cast<ptrdiff_t>(durations.size() / 2);
  std::nth_element(durations.begin(), middle, durations.end());
  return *middle;
}

absl::Duration Longest(const std::vector<absl::Duration>& durations) {
  return durations.empty() ? absl::ZeroDuration() : *std::max_element(durations.begin(), durations.end());
}

}  // namespace holdpoint
