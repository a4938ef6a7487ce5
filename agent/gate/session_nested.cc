// What becomes known of a running session: coding agents inside it or around it, the ids of its tools.
#include "agent/gate/session_desk.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/base/log.h"
#include "agent/gate/facts.h"
#include "agent/gate/kept_session.h"
#include "agent/gate/session_facts.h"
#include "agent/response/proc.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxNested = 16;  // that wait until their candidate is known

}  // namespace

// A coding agent inside a session makes none of its own: where its own place is stricter, the whole session is there.
void SessionDesk::Enrich(const ExecEvent& event) {
  Session* session = core_.sessions.Find(event.head.session);
  if (session == nullptr) return;
  if (session->state == SessionState::kCandidate) {
    std::vector<ExecEvent>& waiting = nested_[session->number];
    if (waiting.size() < kMaxNested) waiting.push_back(event);
    return;
  }
  if (session->state != SessionState::kConfirmed) return;
  absl::StatusOr<UniqueFd> pidfd = OpenPidfd(event.head.process);
  if (!pidfd.ok()) return;
  const StoppedTask task{.id = event.head.process,
                         .exec_id = event.exec_id,
                         .pidfd = std::make_shared<UniqueFd>(*std::move(pidfd))};
  v1::ConsultSession question = SessionQuestion(event, ProcessOf(event));
  question.set_enclosing_environment(session->environment);
  const SessionNumber number = event.head.session;
  AskAbout(std::move(question), task, event.file, [this, number](absl::StatusOr<v1::FromJudge> answer) {
    if (answer.ok() && answer->has_session() && answer->session().is_session()) Merge(number, answer->session(), false);
  });
}

// What is known of a second coding agent of a session. `outer`: it started the one that the session is known by.
void SessionDesk::Merge(SessionNumber number, const v1::SessionVerdict& nested, bool outer) {
  Session* named = core_.sessions.Find(number);
  if (named == nullptr || named->state != SessionState::kConfirmed) return;
  std::string inner = nested.coding_agent();
  if (outer || named->coding_agent == "run" || named->coding_agent == kUnknownAgent) {
    inner = std::exchange(named->coding_agent, nested.coding_agent());
    named->recognised_by = nested.recognised_by();
    named->hold_ms = nested.hold_ms();
    if (inner == "run" || inner == kUnknownAgent) inner = named->coding_agent;
    // It may have ids, which its tools are asked for.
    named->without_ids = nested.without_ids();
    named->asked_before_named = named->counters.asked;
    named->triage = false;
    Program(*named, named->kill_requested ? HP_SESSION_KILL : 0);
    LetTriage(*named);
  } else if (named->coding_agent == nested.coding_agent()) {
    return;  // A launcher and its program, or the coding agent's own helper.
  }
  if (inner != named->coding_agent && named->nested.size() < kMaxKeyValues &&
      std::find(named->nested.begin(), named->nested.end(), inner) == named->nested.end()) {
    named->nested.push_back(inner);
  }
  for (const std::string& flag : nested.guards_off()) {
    if (std::find(named->guards_off.begin(), named->guards_off.end(), flag) == named->guards_off.end()) {
      named->guards_off.push_back(flag);
    }
  }
  for (const auto& [key, value] : nested.join_keys()) named->join_keys[key] = value;
  // The judge gives the stricter of the two.
  if (nested.environment().environment() != named->environment) {
    named->environment = nested.environment().environment();
    named->environment_source = absl::StrCat(nested.environment().source(), " of a nested ", nested.coding_agent());
    named->environment_number = core_.policy.NumberOf(named->environment);
    Program(*named, named->kill_requested ? HP_SESSION_KILL : 0);
  }
  WriteUpdated(*named, outer ? "what started it is a coding agent" : "nested coding agent");
}

void SessionDesk::OnJoinKeys(Session& session, const google::protobuf::Map<std::string, std::string>& keys) {
  bool fresh = false;
  for (const auto& [name, value] : keys) {
    std::string& known = session.join_keys[name];
    const std::vector<std::string> values = absl::StrSplit(known, ',', absl::SkipEmpty());
    if (values.size() >= kMaxKeyValues || std::find(values.begin(), values.end(), value) != values.end()) continue;
    absl::StrAppend(&known, known.empty() ? "" : ",", value);
    fresh = true;
  }
  if (fresh) WriteUpdated(session, "ids of its tools");
}

void SessionDesk::WriteUpdated(const Session& session, const std::string& because) {
  v1::Envelope envelope;
  v1::SessionUpdated& updated = *envelope.mutable_session_updated();
  updated.set_because(because);
  updated.set_coding_agent(session.coding_agent);
  updated.set_recognised_by(session.recognised_by);
  for (const auto& [key, value] : session.join_keys) (*updated.mutable_join_keys())[key] = value;
  for (const std::string& flag : session.guards_off) updated.add_guards_off(flag);
  for (const std::string& nested : session.nested) updated.add_nested(nested);
  updated.mutable_environment()->set_environment(session.environment);
  updated.mutable_environment()->set_source(session.environment_source);
  const v1::Environment* environment = core_.policy.Find(session.environment);
  updated.mutable_environment()->set_protected_(environment != nullptr && environment->protected_());
  if (absl::StatusOr<KeptFile> kept = ReadKeptSession(core_.options.run, session.number); kept.ok()) {
    kept->started.set_coding_agent(session.coding_agent);
    kept->started.set_recognised_by(session.recognised_by);
    *kept->started.mutable_environment() = updated.environment();
    *kept->started.mutable_join_keys() = updated.join_keys();
    *kept->started.mutable_guards_off() = updated.guards_off();
    if (absl::Status again = KeepSession(core_.options.run, session, kept->started); !again.ok()) {
      LogWarning("session ", session.id, " could not be kept for a restart: ", again.message());
    }
  }
  core_.ledger.Write(&session, std::move(envelope));
}

}  // namespace holdpoint
