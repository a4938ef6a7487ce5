#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "agent/base/clock.h"
#include "agent/event/recorder.h"
#include "agent/kernel/account.h"
#include "agent/kernel/decode.h"
#include "agent/session/session_table.h"
#include "holdpoint/v1/event.pb.h"

namespace holdpoint {

// The kernel's event as the record shows a process. Texts a session wrote are escaped; argv is left to the judge, which
// redacts it.
v1::Process ProcessOf(const ExecEvent& event);
v1::Process ProcessOf(const ConnectEvent& event);

// Writes the record: one function per kind of event, so that session, environment and rung are filled in one way. An
// event that can't be written is counted by the recorder, logged once per minute, and never stops the caller:
// enforcement does not depend on reporting.
//
// Thread: the event thread.
class Ledger {
 public:
  Ledger(Recorder& recorder, const Clock& clock) : recorder_(recorder), clock_(clock) {}

  // `session` may be null: a host event.
  void Write(const Session* session, v1::Envelope event);
  // `ticket`: that it opened or passed by, empty for none.
  void Exec(const Session* session, const ExecEvent& event, const v1::Process& process, const v1::Judgement& judgement,
            absl::Duration consult, bool held, absl::string_view rung, const std::string& ticket = "");
  void Outcome(const Session* session, v1::Outcome outcome, absl::string_view rung);
  void Decision(const Session* session, v1::Decision decision);
  void Daemon(absl::string_view state, absl::string_view detail);
  // Settles the acts that they count.
  void Rolled(const Session* session, const std::vector<Rollup>& rollups);
  // What a daemon knew of and did not write; nothing where it owes nothing. `run_id`: whose; empty for this one's.
  void Owed(const Account::Left& left, absl::string_view reason, const std::string& run_id);
  // An earlier run ended without a word, and nothing is left that says what it had not written. `since` infinitely past:
  // not known either.
  void OwedUnknown(absl::string_view why, absl::Time since, const std::string& run_id);

  // On stable storage when this returns; a failure is logged and counted, the caller goes on.
  void Sync();

  Recorder& recorder() { return recorder_; }
  void set_account(Account* account) { account_ = account; }

 private:
  void Problem(const absl::Status& status);

  Recorder& recorder_;
  const Clock& clock_;
  Account* account_ = nullptr;  // null before the kernel's
  BootTime last_complaint_;
};

}  // namespace holdpoint
