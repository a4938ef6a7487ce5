#include "agent/kernel/kernel.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/kernel/destinations.h"
#include "agent/kernel/handles.h"
#include "agent/kernel/images.h"
#include "agent/kernel/ladder.h"
#include "agent/kernel/loader.h"
#include "agent/kernel/maps.h"
#include "agent/kernel/pins.h"
#include "agent/kernel/scope_claim.h"
#include "agent/kernel/tasks.h"
#include "agent/kernel/triage.h"

namespace holdpoint {
namespace {

// One file for each live daemon of this host, so that two never watch one process. Not below the daemon's own run
// directory: every daemon must find the others.
constexpr char kScopeRegistry[] = "/run/holdpoint-scopes";

// Records taken from a ring in one drain; what is left keeps the descriptor readable.
constexpr int kDrainBatch = 4096;

// How long the judge's word on an interpreter's script is believed: nobody sees when a script changes.
constexpr int kLabelAttempts = 3;  // of one process; past it something else is wrong
constexpr absl::Duration kScriptBelieved = absl::Minutes(10);

// One ring buffer and the sink that drains it at the moment.
class Ring {
 public:
  // Its records are taken into `account` as those of the ring `number`.
  absl::Status Open(int map_fd, const char* name, size_t number, Account* account) {
    number_ = number;
    account_ = account;
    ring_.reset(ring_buffer__new(map_fd, &Ring::Take, this, nullptr));
    if (ring_ == nullptr) return ErrnoStatus(name);
    // The first page of a ring's mapping: how far it was read.
    HP_ASSIGN_OR_RETURN(consumed_, MappedValue<uint64_t>::Map(map_fd, name));
    return absl::OkStatus();
  }
  uint64_t consumed() const { return LoadField(*consumed_.get()); }
  int fd() const { return ring_buffer__epoll_fd(ring_.get()); }

  absl::Status Drain(const Kernel::Sink& sink) {
    sink_ = &sink;
    left_ = kDrainBatch;
    const int result = ring_buffer__consume(ring_.get());
    sink_ = nullptr;
    if (result < 0 && result != -EAGAIN) return ErrnoStatus("ring buffer", -result);
    return absl::OkStatus();
  }

 private:
  static int Take(void* self, void* data, size_t size) {
    Ring& ring = *static_cast<Ring*>(self);
    const auto record = absl::MakeConstSpan(static_cast<const std::byte*>(data), size);
    ring.account_->Take(ring.number_, ring.consumed(), record);
    (*ring.sink_)(record);
    return --ring.left_ > 0 ? 0 : -EAGAIN;  // Stops after this record, which counts as taken.
  }

  RingPtr ring_;
  MappedValue<uint64_t> consumed_;
  size_t number_ = 0;
  Account* account_ = nullptr;
  const Kernel::Sink* sink_ = nullptr;
  int left_ = 0;
};

class KernelImpl final : public Kernel {
 public:
  absl::Status Start(const Options& options) {
    options_ = options;
    CaptureLibbpfLog();
    if (access("/sys/kernel/btf/vmlinux", R_OK) != 0) {
      return absl::FailedPreconditionError(
          "this kernel has no BTF (/sys/kernel/btf/vmlinux): Holdpoint needs CONFIG_DEBUG_INFO_BTF=y");
    }
    HP_ASSIGN_OR_RETURN(scope_, ResolveScope(options.scope_cgroup));
    HP_ASSIGN_OR_RETURN(claim_, ClaimScope(scope_, kScopeRegistry));
    HP_ASSIGN_OR_RETURN(pins_, Pins::Open(options.pin_dir));
    const std::vector<uint32_t> earlier = pins_.Loads();
    took_over_ = pins_.HadMaps();
    load_ = earlier.empty() ? 1 : earlier.back() + 1;
    HP_RETURN_IF_ERROR(pins_.MakeLinkDirectory(load_));
    if (absl::Status status = LoadAndAttach(); !status.ok()) {
      DetachAll();
      (void)pins_.RemoveLoad(load_);
      return status;
    }
    Activate();
    for (uint32_t load : earlier) HP_RETURN_IF_ERROR(pins_.RemoveLoad(load));
    return absl::OkStatus();
  }

  std::vector<Rung> Rungs() const override { return rungs_; }
  bool TookOver() const override { return took_over_; }

  int UrgentFd() const override { return urgent_.fd(); }
  absl::Status DrainUrgent(const Sink& sink) override { return urgent_.Drain(sink); }
  absl::Status DrainEvents(const Sink& sink) override { return events_.Drain(sink); }

  Account& account() override { return account_; }
  const Account::Left& left_unwritten() const override { return left_; }

  void Beat(BootTime now) override { StoreField<__u64>(*beat_.get(), now.ns); }

  absl::StatusOr<hp_label> Label(int pidfd) override { return labels_.Get(pidfd); }
  absl::Status SetLabel(int pidfd, const hp_label& label) override {
    absl::StatusOr<pid_t> tgid = PidOfPidfd(pidfd);
    HP_RETURN_IF_ERROR(labels_.Set(pidfd, label));
    if (label.session == 0 && tgid.ok() && iterator_ != nullptr) return iterator_->Unlabel(*tgid);
    return absl::OkStatus();
  }
  absl::Status SetTaskState(int pidfd, uint64_t exec_id, hp_task_state state) override {
    return labels_.SetState(pidfd, exec_id, state);
  }

  absl::StatusOr<int> LabelTree(int pidfd, SessionNumber session, uint32_t root_flags,
                                const std::set<SessionNumber>& keep) override;
  absl::StatusOr<std::vector<LabelledTask>> LabelledTasks() override;
  absl::StatusOr<std::vector<Task>> Tasks(pid_t root) override;

  absl::StatusOr<SessionNumber> NewSession(const hp_session& session) override {
    if (session.environment >= HP_ENV_MAX) {
      return absl::InvalidArgumentError(absl::StrCat("environment number ", session.environment));
    }
    const SessionNumber number = __atomic_add_fetch(&config_.get()->next_session, 1, __ATOMIC_ACQ_REL);
    HP_RETURN_IF_ERROR(sessions_.Put(number, session, BPF_NOEXIST));
    return number;
  }
  absl::Status SetSession(SessionNumber number, const hp_session& session) override {
    if (session.environment >= HP_ENV_MAX) {
      return absl::InvalidArgumentError(absl::StrCat("environment number ", session.environment));
    }
    return sessions_.Put(number, session, BPF_EXIST);
  }
  absl::Status EraseSession(SessionNumber number) override { return sessions_.Erase(number); }
  absl::StatusOr<std::map<SessionNumber, hp_session>> Sessions() override {
    std::map<SessionNumber, hp_session> sessions;
    for (const uint64_t number : sessions_.Keys()) {
      if (absl::StatusOr<hp_session> session = sessions_.Get(number); session.ok()) sessions[number] = *session;
    }
    return sessions;
  }

  absl::Status SetPolicyGeneration(uint32_t generation) override {
    StoreField(config_.get()->policy_generation, generation);
    if (triage_generation_ != generation) return absl::OkStatus();
    return TrimTriage(TriageMapsOf(), triage_names_, triage_sizes_);
  }
  uint32_t PolicyGeneration() const override { return LoadField(config_.get()->policy_generation); }
  absl::Status SetTriage(const TriageTables& tables, uint32_t generation) override {
    HP_RETURN_IF_ERROR(PutTriage(TriageMapsOf(), tables, generation));
    triage_generation_ = generation;
    triage_names_ = tables.names;
    triage_sizes_ = tables.sizes;
    return absl::OkStatus();
  }
  absl::Status SetClass(const FileId& file, hp_class_value value, uint32_t start, uint32_t generation) override {
    const absl::Time ctime = absl::FromUnixNanos(static_cast<int64_t>(file.ctime_ns));
    const hp_file_key key{.dev = file.dev, .ino = file.ino};
    if (Clock::Real().Wall() - ctime < kFreshFile) return class_.Erase(key);
    return class_.Put(key, {.ctime_ns = file.ctime_ns,
                            .value = static_cast<uint32_t>(value) | start << HP_CLASS_START_SHIFT,
                            .generation = generation});
  }
  absl::Status SetProgram(const FileId& file, uint64_t script, hp_program_value value, uint32_t generation) override {
    const hp_program_key key{.dev = file.dev, .ino = file.ino, .script = script};
    const absl::Time ctime = absl::FromUnixNanos(static_cast<int64_t>(file.ctime_ns));
    if (Clock::Real().Wall() - ctime < kFreshFile) return programs_.Erase(key);
    const uint64_t expires = script == 0 ? 0 : (Clock::Real().Boot() + kScriptBelieved).ns;
    return programs_.Put(
        key, {.ctime_ns = file.ctime_ns, .expires_boot_ns = expires, .value = value, .generation = generation});
  }
  absl::Status SetAgentNames(const std::vector<std::string>& names) override;
  absl::Status SetRecognition(bool on, uint32_t default_flags, uint32_t default_environment) override {
    if (default_environment >= HP_ENV_MAX) {
      return absl::InvalidArgumentError(absl::StrCat("environment number ", default_environment));
    }
    StoreField(config_.get()->default_flags, default_flags);
    StoreField(config_.get()->default_env, default_environment);
    StoreField<__u32>(config_.get()->recognise, on ? 1 : 0);
    return absl::OkStatus();
  }

  absl::Status SetDestinations(const std::vector<DestinationPrefix>& prefixes) override {
    return ReplaceDestinations(dest4_, dest6_, prefixes);
  }
  absl::Status SetAction(uint32_t session_environment, uint32_t destination_environment, hp_action action) override {
    if (session_environment >= HP_ENV_MAX || destination_environment >= HP_ENV_MAX) {
      return absl::InvalidArgumentError(
          absl::StrCat("environment numbers ", session_environment, " and ", destination_environment));
    }
    return actions_.Put(session_environment * HP_ENV_MAX + destination_environment, action);
  }
  absl::Status AllowConnects(const hp_connect_key& key, const hp_connect_pass& pass) override {
    return connect_pass_.Put(key, pass);
  }
  absl::Status ForbidConnects(const hp_connect_key& key) override { return connect_pass_.Erase(key); }
  std::vector<std::pair<hp_connect_key, hp_connect_pass>> ConnectPasses() override {
    std::vector<std::pair<hp_connect_key, hp_connect_pass>> passes;
    for (const hp_connect_key& key : connect_pass_.Keys()) {
      if (absl::StatusOr<hp_connect_pass> pass = connect_pass_.Get(key); pass.ok()) passes.emplace_back(key, *pass);
    }
    return passes;
  }

  absl::Status SetOff(BootTime until) override { return off_.Put(0, {.until_boot_ns = until.ns}); }
  absl::Status SetGlass(uint32_t environment, BootTime until) override {
    if (environment == 0 || environment >= HP_ENV_MAX) {
      return absl::InvalidArgumentError(absl::StrCat("environment number ", environment));
    }
    return glass_.Put(environment, {.until_boot_ns = until.ns});
  }
  absl::StatusOr<LiftedTimes> Lifted() override {
    LiftedTimes times;
    HP_ASSIGN_OR_RETURN(const hp_lifted off, off_.Get(0));
    times.off = BootTime{off.until_boot_ns};
    for (uint32_t environment = 1; environment < HP_ENV_MAX; ++environment) {
      HP_ASSIGN_OR_RETURN(const hp_lifted glass, glass_.Get(environment));
      if (glass.until_boot_ns != 0) times.glass[environment] = BootTime{glass.until_boot_ns};
    }
    return times;
  }

  // Nothing may begin to wait before the programs are there, or after they are gone.
  absl::Status SetGuards(bool on) override {
    if (!on) StoreField<__u32>(config_.get()->waits, 0);
    HP_RETURN_IF_ERROR(guards_.SetOn(on));
    if (on) StoreField<__u32>(config_.get()->waits, guards_.waits() ? 1 : 0);
    HP_RETURN_IF_ERROR(escapes_.SetOn(on));
    return tamper_.SetOn(on);
  }

  void SetOurs(const std::vector<pid_t>& tgids) override;
  std::vector<std::string> RepairPins() override;
  std::vector<int> WardenFds() const override {
    return {session_.MapFd("hp_config"), session_.MapFd("hp_beat"), session_.MapFd("hp_task"), session_.MapFd("hp_tgid"),
            iterator_ != nullptr ? iterator_->list_fd() : -1};
  }

  absl::StatusOr<std::vector<uint64_t>> Stats() override;

  absl::Status Detach() override {
    // A forked child may hold descriptors of links still: its programs do nothing from here on.
    StoreField<__u32>(config_.get()->active_loader, 0);
    DetachAll();
    return pins_.RemoveAll();
  }

 private:
  absl::Status LoadAndAttach();
  absl::Status LoadExec();
  TriageMaps TriageMapsOf() const { return {.tables = exec_.MapFd("hp_tmp_triage"), .names = names_, .sizes = sizes_}; }
  absl::Status OpenMaps();
  // Of this load only.
  void DetachAll() {
    (void)SetGuards(false);
    iterator_.reset();
    connect_.Detach();
    leave_.Detach();
    exec_.Detach();
    session_.Detach();
  }
  void Activate();
  // At least `root` and what is below it.
  absl::StatusOr<std::vector<hp_task_row>> ListTree(pid_t root) const {
    std::optional<std::vector<hp_task_row>> small = iterator_ != nullptr ? iterator_->Tree(root) : std::nullopt;
    return small.has_value() ? *std::move(small) : ListTasks();
  }
  absl::StatusOr<std::vector<hp_task_row>> ListTasks() const {
    return iterator_ != nullptr ? iterator_->List() : ListTasksByProc(labels_);
  }

  Options options_;
  Scope scope_;
  UniqueFd claim_;
  Pins pins_;
  bool took_over_ = false;
  uint32_t load_ = 0;
  std::vector<Rung> rungs_;

  LoadedObject session_;
  LoadedObject exec_;
  LoadedObject connect_;
  LoadedObject leave_;
  LoadedObject iter_;
  Guards guards_;
  Escapes escapes_;
  TamperWatch tamper_;
  std::unique_ptr<TaskIterator> iterator_;

  MappedValue<hp_config> config_;
  MappedValue<__u64> beat_;
  TaskLabels labels_;
  MapView<uint64_t, hp_session> sessions_;
  MapView<hp_file_key, hp_class_entry> class_;
  MapView<hp_program_key, hp_program_entry> programs_;
  MapView<hp_basename, uint32_t> agents_;
  MapView<hp_basename, uint32_t> names_;
  MapView<uint64_t, uint32_t> sizes_;
  // What the last SetTriage was given.
  std::optional<uint32_t> triage_generation_;
  std::vector<std::string> triage_names_;
  std::vector<uint64_t> triage_sizes_;
  MapView<uint32_t, uint64_t> ours_;
  MapView<uint32_t, uint32_t> actions_;
  MapView<hp_connect_key, hp_connect_pass> connect_pass_;
  MapView<uint32_t, hp_lifted> off_;
  MapView<uint32_t, hp_lifted> glass_;
  Dest4 dest4_;
  Dest6 dest6_;
  MappedValue<hp_account> account_page_;
  Account::Left left_;
  Account account_;
  Ring urgent_;
  Ring events_;
};

absl::Status KernelImpl::LoadAndAttach() {
  HP_ASSIGN_OR_RETURN(session_, LoadedObject::Load(SessionImage(), pins_, load_));
  HP_RETURN_IF_ERROR(OpenMaps());
  HP_RETURN_IF_ERROR(LoadExec());
  const std::string links = pins_.LinkDirectory(load_);
  HP_RETURN_IF_ERROR(session_.Attach(links, scope_.fd.get()));
  HP_RETURN_IF_ERROR(exec_.Attach(links, scope_.fd.get()));

  const LadderContext ladder{
      .pins = pins_, .load = load_, .cgroup_fd = scope_.fd.get(), .without = options_.without, .rungs = rungs_};
  rungs_.push_back({.capability = "exec", .in_use = "sched_process_exec + SIGSTOP", .missing = ""});
  guards_.Try(ladder);
  tamper_.Try(ladder);
  connect_ = TryConnect(ladder);
  escapes_.Try(ladder);
  leave_ = TryLeave(ladder, scope_.host ? 0 : scope_.lineage.back());
  iterator_ = TryIterator(ladder, iter_);
  // The earlier daemon's guards go with its load; what it held stays guarded.
  if (took_over_ && !sessions_.Keys().empty()) return SetGuards(true);
  return absl::OkStatus();
}

// With the automata of triage, or without: then every exec of a session is asked about.
absl::Status KernelImpl::LoadExec() {
  absl::StatusOr<LoadedObject> with = absl::UnavailableError("left unused on request");
  if (std::find(options_.without.begin(), options_.without.end(), "triage") == options_.without.end()) {
    with = LoadedObject::Load(ExecImage(), pins_, load_);
  }
  if (with.ok()) {
    exec_ = *std::move(with);
    rungs_.push_back({.capability = "triage", .in_use = "automata over argv", .missing = ""});
    return absl::OkStatus();
  }
  HP_ASSIGN_OR_RETURN(exec_, LoadedObject::Load(ExecImage(), pins_, load_, {}, {{".rodata.triage", 0}}));
  rungs_.push_back({.capability = "triage", .in_use = "none", .missing = absl::StrCat("every exec is asked about: ", with.status().message())});
  return absl::OkStatus();
}

absl::Status KernelImpl::OpenMaps() {
  auto fd = [this](const char* name) { return session_.MapFd(name); };
  HP_ASSIGN_OR_RETURN(config_, MappedValue<hp_config>::Map(fd("hp_config"), "hp_config"));
  HP_ASSIGN_OR_RETURN(beat_, MappedValue<__u64>::Map(fd("hp_beat"), "hp_beat"));
  labels_ = TaskLabels(fd("hp_task"), fd("hp_tgid"));
  sessions_ = {fd("hp_sessions"), "hp_sessions"};
  class_ = {fd("hp_class"), "hp_class"};
  programs_ = {fd("hp_programs"), "hp_programs"};
  agents_ = {fd("hp_agents"), "hp_agents"};
  names_ = {fd("hp_names"), "hp_names"};
  sizes_ = {fd("hp_sizes"), "hp_sizes"};
  ours_ = {fd("hp_ours"), "hp_ours"};
  actions_ = {fd("hp_actions"), "hp_actions"};
  connect_pass_ = {fd("hp_connect_pass"), "hp_connect_pass"};
  off_ = {fd("hp_off"), "hp_off"};
  glass_ = {fd("hp_glass"), "hp_glass"};
  dest4_ = {fd("hp_dest4"), "hp_dest4"};
  dest6_ = {fd("hp_dest6"), "hp_dest6"};
  HP_RETURN_IF_ERROR(urgent_.Open(fd("hp_urgent"), "hp_urgent", 0, &account_));
  HP_RETURN_IF_ERROR(events_.Open(fd("hp_events"), "hp_events", 1, &account_));
  HP_ASSIGN_OR_RETURN(account_page_, MappedValue<hp_account>::Map(fd("hp_account"), "hp_account"));
  left_ = Account::LeftIn(*account_page_.get(), {urgent_.consumed(), events_.consumed()});
  account_.Keep(account_page_.get(), left_, Clock::Real().Boot());
  const MapView<uint32_t, int> scope(fd("hp_scope"), "hp_scope");
  return scope.Put(0, scope_.fd.get());
}

// From the last store on this load's programs act and the earlier ones do not.
void KernelImpl::Activate() {
  hp_config& config = *config_.get();
  if (!took_over_) {
    // Numbers never come twice on one boot, also when the pins were removed in between.
    const uint64_t base = Clock::Real().Boot().ns / 1000;
    StoreField<__u64>(config.next_session, base);
    StoreField<__u64>(config.next_exec, base);
  }
  StoreField<__u64>(*beat_.get(), 0);
  StoreField<__u64>(config.stale_after_ns, static_cast<uint64_t>(absl::ToInt64Nanoseconds(options_.stale_after)));
  StoreField<__u32>(config.gate_tgid, static_cast<uint32_t>(getpid()));
  StoreField<__u32>(config.scope_is_host, scope_.host ? 1 : 0);
  StoreField<__u32>(config.active_loader, load_);
}

void KernelImpl::SetOurs(const std::vector<pid_t>& tgids) {
  std::set<uint32_t> wanted;
  for (const pid_t tgid : tgids) {
    if (tgid > 0) wanted.insert(static_cast<uint32_t>(tgid));
  }
  for (const uint32_t tgid : ours_.Keys()) {
    if (!wanted.contains(tgid)) (void)ours_.Erase(tgid);
  }
  for (const uint32_t tgid : wanted) {
    if (absl::Status put = ours_.Put(tgid, 1); !put.ok()) LogWarning("own processes: ", put.message());
  }
}

std::vector<std::string> KernelImpl::RepairPins() {
  if (LoadField(config_.get()->active_loader) != load_) return {};  // Taken away by ourselves.
  std::vector<std::string> repaired;
  const auto add = [&](std::vector<std::string> paths) {
    repaired.insert(repaired.end(), paths.begin(), paths.end());
  };
  add(session_.RepairPins());
  add(exec_.RepairPins());
  add(connect_.RepairPins());
  add(leave_.RepairPins());
  add(guards_.RepairPins());
  add(escapes_.RepairPins());
  add(tamper_.RepairPins());
  add(session_.RepairMapPins(pins_));
  return repaired;
}

absl::StatusOr<int> KernelImpl::LabelTree(int pidfd, SessionNumber session, uint32_t root_flags,
                                          const std::set<SessionNumber>& keep) {
  HP_ASSIGN_OR_RETURN(const pid_t root, PidOfPidfd(pidfd));
  std::map<uint32_t, int> tree;  // tgid, and how often it was labelled
  // A child made before its parent got the label is found by the next round; one made after it has the label. An exec at
  // the same moment may have begun a session of its own: it is labelled once more.
  for (bool changed = true; changed;) {
    changed = false;
    HP_ASSIGN_OR_RETURN(const std::vector<hp_task_row> rows, ListTree(root));
    for (const hp_task_row& row : rows) {
      const bool is_root = row.tgid == static_cast<uint32_t>(root);
      if (!is_root && !tree.contains(row.tgid) && !tree.contains(row.ppid)) continue;
      changed |= tree.try_emplace(row.tgid, 0).second;
      if (row.label.session == session || (!is_root && keep.contains(row.label.session))) continue;
      if (tree[row.tgid]++ == kLabelAttempts) continue;
      changed = true;
      hp_label label = row.label;
      if (label.session == 0) label.exec_id = __atomic_add_fetch(&config_.get()->next_exec, 1, __ATOMIC_ACQ_REL);
      label.session = session;
      label.start_boot_ns = row.start_boot_ns;
      label.flags = is_root ? root_flags : 0;
      absl::StatusOr<UniqueFd> child = OpenPidfd(static_cast<pid_t>(row.tgid));
      const absl::Status set = child.ok() ? labels_.Set(is_root ? pidfd : child->get(), label) : child.status();
      if (!set.ok() && !absl::IsNotFound(set)) return set;
      if (!set.ok() && is_root) return set;
    }
  }
  if (tree.empty()) return absl::NotFoundError(absl::StrCat("process ", root, " has ended"));
  return static_cast<int>(tree.size());
}

absl::StatusOr<std::vector<Kernel::LabelledTask>> KernelImpl::LabelledTasks() {
  HP_ASSIGN_OR_RETURN(const std::vector<hp_task_row> rows, ListTasks());
  std::vector<LabelledTask> tasks;
  for (const hp_task_row& row : rows) {
    if (row.label.session == 0) continue;
    tasks.push_back(
        {.id = {.tgid = static_cast<pid_t>(row.tgid), .start_boot_ns = row.start_boot_ns}, .label = row.label});
  }
  return tasks;
}

absl::StatusOr<std::vector<Kernel::Task>> KernelImpl::Tasks(pid_t root) {
  HP_ASSIGN_OR_RETURN(const std::vector<hp_task_row> rows, root == 0 ? ListTasks() : ListTree(root));
  std::vector<Task> tasks;
  tasks.reserve(rows.size());
  for (const hp_task_row& row : rows) {
    tasks.push_back({.id = {.tgid = static_cast<pid_t>(row.tgid), .start_boot_ns = row.start_boot_ns},
                     .parent = static_cast<pid_t>(row.ppid),
                     .label = row.label});
  }
  return tasks;
}

absl::Status KernelImpl::SetAgentNames(const std::vector<std::string>& names) {
  std::set<std::string> wanted(names.begin(), names.end());
  for (const std::string& name : wanted) {
    if (name.empty() || name.size() >= HP_BASENAME_MAX || name.find('/') != std::string::npos) {
      return absl::InvalidArgumentError(absl::StrCat("coding agent's file name \"", name, "\": want 1 to ",
                                                     HP_BASENAME_MAX - 1, " characters and no slash"));
    }
  }
  for (const std::string& name : wanted) {
    hp_basename key{};
    std::memcpy(key.name, name.data(), name.size());
    HP_RETURN_IF_ERROR(agents_.Put(key, 1));
  }
  for (const hp_basename& key : agents_.Keys()) {
    if (!wanted.contains(std::string(key.name, strnlen(key.name, sizeof(key.name))))) {
      HP_RETURN_IF_ERROR(agents_.Erase(key));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<uint64_t>> KernelImpl::Stats() {
  const int cpus = libbpf_num_possible_cpus();
  if (cpus <= 0) return ErrnoStatus("number of cpus", -cpus);
  std::vector<uint64_t> sums(HP_STAT_COUNT, 0);
  std::vector<uint64_t> values(static_cast<size_t>(cpus), 0);
  for (uint32_t stat = 0; stat < HP_STAT_COUNT; ++stat) {
    if (bpf_map_lookup_elem(session_.MapFd("hp_stats"), &stat, values.data()) != 0) return ErrnoStatus("hp_stats");
    for (uint64_t value : values) sums[stat] += value;
  }
  return sums;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Kernel>> Kernel::Open(const Options& options) {
  auto kernel = std::make_unique<KernelImpl>();
  HP_RETURN_IF_ERROR(kernel->Start(options));
  return kernel;
}

}  // namespace holdpoint
