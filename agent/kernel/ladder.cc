#include "agent/kernel/ladder.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <memory>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/base/status.h"
#include "agent/kernel/images.h"

namespace holdpoint {
namespace {

// Loads and attaches; the object is returned attached.
absl::StatusOr<LoadedObject> LoadAndAttach(const LadderContext& context, const std::string& rung, const BpfImage& image,
                                           const std::vector<std::string>& only = {}) {
  if (context.Without(rung)) return absl::UnimplementedError("switched off by an option");
  HP_ASSIGN_OR_RETURN(LoadedObject object, LoadedObject::Load(image, context.pins, context.load, only));
  HP_RETURN_IF_ERROR(object.Attach(context.pins.LinkDirectory(context.load), context.cgroup_fd));
  return object;
}

}  // namespace

bool LadderContext::Without(const std::string& rung) const {
  return std::find(without.begin(), without.end(), rung) != without.end();
}

absl::StatusOr<LoadedObject*> OnDemand::Add(const LadderContext& context, const std::string& rung,
                                            const BpfImage& image, const std::vector<std::string>& only) {
  HP_ASSIGN_OR_RETURN(LoadedObject object, LoadAndAttach(context, rung, image, only));
  object.Detach();
  links_ = context.pins.LinkDirectory(context.load);
  objects_.push_back(std::make_unique<LoadedObject>(std::move(object)));
  return objects_.back().get();
}

absl::Status OnDemand::SetOn(bool on) {
  if (on == on_) return absl::OkStatus();
  for (const std::unique_ptr<LoadedObject>& object : objects_) {
    if (!on) {
      object->Detach();
    } else if (absl::Status status = object->Attach(links_, -1); !status.ok()) {
      for (const std::unique_ptr<LoadedObject>& attached : objects_) attached->Detach();
      return status;
    }
  }
  on_ = on;
  return absl::OkStatus();
}

void Guards::Try(const LadderContext& context) {
  std::vector<std::string> in_use;
  std::vector<std::string> missing;
  const auto use = [&](const char* rung, const char* what, const BpfImage& image, std::vector<std::string> only) {
    if (absl::StatusOr<LoadedObject*> object = Add(context, rung, image, only); !object.ok()) {
      missing.push_back(absl::StrCat(what, " (", object.status().message(), ")"));
      return false;
    }
    in_use.push_back(what);
    return true;
  };
  const bool on_return = use("guard-return", "return to user mode", GuardReturnImage(), {});
  if (!on_return) {
    use("guard-fault", "page fault", GuardImage(), {"hp_fault"});
    use("guard-signal", "SIGCONT seen", GuardTaskImage(), {"hp_signal_kill"});
  }
  use("guard-lsm", "LSM", GuardLsmImage(), {});
  use("guard-told", "told signals", GuardImage(), {"hp_signal"});
  use("kill-children", "children of a killed session", GuardTaskImage(), {"hp_newtask_kill"});
  context.rungs.push_back({
      .capability = "hold guard",
      .in_use = in_use.empty() ? "none" : absl::StrJoin(in_use, " + "),
      .missing = missing.empty() ? "" : absl::StrCat("not on this kernel: ", absl::StrJoin(missing, "; ")),
  });
  TryWait(context, on_return);
}

void Guards::TryWait(const LadderContext& context, bool on_return) {
  Rung rung{.capability = "jobs of shells, traced programs", .in_use = "wait as task work", .missing = ""};
  absl::StatusOr<LoadedObject*> object =
      absl::FailedPreconditionError("what gets out of the wait could not be ended on its return to user mode");
  if (on_return) object = Add(context, "wait-work", WaitWorkImage(), {});
  if (on_return && !object.ok()) {
    rung.in_use = "wait at the end of execve";
    rung.missing = absl::StrCat("wait as task work: ", object.status().message());
    object = Add(context, "wait-execve", WaitImage(), {});
  }
  if (object.ok()) {
    waits_ = true;
  } else {
    rung.in_use = "none";
    absl::StrAppend(&rung.missing, rung.missing.empty() ? "" : "; ", "a job's stop shows in its shell, one never seen "
                    "passes once, traced ones are killed: ", object.status().message());
  }
  context.rungs.push_back(rung);
}

void Escapes::Try(const LadderContext& context) {
  struct Hook {
    const char* rung;
    const char* what;
    const char* program;
  };
  Rung servers{.capability = "servers", .in_use = "none", .missing = ""};
  std::vector<std::string> missing;
  for (const Hook& hook : {Hook{"unix-lsm", "unix sockets by LSM", "hp_unix_lsm"},
                           Hook{"unix-exit", "unix sockets by the connect call's end", "hp_unix_exit"},
                           Hook{"unix-ready", "unix sockets by sk_data_ready", "hp_unix_ready"}}) {
    if (absl::StatusOr<LoadedObject*> object = Add(context, hook.rung, EscapeImage(), {hook.program}); !object.ok()) {
      missing.push_back(absl::StrCat(hook.what, " (", object.status().message(), ")"));
      continue;
    }
    servers.in_use = hook.what;
    break;
  }
  // Each rung sees the same: only to be on none of them is worth a word.
  if (servers.in_use == "none") {
    servers.missing = absl::StrCat("connects to tmux, container engines, systemd are not seen: ",
                                   absl::StrJoin(missing, "; "));
  }
  context.rungs.push_back(std::move(servers));
}

LoadedObject TryLeave(const LadderContext& context, uint64_t scope_id) {
  Rung rung{.capability = "leaving the scope", .in_use = "cgroup_attach_task", .missing = ""};
  if (scope_id == 0) {
    rung.in_use = "the scope is the whole host";
    context.rungs.push_back(std::move(rung));
    return LoadedObject();
  }
  const auto load = [&]() -> absl::StatusOr<LoadedObject> {
    if (context.Without("leave")) return absl::UnimplementedError("switched off by an option");
    HP_ASSIGN_OR_RETURN(LoadedObject object, LoadedObject::Load(LeaveImage(), context.pins, context.load));
    const uint32_t zero = 0;
    if (bpf_map_update_elem(object.MapFd("hp_tmp_scope"), &zero, &scope_id, BPF_ANY) != 0) return ErrnoStatus("hp_tmp_scope");
    HP_RETURN_IF_ERROR(object.Attach(context.pins.LinkDirectory(context.load), context.cgroup_fd));
    return object;
  };
  absl::StatusOr<LoadedObject> object = load();
  if (!object.ok()) {
    rung.in_use = "none";
    rung.missing = absl::StrCat("a process that leaves the scope's cgroup is not seen: ", object.status().message());
  }
  context.rungs.push_back(std::move(rung));
  return object.ok() ? *std::move(object) : LoadedObject();
}

std::vector<std::string> OnDemand::RepairPins() const {
  std::vector<std::string> repaired;
  for (const std::unique_ptr<LoadedObject>& object : objects_) {
    for (std::string& path : object->RepairPins()) repaired.push_back(std::move(path));
  }
  return repaired;
}

void TamperWatch::Try(const LadderContext& context) {
  Rung rung{.capability = "tamper", .in_use = "", .missing = ""};
  for (const auto& [name, what, image] : {std::tuple("tamper-lsm", "denied by LSM", TamperLsmImage()),
                                          std::tuple("tamper-told", "signals told", TamperImage())}) {
    if (absl::StatusOr<LoadedObject*> object = Add(context, name, image, {}); !object.ok()) {
      absl::StrAppend(&rung.missing, rung.missing.empty() ? "" : "; ", what, ": ", object.status().message());
      continue;
    }
    absl::StrAppend(&rung.in_use, rung.in_use.empty() ? "" : " + ", what);
  }
  if (rung.in_use.empty()) rung.in_use = "none";
  context.rungs.push_back(rung);
}

LoadedObject TryConnect(const LadderContext& context) {
  const std::vector<std::string> by_storage = {"hp_connect4", "hp_connect6", "hp_sendmsg4", "hp_sendmsg6"};
  const std::vector<std::string> by_tgid = {"hp_connect4_tg", "hp_connect6_tg", "hp_sendmsg4_tg", "hp_sendmsg6_tg"};
  Rung rung{.capability = "connect", .in_use = "cgroup, label by task storage", .missing = ""};
  absl::StatusOr<LoadedObject> object = LoadAndAttach(context, "connect-storage", ConnectImage(), by_storage);
  if (!object.ok()) {
    rung.in_use = "cgroup, label by tgid";
    rung.missing = absl::StrCat("label by task storage: ", object.status().message());
    object = LoadAndAttach(context, "connect-tgid", ConnectImage(), by_tgid);
  }
  if (!object.ok()) {
    rung.in_use = "none";
    rung.missing = absl::StrCat("connects are neither seen nor refused: ", object.status().message());
  }
  context.rungs.push_back(rung);
  return object.ok() ? *std::move(object) : LoadedObject();
}

std::unique_ptr<TaskIterator> TryIterator(const LadderContext& context, LoadedObject& object) {
  Rung rung{.capability = "task list", .in_use = "iterator", .missing = ""};
  std::unique_ptr<TaskIterator> iterator;
  absl::StatusOr<LoadedObject> loaded = absl::UnimplementedError("switched off by an option");
  if (!context.Without("iterator")) loaded = LoadedObject::Load(IterImage(), context.pins, context.load);
  if (loaded.ok()) {
    object = *std::move(loaded);
    BpfLinkPtr list(bpf_program__attach_iter(object.Program("hp_list_tasks"), nullptr));
    BpfLinkPtr unlabel(bpf_program__attach_iter(object.Program("hp_unlabel"), nullptr));
    if (list != nullptr && unlabel != nullptr) {
      iterator = std::make_unique<TaskIterator>(std::move(list), std::move(unlabel), object.Program("hp_list_tasks"),
                                                object.MapFd("hp_tmp_unlabel"));
    } else {
      loaded = ErrnoStatus("attach");
    }
  }
  if (iterator == nullptr) {
    rung.in_use = "/proc";
    rung.missing = absl::StrCat("task iterator: ", loaded.status().message());
  }
  context.rungs.push_back(rung);
  return iterator;
}

}  // namespace holdpoint
