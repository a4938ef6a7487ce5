#include "agent/export/test_events.h"

namespace holdpoint {
namespace {

constexpr int64_t kTime = 1'700'000'000'123'456'789;

class Events {
 public:
  v1::Envelope& Add(const std::string& name, bool of_session = true) {
    v1::Envelope event;
    event.set_schema(1);
    const auto number = static_cast<uint64_t>(all_.size() + 1);
    event.set_sequence(number);
    event.set_time_unix_ns(kTime + static_cast<int64_t>(number) * 1'000'000'000);
    event.set_boot_ns(5'000'000'000 + number);
    v1::StreamId& stream = *event.mutable_stream();
    stream.set_host("build-7.example.com");
    stream.set_host_id("6f1c8a1e0d3b4c5a");
    stream.set_boot_id("2b1f0d9c-5b0e-4a51-8f3e-7d1c2b3a4f5e");
    stream.set_instance("default");
    stream.set_run_id("0123456789abcdef0123456789abcdef");
    if (of_session) {
      event.set_session("s-1f3c-12");
      event.set_session_sequence(number);
      event.set_environment("staging");
      event.set_rung("exec: sigstop+ptrace");
    }
    all_.emplace_back(name, std::move(event));
    return all_.back().second;
  }
  std::vector<std::pair<std::string, v1::Envelope>> Take() { return std::move(all_); }

 private:
  std::vector<std::pair<std::string, v1::Envelope>> all_;
};

void FillProcess(v1::Process& process, const std::string& executable, std::vector<std::string> argv) {
  process.set_tgid(4242);
  process.set_start_boot_ns(4'900'000'000);
  process.set_parent_tgid(4200);
  process.set_parent_start_boot_ns(4'800'000'000);
  process.set_uid(1000);
  process.set_gid(1000);
  process.set_executable(executable);
  process.set_working_directory("/home/dev/src/shop");
  for (std::string& word : argv) process.add_argv(std::move(word));
  process.set_exec_id(77);
  process.add_started_by("bash -lc ./deploy.sh");
  process.add_started_by("claude");
  process.set_coding_agent("claude-code");
}

v1::Judgement Destroys(v1::Verdict verdict) {
  v1::Judgement judgement;
  judgement.set_verdict(verdict);
  judgement.set_rule("http-graphql-destroy");
  judgement.set_effect(v1::EFFECT_DESTROY);
  judgement.set_recoverability(v1::RECOVERABILITY_IRREVERSIBLE);
  v1::Tags& tags = *judgement.mutable_tags();
  tags.mutable_session()->set_environment("staging");
  tags.mutable_session()->set_source("workspace ~/src/shop");
  tags.mutable_credential()->set_environment("production");
  tags.mutable_credential()->set_source("fingerprint");
  tags.mutable_target()->set_environment("production");
  tags.mutable_target()->set_protected_(true);
  tags.set_crossing(true);
  judgement.mutable_resource()->set_type("volume");
  judgement.mutable_resource()->set_id("3d2c42fb-aaaa");
  judgement.mutable_resource()->set_backups("on the same volume");
  v1::Credential& credential = *judgement.add_credentials();
  credential.set_kind("bearer");
  credential.set_fingerprint("fp:0123456789abcdef");
  credential.set_tag_name("account-token");
  judgement.set_summary("curl POST backboard.railway.app volumeDelete \"3d2c42fb...\"");
  judgement.set_reason("deletes a volume for good, its backups are on the same volume; the token is tagged production");
  judgement.add_techniques("T1485");
  judgement.add_techniques("T1552.001");
  judgement.set_act_digest(std::string(32, '\x5a'));
  judgement.set_policy_hash("9f86d081884c7d65");
  return judgement;
}

v1::Judgement Removes(v1::Verdict verdict) {
  v1::Judgement judgement;
  judgement.set_verdict(verdict);
  judgement.set_rule("files-rm");
  judgement.set_effect(v1::EFFECT_DESTROY);
  judgement.set_recoverability(v1::RECOVERABILITY_IRREVERSIBLE);
  judgement.mutable_tags()->mutable_session()->set_environment("staging");
  judgement.mutable_tags()->mutable_target()->set_environment("production");
  judgement.mutable_tags()->mutable_target()->set_protected_(true);
  judgement.mutable_tags()->set_crossing(true);
  judgement.mutable_resource()->set_type("path");
  judgement.mutable_resource()->set_id("/srv/live/orders.db");
  judgement.set_summary("rm -rf /srv/live/orders.db");
  judgement.set_reason("deletes /srv/live/orders.db for good, which is tagged production");
  judgement.add_techniques("T1485");
  return judgement;
}

void AddExec(Events& events, const std::string& name, const v1::Judgement& judgement, const std::string& ticket = "",
             bool held = false) {
  v1::Exec& exec = *events.Add(name).mutable_exec();
  const bool file = judgement.resource().type() == "path";
  if (file) {
    FillProcess(*exec.mutable_process(), "/usr/bin/rm", {"rm", "-rf", "/srv/live/orders.db"});
  } else {
    FillProcess(*exec.mutable_process(), "/usr/bin/curl",
                {"curl", "-sS", "-H", "Authorization: Bearer <redacted fp:0123456789abcdef>", "-d",
                 "{\"query\":\"mutation { volumeDelete(volumeId: \\\"3d2c42fb-aaaa\\\") }\"}",
                 "https://backboard.railway.app/graphql/v2"});
  }
  *exec.mutable_judgement() = judgement;
  exec.set_consult_ns(90'000);
  exec.set_held(held);
  exec.set_ticket(ticket);
}

void AddActs(Events& events) {
  AddExec(events, "exec_refused", Destroys(v1::VERDICT_REFUSE), "HP-4K7Q");
  AddExec(events, "exec_held", Destroys(v1::VERDICT_HOLD), "HP-4K7R", true);
  AddExec(events, "file_refused", Removes(v1::VERDICT_REFUSE), "HP-4K7S");
  v1::Judgement observed = Removes(v1::VERDICT_HOLD);
  observed.set_observed_only(true);
  AddExec(events, "file_observed", observed);
  v1::Judgement approved = Removes(v1::VERDICT_HOLD);
  approved.set_passed_by("AP-4K7Q by dana");
  AddExec(events, "exec_approved", approved);
  v1::Judgement audited = Removes(v1::VERDICT_AUDIT);
  audited.set_recoverability(v1::RECOVERABILITY_RECOVERABLE);
  AddExec(events, "exec_audited", audited);
  v1::Judgement allowed;
  allowed.set_verdict(v1::VERDICT_ALLOW);
  allowed.set_rule("default");
  AddExec(events, "exec_allowed", allowed);
  v1::Judgement repeated = Destroys(v1::VERDICT_KILL_SESSION);
  repeated.set_repeats("HP-4K7Q");
  AddExec(events, "session_killed", repeated);

  v1::Connect& connect = *events.Add("connect_refused").mutable_connect();
  FillProcess(*connect.mutable_process(), "/usr/bin/psql", {});
  connect.set_protocol("tcp");
  connect.set_address("10.1.2.3");
  connect.set_port(5432);
  connect.set_ticket("HP-4K7T");
  v1::Judgement& judgement = *connect.mutable_judgement();
  judgement.set_verdict(v1::VERDICT_REFUSE);
  judgement.set_rule("connect-crossing");
  judgement.set_reason("10.1.2.3 is tagged production, this session is staging");
  judgement.mutable_tags()->mutable_session()->set_environment("staging");
  judgement.mutable_tags()->mutable_destination()->set_environment("production");
  judgement.mutable_tags()->mutable_target()->set_environment("production");
  judgement.mutable_tags()->set_crossing(true);
}

void AddOutcomes(Events& events) {
  v1::Outcome& refused = *events.Add("outcome_refused").mutable_outcome();
  FillProcess(*refused.mutable_process(), "/usr/bin/curl", {"curl", "-sS"});
  refused.set_exec_id(77);
  refused.set_ticket("HP-4K7Q");
  refused.set_what("refused");
  refused.set_exit_status(126);
  refused.set_told(true);
  *refused.mutable_judgement() = Destroys(v1::VERDICT_REFUSE);
  v1::Outcome& released = *events.Add("outcome_released").mutable_outcome();
  FillProcess(*released.mutable_process(), "/usr/bin/curl", {"curl", "-sS"});
  released.set_ticket("HP-4K7R");
  released.set_what("released");
  released.set_detail("approved by dana");
  released.set_held_ns(4'200'000'000);
  v1::Outcome& killed = *events.Add("outcome_killed").mutable_outcome();
  FillProcess(*killed.mutable_process(), "/usr/bin/curl", {});
  killed.set_what("killed");
  killed.set_detail("the ring was full");

  v1::Decision& approve = *events.Add("decision_approve").mutable_decision();
  approve.set_ticket("HP-4K7R");
  approve.set_decision("approve");
  approve.set_by("dana");
  approve.set_role("production");
  approve.set_presence("pam");
  approve.set_reason("the volume is empty, I looked");
  approve.set_scope("once");
  approve.set_accepted(true);
  approve.set_rule("http-graphql-destroy");
  approve.set_environment("production");
  approve.mutable_resource()->set_type("volume");
  approve.mutable_resource()->set_id("3d2c42fb-aaaa");
  approve.add_approved_by("dana");
  approve.set_summary("curl POST backboard.railway.app volumeDelete");
  v1::Decision& refused_one = *events.Add("decision_not_accepted").mutable_decision();
  refused_one.set_ticket("HP-4K7Q");
  refused_one.set_decision("approve");
  refused_one.set_by("dana");
  refused_one.set_refused_because("the command comes from inside session s-1f3c-12");
  v1::Decision& glass = *events.Add("break_glass", false).mutable_decision();
  glass.set_decision("break-glass");
  glass.set_by("dana");
  glass.set_presence("totp");
  glass.set_reason("production is down");
  glass.set_environment("production");
  glass.set_accepted(true);
}

void AddSessions(Events& events) {
  v1::SessionStarted& started = *events.Add("session_started").mutable_session_started();
  FillProcess(*started.mutable_root(), "/usr/bin/node", {"claude", "--dangerously-skip-permissions"});
  started.set_coding_agent("claude-code");
  started.set_recognised_by("program");
  started.set_user("dev");
  started.set_workspace("/home/dev/src/shop");
  started.set_git_branch("fix-login");
  started.mutable_environment()->set_environment("staging");
  started.add_guards_off("--dangerously-skip-permissions");
  v1::SessionUpdated& updated = *events.Add("session_updated").mutable_session_updated();
  updated.set_because("ids of its tools");
  updated.set_coding_agent("claude-code");
  v1::SessionEnded& ended = *events.Add("session_ended").mutable_session_ended();
  ended.set_reason("exited");
  ended.set_execs(120);
  ended.set_connects(4);
  ended.set_refused(1);
  ended.set_coding_agent("claude-code");
  v1::Escaped& escaped = *events.Add("escaped").mutable_escaped();
  FillProcess(*escaped.mutable_process(), "/usr/bin/docker", {"docker", "run", "alpine"});
  escaped.set_kind("docker");
  escaped.set_by("unix socket");
  escaped.set_target("/run/docker.sock");
  v1::CredentialRead& secret = *events.Add("credential_read").mutable_credential_read();
  FillProcess(*secret.mutable_process(), "/usr/bin/cat", {});
  secret.set_file("/home/dev/domains/.env");
  secret.set_credential("railway-account-token");
  secret.mutable_environment()->set_environment("production");
  secret.mutable_environment()->set_protected_(true);
  secret.set_read(true);
  secret.set_inode(4711);
  v1::Rollup& execs = *events.Add("execs_counted").mutable_rollup();
  execs.set_kind("exec");
  execs.set_subject("/usr/bin/git");
  execs.set_count(31);
  execs.set_first_unix_ns(kTime);
  execs.set_last_unix_ns(kTime + 50'000'000'000);
  v1::Rollup& connects = *events.Add("connects_counted").mutable_rollup();
  connects.set_kind("connect");
  connects.set_subject("140.82.121.4:443");
  connects.set_count(3);
  connects.set_first_unix_ns(kTime);
  connects.set_last_unix_ns(kTime + 50'000'000'000);
}

void AddHost(Events& events) {
  v1::Loss& loss = *events.Add("loss", false).mutable_loss();
  loss.set_stage("ring");
  loss.set_reason("full");
  loss.set_count(3);
  v1::Tombstone& tombstone = *events.Add("tombstone", false).mutable_tombstone();
  tombstone.set_first_sequence(1);
  tombstone.set_last_sequence(9);
  tombstone.set_last_hash(std::string(32, '\x11'));
  tombstone.set_reason("the spool is full");
  v1::DaemonState& started = *events.Add("daemon_started", false).mutable_daemon();
  started.set_state("started");
  started.set_version("0.1.0");
  v1::DaemonState& tamper = *events.Add("tamper").mutable_daemon();
  tamper.set_state("tamper");
  tamper.set_detail("process 4242: signal 9 to process 812; denied");
  v1::ConfigLoaded& config = *events.Add("config_not_accepted", false).mutable_config_loaded();
  config.set_problem("holdpoint.yaml:3:1: limit: wanted a key that is known");
  v1::ModeChanged& mode = *events.Add("mode_changed", false).mutable_mode_changed();
  mode.set_change("set");
  mode.set_kind("environment");
  mode.set_name("staging");
  mode.set_from("enforce");
  mode.set_to("observe");
  mode.set_by("dana");
  mode.set_presence("pam");
  mode.set_accepted(true);
  v1::Heartbeat& heartbeat = *events.Add("heartbeat", false).mutable_heartbeat();
  heartbeat.set_sequence(17);
  (*heartbeat.mutable_counters())["execs"] = 120;
  v1::TestAlert& test = *events.Add("test_alert", false).mutable_test_alert();
  test.set_id("5f0c");
  test.set_note("a test: nothing happened");
  test.set_by("dana");
  v1::Loss& unknown = *events.Add("loss_of_unknown_number", false).mutable_loss();
  unknown.set_stage("gate");
  unknown.set_reason("what was not written: the host went down, or the kernel's maps are gone");
  unknown.set_unknown(true);
  unknown.set_first_unix_ns(kTime - 50'000'000'000);
  unknown.set_last_unix_ns(kTime);
  unknown.set_run_id("0b1c");
}

}  // namespace

std::vector<std::pair<std::string, v1::Envelope>> ExportedEvents() {
  Events events;
  AddActs(events);
  AddOutcomes(events);
  AddSessions(events);
  AddHost(events);
  return events.Take();
}

}  // namespace holdpoint
