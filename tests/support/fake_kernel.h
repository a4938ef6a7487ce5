#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agent/kernel/kernel.h"

namespace holdpoint {

// A kernel as data: keeps what it is told, and answers from it.
class FakeKernel : public Kernel {
 public:
  std::vector<Rung> Rungs() const override { return {}; }
  bool TookOver() const override { return false; }
  int UrgentFd() const override { return -1; }
  absl::Status DrainUrgent(const Sink&) override { return absl::OkStatus(); }
  absl::Status DrainEvents(const Sink&) override { return absl::OkStatus(); }
  Account& account() override { return account_; }
  const Account::Left& left_unwritten() const override { return left; }
  void Beat(BootTime now) override { beat = now; }
  absl::StatusOr<hp_label> Label(int) override { return absl::NotFoundError("no label"); }
  absl::Status SetLabel(int, const hp_label&) override { return absl::OkStatus(); }
  absl::Status SetTaskState(int, uint64_t, hp_task_state) override { return absl::OkStatus(); }
  absl::StatusOr<int> LabelTree(int, SessionNumber, uint32_t, const std::set<SessionNumber>&) override { return 1; }
  absl::StatusOr<std::vector<LabelledTask>> LabelledTasks() override { return labelled; }
  absl::StatusOr<std::vector<Task>> Tasks(pid_t) override { return std::vector<Task>(); }
  absl::StatusOr<SessionNumber> NewSession(const hp_session& session) override {
    sessions[++last_session] = session;
    return last_session;
  }
  absl::Status SetSession(SessionNumber number, const hp_session& session) override {
    sessions[number] = session;
    return absl::OkStatus();
  }
  absl::Status EraseSession(SessionNumber number) override {
    sessions.erase(number);
    return absl::OkStatus();
  }
  absl::StatusOr<std::map<SessionNumber, hp_session>> Sessions() override { return sessions; }
  absl::Status SetPolicyGeneration(uint32_t number) override {
    generation = number;
    return absl::OkStatus();
  }
  uint32_t PolicyGeneration() const override { return generation; }
  absl::Status SetTriage(const TriageTables& tables, uint32_t number) override {
    triage_rows[number] = std::string(tables.rows);
    return triage;
  }
  absl::Status SetClass(const FileId& file, hp_class_value value, uint32_t, uint32_t) override {
    classes[file] = value;
    return absl::OkStatus();
  }
  absl::Status SetProgram(const FileId& file, uint64_t script, hp_program_value value, uint32_t) override {
    programs[{file, script}] = value;
    return absl::OkStatus();
  }
  absl::Status SetAgentNames(const std::vector<std::string>& names) override {
    agent_names = names;
    return absl::OkStatus();
  }
  absl::Status SetRecognition(bool, uint32_t, uint32_t) override { return absl::OkStatus(); }
  absl::Status SetDestinations(const std::vector<DestinationPrefix>& prefixes) override {
    destinations = prefixes;
    return absl::OkStatus();
  }
  absl::Status SetAction(uint32_t from, uint32_t to, hp_action action) override {
    actions[{from, to}] = action;
    return absl::OkStatus();
  }
  absl::Status AllowConnects(const hp_connect_key&, const hp_connect_pass&) override { return absl::OkStatus(); }
  absl::Status ForbidConnects(const hp_connect_key&) override { return absl::OkStatus(); }
  std::vector<std::pair<hp_connect_key, hp_connect_pass>> ConnectPasses() override { return {}; }
  absl::Status SetOff(BootTime until) override {
    lifted.off = until;
    return absl::OkStatus();
  }
  absl::Status SetGlass(uint32_t environment, BootTime until) override {
    lifted.glass[environment] = until;
    return absl::OkStatus();
  }
  absl::StatusOr<LiftedTimes> Lifted() override { return lifted; }
  absl::Status SetGuards(bool on) override {
    guards = on;
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<uint64_t>> Stats() override { return std::vector<uint64_t>(HP_STAT_COUNT); }
  absl::Status Detach() override { return absl::OkStatus(); }

  BootTime beat;
  SessionNumber last_session = 0;
  std::vector<LabelledTask> labelled;
  std::map<SessionNumber, hp_session> sessions;
  uint32_t generation = 0;
  absl::Status triage;  // what SetTriage says
  std::map<uint32_t, std::string> triage_rows;  // by generation
  std::map<FileId, hp_class_value> classes;
  std::map<std::pair<FileId, uint64_t>, hp_program_value> programs;
  std::vector<std::string> agent_names;
  std::vector<DestinationPrefix> destinations;
  std::map<std::pair<uint32_t, uint32_t>, hp_action> actions;
  LiftedTimes lifted;
  bool guards = false;
  Account::Left left;

 private:
  Account account_;
};

}  // namespace holdpoint
