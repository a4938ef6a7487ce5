#include "agent/gate/tamper_desk.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/base/log.h"
#include "agent/response/proc.h"
#include "agent/response/sys.h"

namespace holdpoint {
namespace {

constexpr size_t kPinsShown = 3;
constexpr absl::Duration kToldFor = absl::Seconds(1);  // A signal is read a moment after the kernel told of it.

void Stamp(const std::string& path, std::string& stamp) {
  struct stat st {};
  if (stat(path.c_str(), &st) != 0) return absl::StrAppend(&stamp, path, " gone\n");
  absl::StrAppend(&stamp, path, " ", st.st_ino, " ", st.st_size, " ", st.st_ctim.tv_sec, ".", st.st_ctim.tv_nsec, "\n");
}

// What tells one content of the policy files from another, by their inodes.
std::string PolicyStamp(const Options& options) {
  std::string stamp;
  Stamp(options.config.empty() ? "/etc/holdpoint/holdpoint.yaml" : options.config, stamp);
  std::vector<std::string> packs;
  std::error_code error;
  for (std::filesystem::directory_iterator it(options.rules, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".yaml") packs.push_back(it->path());
  }
  std::sort(packs.begin(), packs.end());
  for (const std::string& pack : packs) Stamp(pack, stamp);
  return stamp;
}

const char* Deed(hp_tamper what) {
  switch (what) {
    case HP_TAMPER_SIGNAL:
      return "signal";
    case HP_TAMPER_PTRACE:
      return "ptrace";
    case HP_TAMPER_BPF:
      return "a kernel map or program of Holdpoint opened";
  }
  return "unknown";
}

}  // namespace

TamperDesk::TamperDesk(Core core) : core_(core), policy_stamp_(PolicyStamp(core.options)) {}

void TamperDesk::PolicyLoaded() { policy_stamp_ = PolicyStamp(core_.options); }

void TamperDesk::Write(SessionNumber number, const std::string& detail) {
  LogWarning("tamper: ", detail);
  v1::Envelope envelope;
  envelope.mutable_daemon()->set_state("tamper");
  envelope.mutable_daemon()->set_detail(detail);
  core_.ledger.Write(core_.sessions.Find(number), std::move(envelope));
  core_.ledger.Sync();  // Its next deed may be the end of this process.
}

void TamperDesk::OnTamper(const TamperEvent& event) {
  std::string detail = absl::StrCat("process ", event.head.process.tgid, ": ", Deed(event.what));
  if (event.what == HP_TAMPER_SIGNAL) absl::StrAppend(&detail, " ", event.signal);
  if (event.what == HP_TAMPER_SIGNAL || event.what == HP_TAMPER_PTRACE) absl::StrAppend(&detail, " to process ", event.target);
  Write(event.head.session, absl::StrCat(detail, event.denied ? "; denied" : ""));
  if (event.what == HP_TAMPER_SIGNAL && event.target == getpid() && !event.denied) {
    told_[event.signal] = {.session = event.head.session, .sender = event.head.process.tgid, .at = core_.clock.Boot()};
  }
}

void TamperDesk::OnLeft(const LeftEvent& event) {
  Write(event.head.session, absl::StrCat("process ", event.head.process.tgid,
                                         ": moved out of the scope's cgroup: its connects are not seen any more"));
}

bool TamperDesk::IsFromSession(pid_t sender, int signal) {
  SessionNumber session = 0;
  // Whatever the signal says of its sender, which rt_sigqueueinfo(2) lets it choose.
  if (const auto told = told_.find(signal); told != told_.end()) {
    if (core_.clock.Boot() - told->second.at < kToldFor) {
      session = told->second.session;
      sender = told->second.sender;
    }
    told_.erase(told);
  }
  if (const UniqueFd pidfd = sys::PidfdOpen(sender); session == 0 && pidfd.ok()) {
    const absl::StatusOr<hp_label> label = core_.kernel.Label(pidfd.get());
    if (label.ok()) session = label->session;
  }
  if (session == 0) return false;
  Write(session, absl::StrCat("process ", sender, ": signal ", signal, " to the gate; not obeyed"));
  return true;
}

void TamperDesk::Look(const std::vector<pid_t>& ours) {
  if (ours != ours_) {
    core_.kernel.SetOurs(ours);
    ours_ = ours;
  }
  if (std::vector<std::string> pins = core_.kernel.RepairPins(); !pins.empty()) {
    const size_t count = pins.size();
    pins.resize(std::min(count, kPinsShown));
    Write(0, absl::StrCat(count, " pins were removed and are put back: ", absl::StrJoin(pins, ", ")));
  }
  absl::StatusOr<ProcDir> self = ProcDir::OpenPid(getpid());
  const pid_t tracer = self.ok() ? self->Tracer().value_or(0) : 0;
  if (tracer != 0 && tracer != tracer_) Write(0, absl::StrCat("process ", tracer, " traces the gate"));
  tracer_ = tracer;
  if (std::string stamp = PolicyStamp(core_.options); stamp != policy_stamp_) {
    policy_stamp_ = std::move(stamp);
    Write(0, "the configuration or a rule pack was changed on the disk; what was loaded before stays in force until a reload");
  }
}

}  // namespace holdpoint
