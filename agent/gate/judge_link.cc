#include "agent/gate/judge_link.h"

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "agent/base/log.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

constexpr absl::Duration kConfigureBudget = absl::Seconds(20);
constexpr absl::Duration kMaxFactsBudget = absl::Seconds(12);  // limits.consult_ms may be 10 s
constexpr absl::Duration kAfterFacts = absl::Seconds(1);  // for an answer, from when the judge was given them
constexpr int kMaxFactsRounds = 4;
constexpr absl::Duration kFirstBackoff = absl::Milliseconds(10);
constexpr absl::Duration kMaxBackoff = absl::Seconds(2);
constexpr absl::Duration kSettled = absl::Seconds(10);  // A judge that lived so long is started again at once.
constexpr absl::Duration kStuck = absl::Seconds(5);     // One that answers nothing for so long is ended.
constexpr size_t kMaxSent = 4096;

// The same message as with `facts` set, without having parsed a byte of it: field 6 of ToJudge is length-delimited.
v1::ToJudge FactsMessage(uint64_t id, const std::string& serialized_facts) {
  v1::ToJudge message;
  message.set_id(id);
  message.GetReflection()->MutableUnknownFields(&message)->AddLengthDelimited(v1::ToJudge::kFactsFieldNumber,
                                                                               serialized_facts);
  return message;
}

// What a program does to itself, in contrast to what others do to it.
bool Crashed(int wait_status) {
  if (WIFEXITED(wait_status)) return WEXITSTATUS(wait_status) != 0;
  switch (WTERMSIG(wait_status)) {
    case SIGSEGV:
    case SIGABRT:
    case SIGBUS:
    case SIGILL:
    case SIGFPE:
    case SIGSYS:
    case SIGTRAP:
      return true;
    default:
      return false;
  }
}

std::string ProblemFacts(const std::string& problem) {
  v1::Facts facts;
  facts.set_problem(problem);
  return facts.SerializeAsString();
}

}  // namespace

absl::StatusOr<std::unique_ptr<JudgeLink>> JudgeLink::Start(EventLoop& loop, const Clock& clock, std::string program,
                                                            std::function<void(const std::string&)> restarted) {
  std::unique_ptr<JudgeLink> link(new JudgeLink(loop, clock, std::move(program), std::move(restarted)));
  HP_RETURN_IF_ERROR(link->StartProcess());
  return link;
}

JudgeLink::~JudgeLink() {
  *live_ = false;
  if (channel_.has_value()) loop_.Remove(channel_->fd());
  channel_.reset();  // The judge ends when its channel closes; it is killed if it does not.
  if (child_.pid > 0) {
    syscall(SYS_pidfd_send_signal, child_.pidfd.get(), SIGKILL, nullptr, 0);
    waitpid(child_.pid, nullptr, 0);
  }
}

absl::Status JudgeLink::StartProcess() {
  auto pair = JudgeChannel::Pair();
  if (!pair.ok()) return pair.status();
  ChildSpec spec{.path = program_, .args = {}, .inherit = {{pair->second.get(), 3}}};
  HP_ASSIGN_OR_RETURN(child_, StartChild(spec));
  channel_.emplace(std::move(pair->first), JudgeChannel::Mode::kNonBlocking);
  configured_ = false;
  return loop_.Add(channel_->fd(), [this] { Readable(); });
}

absl::StatusOr<v1::Configured> JudgeLink::ConfigureAndWait(const v1::Configure& configure) {
  v1::ToJudge message;
  *message.mutable_configure() = configure;
  HP_ASSIGN_OR_RETURN(v1::Configured configured, SendAndWait(std::move(message)));
  if (configured.accepted()) {
    configured_ = true;
    last_good_ = configure;
    configured_at_ = clock_.Boot();
    quarantine_.Clear();
  }
  return configured;
}

absl::StatusOr<v1::Configured> JudgeLink::RolloutAndWait(const v1::Rollout& rollout) {
  if (!alive() || !last_good_.has_value()) return absl::UnavailableError("the judge is being started again: try again");
  v1::ToJudge message;
  *message.mutable_rollout() = rollout;
  HP_ASSIGN_OR_RETURN(v1::Configured configured, SendAndWait(std::move(message)));
  if (configured.accepted()) *last_good_->mutable_rollout() = rollout;
  return configured;
}

absl::StatusOr<v1::Configured> JudgeLink::SendAndWait(v1::ToJudge message) {
  if (!channel_.has_value()) return absl::UnavailableError("the judge does not run");
  const uint64_t id = ++last_id_;
  message.set_id(id);
  HP_RETURN_IF_ERROR(channel_->Send(message));
  const BootTime deadline = clock_.Boot() + kConfigureBudget;
  while (channel_.has_value() && clock_.Boot() < deadline) {
    pollfd wait{.fd = channel_->fd(), .events = POLLIN, .revents = 0};
    poll(&wait, 1, static_cast<int>(absl::ToInt64Milliseconds(deadline - clock_.Boot())) + 1);
    v1::FromJudge answer;
    absl::StatusOr<bool> got = channel_->Receive(&answer);
    if (!got.ok()) return absl::UnavailableError(absl::StrCat("the judge ended while it read the configuration: ",
                                                              got.status().message()));
    if (!*got) continue;
    if (answer.id() != id) {
      Dispatch(std::move(answer));
      continue;
    }
    if (!answer.has_configured()) return absl::DataLossError("the judge answered a configuration with something else");
    return answer.configured();
  }
  return absl::DeadlineExceededError("the judge did not answer to its configuration in 20 s");
}

void JudgeLink::Ask(v1::ToJudge question, absl::Duration budget, FactsSource facts, Answer answer) {
  if (!alive()) return answer(absl::UnavailableError("the judge is being started again"));
  const std::string digest = Quarantine::DigestOf(question);
  if (quarantine_.Has(digest)) {
    return answer(absl::UnavailableError("a judge ended over this input before: it is not asked again"));
  }
  const uint64_t id = ++last_id_;
  question.set_id(id);
  if (absl::Status sent = channel_->Send(question); !sent.ok()) {
    return answer(absl::UnavailableError(absl::StrCat("the judge can't be asked: ", sent.message())));
  }
  NoteSent(id, digest);
  Pending pending{
      .answer = std::move(answer), .facts = std::move(facts), .timer = 0, .rounds = 0, .digest = digest};
  pending.timer = loop_.At(clock_.Boot() + budget, [this, id] { Late(id); });
  pending_.emplace(id, std::move(pending));
}

void JudgeLink::NoteSent(uint64_t id, std::string digest) {
  sent_.push_back({.id = id, .digest = std::move(digest), .when = clock_.Boot()});
  if (sent_.size() > kMaxSent) sent_.pop_front();
}

void JudgeLink::NoteAnswered(uint64_t id) {
  const auto found = std::find_if(sent_.begin(), sent_.end(), [id](const Sent& sent) { return sent.id == id; });
  if (found != sent_.end()) sent_.erase(found);
}

void JudgeLink::Late(uint64_t id) {
  Finish(id, absl::DeadlineExceededError("the judge did not answer in time"));
  if (channel_.has_value() && !sent_.empty() && clock_.Boot() - sent_.front().when > kStuck) {
    Lost("it answered nothing for 5 s");
  }
}

void JudgeLink::Readable() {
  while (channel_.has_value()) {
    v1::FromJudge message;
    absl::StatusOr<bool> got = channel_->Receive(&message);
    if (!got.ok()) {
      // A judge that ended with questions unread shows as a reset, in front of the answers that it gave before.
      while (channel_.has_value()) {
        v1::FromJudge last;
        const absl::StatusOr<bool> more = channel_->Receive(&last);
        if (!more.ok() || !*more) break;
        Dispatch(std::move(last));
      }
      return Lost(std::string(got.status().message()));
    }
    if (!*got) return;
    Dispatch(std::move(message));
  }
}

void JudgeLink::Dispatch(v1::FromJudge message) {
  if (message.id() == restart_configure_id_ && message.has_configured()) {
    restart_configure_id_ = 0;
    configured_ = message.configured().accepted();
    if (configured_) {
      configured_at_ = clock_.Boot();
      restarted_(lost_because_);
    }
    return;
  }
  const uint64_t id = message.id();  // Read before the move.
  NoteAnswered(id);
  if (message.has_facts_wanted()) return WantFacts(id, message.facts_wanted());
  Finish(id, std::move(message));
}

void JudgeLink::WantFacts(uint64_t id, const v1::FactsWanted& wanted) {
  const auto found = pending_.find(id);
  if (found == pending_.end()) return;  // Answered by its deadline already.
  Pending& pending = found->second;
  if (++pending.rounds > kMaxFactsRounds) return Finish(id, absl::UnavailableError("the judge asked for facts too often"));
  auto send = [this, id, live = std::weak_ptr<bool>(live_)](std::string facts) {
    if (live.expired() || !pending_.contains(id) || !channel_.has_value()) return;
    absl::Status sent = channel_->Send(FactsMessage(id, facts));
    if (!sent.ok()) return Finish(id, sent);
    NoteSent(id, pending_.at(id).digest);
    // However late they were: on a machine that somebody keeps busy the fail mode must not decide in the judge's place.
    loop_.Cancel(pending_.at(id).timer);
    pending_.at(id).timer = loop_.At(clock_.Boot() + kAfterFacts, [this, id] { Late(id); });
  };
  if (!pending.facts) return send(ProblemFacts("the process was not stopped: nothing was read"));
  const absl::Duration extra = std::min(absl::Milliseconds(wanted.budget_ms()) + kReaderStart, kMaxFactsBudget);
  loop_.Cancel(pending.timer);
  pending.timer = loop_.At(clock_.Boot() + extra + absl::Milliseconds(200), [this, id] { Late(id); });
  const FactsSource source = pending.facts;  // May answer at once, and finish this entry.
  source(wanted, send);
}

void JudgeLink::Finish(uint64_t id, absl::StatusOr<v1::FromJudge> result) {
  auto node = pending_.extract(id);
  if (node.empty()) return;
  loop_.Cancel(node.mapped().timer);
  node.mapped().answer(std::move(result));
}

void JudgeLink::Lost(const std::string& why) {
  if (!channel_.has_value()) return;
  loop_.Remove(channel_->fd());
  channel_.reset();
  if (std::exchange(configured_, false) && clock_.Boot() - configured_at_ > kSettled) backoff_ = absl::ZeroDuration();
  lost_because_ = why;
  bool crashed = false;
  if (child_.pid > 0) {
    syscall(SYS_pidfd_send_signal, child_.pidfd.get(), SIGKILL, nullptr, 0);
    int status = 0;
    waitpid(child_.pid, &status, 0);
    if (Crashed(status)) {
      crashed = true;
      lost_because_ = WIFSIGNALED(status) ? absl::StrCat("signal ", WTERMSIG(status))
                                          : absl::StrCat("exit status ", WEXITSTATUS(status));
    }
    child_.pid = -1;
  }
  LogWarning("the judge ended (", lost_because_, "); the fail mode decides until it is back");
  const std::string suspect = sent_.empty() ? "" : sent_.front().digest;
  sent_.clear();
  const bool quarantined = quarantine_.Strike(suspect, crashed);
  std::map<uint64_t, Pending> lost = std::exchange(pending_, {});
  for (auto& [id, pending] : lost) {
    loop_.Cancel(pending.timer);
    pending.answer(absl::UnavailableError(absl::StrCat("the judge ended over this: ", lost_because_)));
  }
  if (quarantined && on_quarantined) {
    on_quarantined(absl::StrCat("input sha256:", absl::BytesToHexString(suspect), " (", lost_because_,
                                "): the fail mode answers for it until the configuration is read again"));
  }
  StartAgain();
}

void JudgeLink::StartAgain() {
  ++restarts_;
  loop_.At(clock_.Boot() + backoff_, [this, live = std::weak_ptr<bool>(live_)] {
    if (live.expired()) return;
    if (absl::Status started = StartProcess(); !started.ok()) {
      LogError("the judge can't be started: ", started.message());
      return StartAgain();
    }
    if (!last_good_.has_value()) return;
    v1::ToJudge message;
    restart_configure_id_ = ++last_id_;
    message.set_id(restart_configure_id_);
    *message.mutable_configure() = *last_good_;
    if (absl::Status sent = channel_->Send(message); !sent.ok()) Lost(std::string(sent.message()));
  });
  backoff_ = std::clamp(backoff_ * 2, kFirstBackoff, kMaxBackoff);
}

}  // namespace holdpoint
