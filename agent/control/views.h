#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agent/base/latency.h"

namespace holdpoint {

// What the daemon shows over the control socket, as values. The daemon fills them, the functions below make the JSON
// bodies that docs/control.md describes, and the CLI prints them.
//
// Texts may hold anything a session wrote: they are escaped where they are shown, not here. Times are Unix seconds.

struct RungView {
  std::string capability = {};
  std::string in_use = {};
  std::string missing = {};  // empty on the top rung
};

// What is lifted for a while.
struct LiftedView {
  std::string environment = {};  // of break-glass; empty: off as a whole
  std::string by = {}, reason = {};
  int64_t since = 0, ends = 0;
  uint64_t acts = 0;
};

struct StatusView {
  std::string daemon = {};  // version
  std::string scope = {};   // cgroup directory, or "host"
  std::string instance = {};
  std::string mode = {};   // "enforce", "observe" or "mixed" where environments differ
  std::string state = {};  // directory of the record, where `holdpoint events` looks for the spool
  int64_t uptime_s = 0;
  uint64_t sessions = 0;
  uint64_t holds = 0;    // stopped now
  uint64_t tickets = 0;  // open, the held ones included
  std::vector<RungView> rungs = {};

  struct Judge {
    bool alive = false;
    uint64_t restarts = 0;
    std::string policy_hash = {};
    uint64_t rules = 0;
  } judge = {};
  struct Spool {
    uint64_t bytes = 0;
    uint64_t last_sequence = 0;
    uint64_t lost = 0;
    uint64_t losses_unknown = 0;  // losses whose number nobody knows; not in `lost`
    int64_t oldest = 0;       // when its oldest record was made; 0: unknown
    bool in_reserve = false;  // the disk is full: only refusals, holds and decisions are written
    bool kafka = false;       // there are brokers; without them what follows says nothing
    uint64_t undelivered = 0;           // records that the brokers are not known to have
    int64_t last_delivery = 0;          // 0: none yet
    int64_t last_delivered_record = 0;  // when that record was made
    std::string trouble = {};           // what keeps the stream from delivering; empty: nothing
  } spool = {};
  // Beside the topic. How far each is stays with holdpoint-sinks (`holdpoint sinks`).
  struct Sinks {
    std::vector<std::string> names = {};  // as configured
    bool alive = false;                   // holdpoint-sinks runs
    uint64_t restarts = 0;
  } sinks = {};
  // To whoever may decide. "told" counts what was finished with, whatever became of it.
  struct Notices {
    std::string state = {};  // "alive", "restarting", "off"
    uint64_t restarts = 0, waiting = 0, told = 0, lost = 0;
    uint64_t terminals = 0, terminals_failed = 0, terminals_spared = 0;  // written to, closed, too many at once
    uint64_t webhook_delivered = 0, webhook_failed = 0;
    uint64_t watching = 0;     // clients that watch
    std::string problem = {};  // the last one
  } notices = {};
  std::vector<std::pair<std::string, uint64_t>> kernel = {};  // counters by name
  // Of acts that were asked about, in microseconds, from the kernel's event on; upper bounds within an eighth.
  struct Latency {
    uint64_t count = 0;
    uint64_t p50_us = 0, p99_us = 0;
  };
  Latency to_verdict = {};   // until the judge's answer
  Latency to_continue = {};  // until a task that may go on was continued
  std::vector<LiftedView> lifted = {};  // break-glass and off; not shown inside of a session
};

// Numbers for metrics.
struct RecordView {
  struct Loss {
    std::string stage = {}, reason = {};
    uint64_t count = 0;
  };
  StatusView::Spool spool = {};
  std::map<std::string, uint64_t> events = {}, verdicts = {};  // recorded by this run
  uint64_t bytes = 0;
  uint64_t evicted_delivered = 0;
  std::vector<Loss> losses = {};
  // Of the stream process, since its start.
  uint64_t delivered = 0, undeliverable = 0, stream_restarts = 0;
  LatencyBuckets delivery_delay = {};
  std::string version = {};
  int64_t uptime_s = 0;
  uint64_t sessions = 0, holds = 0, tickets = 0;
  bool judge_alive = false;
  uint64_t judge_restarts = 0;
  LatencyBuckets to_verdict = {}, to_continue = {};
};

struct SessionView {
  std::string id = {};
  uint64_t number = 0;
  std::string coding_agent = {};
  std::string environment = {};  // empty: unknown
  bool protected_environment = false;
  int64_t root_tgid = 0;
  uint64_t processes = 0;
  int64_t started = 0;
  uint64_t execs = 0;
  uint64_t asked = 0;
  uint64_t refused = 0;
  std::string workspace = {};
  std::string owner = {};
  std::string user = {};
  int64_t ended = 0;  // 0: still running
  std::string recognised_by = {};
  std::string git_branch = {};
  std::string git_remote = {};
  std::vector<std::string> guards_off = {};
  std::vector<std::string> nested = {};
  std::vector<std::pair<std::string, std::string>> join_keys = {};
  bool unattended = false;
};

struct HoldView {
  std::string ticket = {};
  std::string session = {};
  std::string state = {};  // "held", "open", "approved", "denied", "expired", "used"
  std::string summary = {};
  std::string reason = {};
  std::string environment = {};
  std::vector<std::string> owners = {};  // who may approve, "dana" or "%sudo"
  std::vector<std::string> rollback = {};
  int64_t pid = 0;            // of the stopped process; 0 where none is
  int64_t deadline_unix = 0;  // when the hold becomes a refusal; 0 where nothing is stopped
  int64_t expires_unix = 0;   // when the ticket ends
  std::string digest = {};    // hexadecimal
  std::string rule = {};
  std::string verdict = {};

  struct Tag {
    std::string what = {};  // "session", "destination", "credential", "resource"
    std::string environment = {};
    std::string source = {};
    bool protected_environment = false;
  };
  bool protected_environment = false;  // the target's: then an approval needs a reason
  std::string coding_agent = {}, user = {};  // who asked
  std::string command = {};                  // argv, redacted
  std::string working_directory = {};
  std::vector<std::string> started_by = {};  // nearest first
  std::string effect = {}, recoverability = {};
  std::string resource = {}, backups = {};
  std::vector<Tag> tags = {};
  std::vector<std::string> blind_spots = {};
  std::vector<std::string> deciders = {};  // users who may decide
  bool may_decide = false;                 // the one who asks is one of them
  bool two_persons = false;
  std::vector<std::string> approved_by = {};  // the first of two
  std::string decided_by = {}, decision_reason = {};
  int64_t opened_unix = 0;
  uint64_t attempts = 1;                       // at the same resource, by whatever command
  uint64_t approvals_wanted = 1;
  std::string scope = {};     // of what was approved, or by the first of two: "once", "session", "until"
  std::string approval = {};  // AP-4K7Q, where it is remembered
};

// A remembered approval.
struct ApprovalView {
  std::string approval = {};  // "AP-4K7Q"
  std::string scope = {};     // "session", "until"
  std::string session = {};   // of scope "session"
  uint64_t session_uid = 0;   // whose sessions it is for
  std::string environment = {};
  std::string rule = {}, resource_type = {}, resource = {}, reason = {};
  std::vector<std::string> by = {};
  int64_t since = 0, until = 0;  // until: 0 for the session's end
};

struct DoctorRow {
  std::string check = {};
  bool ok = false;
  std::string detail = {};
  std::string advice = {};  // what to do; empty where nothing is
  bool warning = false;     // ok, and yet to be known: a lower rung is in use
};

// An environment or a rule, and what is in force of it.
struct ModeRow {
  std::string kind = {};  // "environment", "rule"
  std::string name = {};
  std::string file = {};  // what configuration and pack say: "enforce", "observe", "off"
  std::string live = {};  // what was switched; empty where nothing was
  std::string by = {};    // who switched it, and when
  int64_t since = 0;
  std::string mode = {};      // in force
  std::string standing = {};  // of a rule: "new", "changed"; else empty
  bool protected_environment = false;
  std::string title = {}, effect = {}, recoverability = {};  // of a rule
};

// An owner, and how it can prove to be there.
struct PresenceRow {
  std::string owner = {};
  int64_t uid = 0;
  std::string methods = {};  // "pam,totp,key"
};

// Bodies of an answer: each is one JSON object of at most kControlBodyMax bytes and pure ASCII, with the list in
// parts where one is too small. There is always at least one. A single row that is larger by itself has its longest
// texts cut.
std::vector<std::string> MetricBodies(const RecordView& record);
std::vector<std::string> TestAlertBodies(const std::string& id, const std::string& run_id, uint64_t sequence,
                                         const std::string& state, bool kafka);
std::vector<std::string> StatusBodies(const StatusView& status);
std::vector<std::string> SessionBodies(const std::vector<SessionView>& sessions);
std::vector<std::string> HoldBodies(const std::vector<HoldView>& holds);
// A step of kWatch: {"watch":CHANGE,"holds":[..]}.
std::vector<std::string> WatchBodies(const std::string& change, const std::vector<HoldView>& holds);
std::vector<std::string> ApprovalBodies(const std::vector<ApprovalView>& approvals);
std::vector<std::string> DoctorBodies(const std::vector<DoctorRow>& rows);
std::vector<std::string> ModeBodies(const std::vector<ModeRow>& rows);
// Who could give the proof of presence that is missing: {"presence":"wanted","owners":[..]}.
std::vector<std::string> PresenceBodies(const std::vector<std::string>& owners);
std::vector<std::string> PresenceRowBodies(const std::vector<PresenceRow>& rows);
// The secret of an owner's codes, for this one time: {"uri":"otpauth://.."}.
std::vector<std::string> EnrolmentBodies(const std::string& uri);
// What a key would sign: {"challenge":".."}.
std::vector<std::string> ChallengeBodies(const std::string& line);

}  // namespace holdpoint
