// Execs that the kernel let pass by itself: counted, or described by the judge and recorded one by one.
#include <memory>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "agent/base/escape.h"
#include "agent/gate/consult_desk.h"

namespace holdpoint {
namespace {

constexpr size_t kDescribeAtOnce = 64;
constexpr size_t kMaxUndescribed = 4096;
constexpr absl::Duration kDescribeWait = absl::Milliseconds(50);
constexpr char kPassRung[] = "exec: passed in the kernel";

}  // namespace

void ConsultDesk::OnPassed(const ExecEvent& event) {
  package_runs_.Execed(event.head.process, event.exec_id);
  Session* session = core_.sessions.Find(event.head.session);
  core_.sessions.ProcessSeen(event.head.session, event.head.process);
  if (session != nullptr) ++session->counters.execs;
  if (session != nullptr && core_.policy.records_allowed() && !refuses_all_ && undescribed_.size() < kMaxUndescribed) {
    undescribed_.push_back(event);
    if (undescribed_.size() == 1) core_.loop.At(core_.clock.Boot() + kDescribeWait, [this] { DescribePassed(); });
    if (undescribed_.size() == kDescribeAtOnce) DescribePassed();
  } else {
    CountPassed(event);
  }
}

void ConsultDesk::CountPassed(const ExecEvent& event) {
  core_.rollups.Add(event.head.session, Rollups::Kind::kExec, EscapeForTerminal(event.executable), core_.clock.Wall());
}

// What passed in the kernel and is recorded in full: only the judge may look at its arguments. Without an answer they are
// counted as ever.
void ConsultDesk::DescribePassed() {
  if (undescribed_.empty()) return;
  const Described events = std::make_shared<const std::vector<ExecEvent>>(std::exchange(undescribed_, {}));
  v1::ToJudge question;
  for (const ExecEvent& event : *events) question.mutable_describe()->add_raw_argv(event.argv);
  describing_.insert(events);
  core_.judge.Ask(std::move(question), core_.policy.consult_budget(), nullptr,
                  [this, events](absl::StatusOr<v1::FromJudge> answer) {
                    const bool described = answer.ok() && answer->has_described() &&
                                           answer->described().argv_size() == static_cast<int>(events->size());
                    for (size_t i = 0; i < events->size(); ++i) {
                      const ExecEvent& event = (*events)[i];
                      if (!described) {
                        CountPassed(event);
                        continue;
                      }
                      v1::Process process = ProcessOf(event);
                      *process.mutable_argv() = answer->described().argv(static_cast<int>(i)).words();
                      v1::Judgement judgement;
                      judgement.set_verdict(v1::VERDICT_ALLOW);
                      judgement.set_rule("default");
                      core_.ledger.Exec(core_.sessions.Find(event.head.session), event, process, judgement,
                                        absl::ZeroDuration(), false, kPassRung);
                      core_.kernel.account().Settle(HP_ACT_EXEC, 1);
                    }
                    describing_.erase(events);
                    MaybeAllEnded();
                  });
}

bool ConsultDesk::Describes(SessionNumber session) const {
  const auto is_its = [session](const ExecEvent& event) { return event.head.session == session; };
  if (absl::c_any_of(undescribed_, is_its)) return true;
  if (absl::c_any_of(describing_, [&](const Described& events) { return absl::c_any_of(*events, is_its); })) return true;
  return absl::c_any_of(consults_, [&](const auto& entry) { return !entry.second->stopped && is_its(entry.second->event); });
}

}  // namespace holdpoint
