#include "agent/gate/ledger.h"

#include <netinet/in.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/escape.h"
#include "agent/base/log.h"
#include "agent/base/version.h"

namespace holdpoint {

v1::Process ProcessOf(const ExecEvent& event) {
  v1::Process process;
  process.set_tgid(static_cast<uint32_t>(event.head.process.tgid));
  process.set_start_boot_ns(event.head.process.start_boot_ns);
  process.set_parent_tgid(static_cast<uint32_t>(event.parent.tgid));
  process.set_parent_start_boot_ns(event.parent.start_boot_ns);
  process.set_uid(event.uid);
  process.set_gid(event.gid);
  process.set_executable(EscapeForTerminal(event.executable));
  process.set_device(event.file.dev);
  process.set_inode(event.file.ino);
  process.set_working_directory(EscapeForTerminal(event.cwd));
  if ((event.head.flags & HP_FLAG_SCRIPT) != 0) {
    process.set_script(EscapeForTerminal(event.filename));
    process.set_interpreter(process.executable());
  }
  process.set_argv_truncated((event.head.flags & HP_FLAG_ARGV_CUT) != 0);
  process.set_exec_id(event.exec_id);
  return process;
}

v1::Process ProcessOf(const ConnectEvent& event) {
  v1::Process process;
  process.set_tgid(static_cast<uint32_t>(event.head.process.tgid));
  process.set_start_boot_ns(event.head.process.start_boot_ns);
  process.set_exec_id(event.exec_id);
  return process;
}

namespace {

// The session's own process that the event is about; null where it is about none.
v1::Process* ActingProcess(v1::Envelope& event) {
  if (event.has_exec()) return event.mutable_exec()->mutable_process();
  if (event.has_connect()) return event.mutable_connect()->mutable_process();
  if (event.has_outcome() && event.outcome().has_process()) return event.mutable_outcome()->mutable_process();
  if (event.has_escaped() && event.escaped().has_process()) return event.mutable_escaped()->mutable_process();
  if (event.has_credential_read()) return event.mutable_credential_read()->mutable_process();
  return nullptr;
}

}  // namespace

void Ledger::Write(const Session* session, v1::Envelope event) {
  if (session != nullptr) {
    event.set_session(session->id);
    event.set_environment(session->environment);
    if (v1::Process* process = ActingProcess(event); process != nullptr) process->set_coding_agent(session->coding_agent);
  }
  if (absl::StatusOr<uint64_t> sequence = recorder_.Record(std::move(event)); !sequence.ok()) Problem(sequence.status());
}

void Ledger::Exec(const Session* session, const ExecEvent& event, const v1::Process& process,
                  const v1::Judgement& judgement, absl::Duration consult, bool held, absl::string_view rung,
                  const std::string& ticket) {
  v1::Envelope envelope;
  envelope.set_boot_ns(event.head.boot_ns);
  envelope.set_rung(std::string(rung));
  for (const std::string& blind : judgement.blind_spots()) envelope.add_blind_spots(blind);
  if ((event.head.flags & HP_FLAG_FILELESS) != 0) envelope.add_blind_spots("executable has no file: memory or removed");
  v1::Exec& exec = *envelope.mutable_exec();
  *exec.mutable_process() = process;
  *exec.mutable_judgement() = judgement;
  exec.set_consult_ns(static_cast<uint64_t>(absl::ToInt64Nanoseconds(consult)));
  exec.set_held(held);
  exec.set_ticket(ticket);
  Write(session, std::move(envelope));
}

void Ledger::Outcome(const Session* session, v1::Outcome outcome, absl::string_view rung) {
  v1::Envelope envelope;
  envelope.set_rung(std::string(rung));
  *envelope.mutable_outcome() = std::move(outcome);
  Write(session, std::move(envelope));
}

void Ledger::Decision(const Session* session, v1::Decision decision) {
  v1::Envelope envelope;
  *envelope.mutable_decision() = std::move(decision);
  Write(session, std::move(envelope));
}

void Ledger::Daemon(absl::string_view state, absl::string_view detail) {
  v1::Envelope envelope;
  envelope.mutable_daemon()->set_state(std::string(state));
  envelope.mutable_daemon()->set_detail(std::string(detail));
  envelope.mutable_daemon()->set_version(std::string(Version()));
  Write(nullptr, std::move(envelope));
}

void Ledger::Rolled(const Session* session, const std::vector<Rollup>& rollups) {
  for (const Rollup& rollup : rollups) {
    v1::Envelope envelope;
    v1::Rollup& out = *envelope.mutable_rollup();
    out.set_kind(rollup.kind);
    out.set_subject(rollup.subject);
    out.set_count(rollup.count);
    out.set_first_unix_ns(rollup.first_unix_ns);
    out.set_last_unix_ns(rollup.last_unix_ns);
    out.set_others(rollup.subject == Rollups::kOther);
    Write(session, std::move(envelope));
    if (account_ != nullptr) account_->Settle(rollup.kind == "exec" ? HP_ACT_EXEC : HP_ACT_CONNECT, rollup.count);
  }
}

void Ledger::Owed(const Account::Left& left, absl::string_view reason, const std::string& run_id) {
  constexpr const char* kNames[HP_ACT_COUNT] = {"execs", "connects"};
  const BootTime boot = clock_.Boot();
  const absl::Time wall = clock_.Wall();
  for (size_t act = 0; act < HP_ACT_COUNT; ++act) {
    if (left.acts[act] == 0) continue;
    v1::Loss loss;
    loss.set_stage("gate");
    loss.set_reason(absl::StrCat(kNames[act], " not written: ", reason));
    loss.set_count(left.acts[act]);
    loss.set_first_unix_ns(absl::ToUnixNanos(wall - (boot - left.since)));
    loss.set_last_unix_ns(absl::ToUnixNanos(wall - (boot - left.last)));
    loss.set_run_id(run_id);
    if (absl::Status declared = recorder_.DeclareLoss(std::move(loss)); !declared.ok()) Problem(declared);
    if (account_ != nullptr) account_->Settle(static_cast<hp_act>(act), left.acts[act]);
  }
}

void Ledger::OwedUnknown(absl::string_view why, absl::Time since, const std::string& run_id) {
  v1::Loss loss;
  loss.set_stage("gate");
  loss.set_reason(absl::StrCat("what was not written: ", why));
  loss.set_unknown(true);
  loss.set_first_unix_ns(since == absl::InfinitePast() ? 0 : absl::ToUnixNanos(since));
  loss.set_last_unix_ns(absl::ToUnixNanos(clock_.Wall()));
  loss.set_run_id(run_id);
  if (absl::Status declared = recorder_.DeclareLoss(std::move(loss)); !declared.ok()) Problem(declared);
}

void Ledger::Sync() {
  if (absl::Status synced = recorder_.Sync(); !synced.ok()) Problem(synced);
}

void Ledger::Problem(const absl::Status& status) {
  const BootTime now = clock_.Boot();
  if (last_complaint_.ns != 0 && now - last_complaint_ < absl::Minutes(1)) return;
  last_complaint_ = now;
  LogError("the record can't be written (", status.message(), "); acts are judged as before, losses are counted");
}

}  // namespace holdpoint
