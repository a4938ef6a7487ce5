#include "agent/gate/credential_desk.h"

#include <fnmatch.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/base/escape.h"
#include "agent/base/log.h"
#include "agent/gate/kept_session.h"
#include "agent/gate/running_program.h"
#include "agent/response/proc.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxPatterns = 256;
constexpr size_t kPrograms = 1024, kEnded = 1024;
constexpr absl::Duration kEndedFor = absl::Seconds(2);  // from the word of its end to that of what it opened
constexpr size_t kMaxEvents = 4096, kMaxPuts = 256;  // of one turn; what is left waits in the kernel's queue
constexpr size_t kMaxOpen = 256;
constexpr size_t kMaxComplaints = 256;
constexpr absl::Duration kOpenFor = absl::Seconds(1);
constexpr size_t kMaxPathShown = 512;
constexpr absl::Duration kLookAgain = absl::Minutes(1);

absl::string_view LastPart(absl::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

CredentialDesk::CredentialDesk(Core core, Watch files, Watch folders) : core_(core) {
  if (files.ok() && folders.ok()) {
    watch_ = *std::move(files);
    folders_ = *std::move(folders);
    programs_.resize(kPrograms);
    ended_.resize(kEnded);
  } else {
    missing_ = absl::StrCat("who reads files with credentials is not seen: ", (files.ok() ? folders : files).status().message());
    LogWarning(missing_);
  }
}

std::string CredentialDesk::Described() const {
  return watch_ == nullptr ? in_use() : absl::StrCat(in_use(), ", ", marked_.files(), " watched");
}

std::vector<std::string> CredentialDesk::PatternsOf(const Session& session, std::vector<v1::CredentialFile>* from) {
  std::set<std::string>& silent = sessions_[session.number].silent;
  if (!core_.facts.IsStuck(session.uid)) silent.clear();
  std::vector<std::string> patterns;
  for (const v1::CredentialFile& file : core_.policy.configured().credential_files()) {
    if (patterns.size() == kMaxPatterns) break;
    std::string path = file.path();
    if (silent.contains(path)) continue;
    if (absl::StartsWith(path, "./")) {
      if (session.workspace.empty()) continue;
      path = absl::StrCat(session.workspace, path.substr(1));
    }
    patterns.push_back(std::move(path));
    from->push_back(file);
  }
  return patterns;
}

// Now, or with the next second where a session makes very many files.
void CredentialDesk::Ask(SessionNumber number) {
  Looked& looked = sessions_[number];
  if (looked.at_once <= 0) {
    looked.again = true;
    return;
  }
  --looked.at_once;
  Look(number);
}

void CredentialDesk::Look(SessionNumber number) {
  const Session* session = core_.sessions.Find(number);
  if (watch_ == nullptr || session == nullptr || session->state != SessionState::kConfirmed) return;
  Looked& looked = sessions_[number];
  looked.at = core_.clock.Boot();
  if (looked.waits) {
    looked.again = true;
    return;
  }
  looked.again = false;
  ProgramOfRoot(*session);
  // Any process of it will do: they have one user, and as a rule one view of the file system.
  std::vector<ProcessId> alive = core_.sessions.Processes(number);
  if (std::find(alive.begin(), alive.end(), session->root) != alive.end()) alive = {session->root};
  if (alive.empty() && session->root.tgid > 0) alive = {session->root};
  if (alive.empty()) return;
  std::vector<v1::CredentialFile> from;
  const std::vector<std::string> patterns = PatternsOf(*session, &from);
  if (patterns.empty()) return;
  looked.waits = true;
  core_.facts.Watch(alive.front().tgid, session->uid, patterns, watch_->fd(), folders_->fd(),
                    [this, number, from = std::move(from)](absl::StatusOr<FactsReader::Watched> found) {
                      const auto it = sessions_.find(number);
                      if (it == sessions_.end()) return;
                      it->second.waits = false;
                      if (!found.ok()) {
                        LogWarning("files with credentials of session ", core_.sessions.IdOf(number),
                                   " were not looked for: ", found.status().message());
                        if (!absl::IsAborted(found.status())) return;  // As a rule the session is over.
                        core_.ledger.recorder().CountLoss("credentials", "not looked for", 1);
                        it->second.again = true;
                        return;
                      }
                      Take(number, from, *found);
                    });
}

void CredentialDesk::Take(SessionNumber number, const std::vector<v1::CredentialFile>& from,
                          const FactsReader::Watched& found) {
  const BootTime now = core_.clock.Boot();
  for (const WatchedFile& file : found.files) {
    if (file.pattern >= from.size() || file.kind == WatchedFile::kLooks) continue;
    const std::string path(file.path, strnlen(file.path, sizeof(file.path)));
    if (file.kind == WatchedFile::kUnwatched) {
      Complain(path, file.problem == E2BIG ? "there is more than is looked at" : strerror(file.problem));
      continue;
    }
    const std::string key = OpenWatch::KeyOf(file);
    if (file.kind == WatchedFile::kFolder) {
      if (!marked_.AddFolder(key, number)) core_.ledger.recorder().CountLoss("credentials", "too many folders", 1);
      continue;
    }
    const MarkedFiles::Added added = marked_.Add(key, {.found = file, .from = from[file.pattern]}, now);
    if (added != MarkedFiles::Added::kYes) core_.ledger.recorder().CountLoss("credentials", "too many files", 1);
  }
  if (found.whole || found.files.empty() || found.files.back().pattern >= from.size()) return;
  // Without it the others are found: it is asked for again when no reader waits there any more.
  const std::string& silent = from[found.files.back().pattern].path();
  Complain(silent, "its file system does not answer");
  Looked& looked = sessions_[number];
  looked.again = looked.silent.insert(silent).second;
}

void CredentialDesk::Complain(const std::string& path, absl::string_view why) {
  if (complained_.size() == kMaxComplaints || !complained_.insert(path).second) return;
  LogWarning("who opens ", EscapeAndClip(path, kMaxPathShown), " is not seen: ", why);
  core_.ledger.recorder().CountLoss("credentials", "not watched", 1);
}

// For every exec and every end of a session's processes: no allocation once the texts have grown.
void CredentialDesk::OnExec(const ExecEvent& event) {
  if (programs_.empty() || event.head.session == 0 || event.exec_id == 0) return;
  Program& program = programs_[event.exec_id % programs_.size()];
  program.exec_id = event.exec_id;
  program.process = event.head.process;
  program.parent = event.parent;
  program.uid = event.uid;
  program.gid = event.gid;
  program.executable.assign(event.executable);
  program.cwd.assign(event.cwd);
}

void CredentialDesk::OnExit(const ExitEvent& event) {
  if (ended_.empty()) return;
  ended_[static_cast<size_t>(event.head.process.tgid) % ended_.size()] = Who{.session = event.head.session,
                                                                            .process = event.head.process,
                                                                            .exec_id = event.exec_id,
                                                                            .at = core_.clock.Boot()};
}

void CredentialDesk::Drain() {
  if (watch_ == nullptr) return;
  // A process that ended between the kernel's two queues: by now its exit was told, if it was of a session at all.
  for (const Unresolved& one : std::exchange(unresolved_, {})) {
    if (Who who; Resolve(one.event, &who)) OnFile(one.file, who, one.event);
  }
  watch_->Drain(kMaxEvents, [this](OpenWatch::Event event) { OnEvent(std::move(event)); });
  folders_->Drain(kMaxPuts, [this](const OpenWatch::Event& event) { OnPut(event); });
  while (!open_.empty() && (open_.front().until <= core_.clock.Boot() || open_.size() > kMaxOpen)) {
    const Open open = std::move(open_.front());
    open_.erase(open_.begin());
    Opened(*open.file, open.who, false);
  }
}

// One that is open may be read in the next moment: it is told as opened when it is closed, or stays open.
void CredentialDesk::OnFile(const File& file, const Who& who, const OpenWatch::Event& event) {
  const auto open = std::find_if(open_.begin(), open_.end(), [&](const Open& one) {
    return one.file->found.inode == file->found.inode && one.file->found.device == file->found.device &&
           one.who.process.tgid == who.process.tgid;
  });
  const bool was_open = open != open_.end();
  if ((event.read || event.closed) && was_open) open_.erase(open);
  if (event.read) return Opened(*file, who, true);
  if (event.closed && (event.opened || was_open)) return Opened(*file, who, false);
  if (event.opened && !was_open) open_.push_back({.file = file, .who = who, .until = core_.clock.Boot() + kOpenFor});
}

void CredentialDesk::OnEvent(OpenWatch::Event event) {
  if (event.lost) return core_.ledger.recorder().CountLoss("credentials", "queue full", 1);
  const File file = marked_.Find(event.key);
  if (file == nullptr) return;
  if (event.gone) marked_.Gone(event.key);
  if (Who who; Resolve(event, &who)) return OnFile(file, who, event);
  if (!event.pidfd.ok()) unresolved_.push_back({.file = file, .event = std::move(event)});
}

void CredentialDesk::OnPut(const OpenWatch::Event& event) {
  std::set<SessionNumber> sessions = marked_.Sessions(event.key);
  if (event.lost) {  // It may have been any of them.
    for (const auto& [number, looked] : sessions_) sessions.insert(number);
  } else if (!sessions.empty()) {
    const auto& names = core_.policy.configured().credential_files();
    const bool wanted = std::any_of(names.begin(), names.end(), [&event](const v1::CredentialFile& file) {
      return fnmatch(std::string(LastPart(file.path())).c_str(), event.name.c_str(), 0) == 0;
    });
    if (!wanted) return;
  }
  for (const SessionNumber number : sessions) Ask(number);
}

bool CredentialDesk::Resolve(const OpenWatch::Event& event, Who* who) const {
  if (event.pidfd.ok()) {
    const absl::StatusOr<hp_label> label = core_.kernel.Label(event.pidfd.get());
    if (!label.ok() || label->session == 0) return false;
    *who = Who{.session = label->session,
               .process = {.tgid = event.tgid, .start_boot_ns = label->start_boot_ns},
               .exec_id = label->exec_id};
    return true;
  }
  // Its number may be another's by now; so quickly it is not given again.
  const Who& ended = ended_[static_cast<size_t>(event.tgid) % ended_.size()];
  if (ended.process.tgid != event.tgid || core_.clock.Boot() - ended.at > kEndedFor) return false;
  *who = ended;
  return true;
}

// By an exec that nobody has told of yet it waits to be asked about, before its first instruction: what was opened was opened
// by the program before.
const CredentialDesk::Program* CredentialDesk::ProgramOf(const Who& who) const {
  if (who.exec_id == 0) return nullptr;
  if (const Program& last = programs_[who.exec_id % programs_.size()]; last.exec_id == who.exec_id) return &last;
  const Program* before = nullptr;
  for (const Program& program : programs_) {
    if (program.process != who.process || program.exec_id == 0) continue;
    if (before == nullptr || program.exec_id > before->exec_id) before = &program;
  }
  return before;
}

v1::Process CredentialDesk::Shown(const Who& who) const {
  v1::Process process;
  process.set_exec_id(who.exec_id);
  if (const Program* found = ProgramOf(who); found != nullptr) {
    const Program& program = *found;
    // A child that never called exec runs its parent's program.
    const ProcessId& parent = program.process == who.process ? program.parent : program.process;
    process.set_parent_tgid(static_cast<uint32_t>(parent.tgid));
    process.set_parent_start_boot_ns(parent.start_boot_ns);
    process.set_exec_id(program.exec_id);
    process.set_uid(program.uid);
    process.set_gid(program.gid);
    process.set_executable(EscapeForTerminal(program.executable));
    process.set_working_directory(EscapeForTerminal(program.cwd));
  } else if (absl::StatusOr<RunningProgram> running = LookAtRunning(who.process); running.ok()) {
    process = running->root.shown;
    process.clear_argv();
  }
  process.set_tgid(static_cast<uint32_t>(who.process.tgid));
  process.set_start_boot_ns(who.process.start_boot_ns);
  return process;
}

// A process that was forked and has called no exec runs the program of the one that it was forked from, by the same exec id.
// The same file started anew is no proof: what node or bun runs is whatever it was given.
uint64_t CredentialDesk::ProgramOfRoot(const Session& session) {
  Looked& looked = sessions_[session.number];
  const absl::StatusOr<UniqueFd> pidfd = OpenPidfd(session.root);
  if (!pidfd.ok()) return looked.program;
  const absl::StatusOr<hp_label> label = core_.kernel.Label(pidfd->get());
  if (label.ok() && label->session == session.number) looked.program = label->exec_id;
  return looked.program;
}

void CredentialDesk::Opened(const MarkedFiles::File& file, const Who& who, bool read) {
  Session* session = core_.sessions.Find(who.session);
  if (session == nullptr || session->state != SessionState::kConfirmed) return;
  const std::string path =
      EscapeAndClip(absl::string_view(file.found.path, strnlen(file.found.path, sizeof(file.found.path))), kMaxPathShown);
  std::vector<OpenedCredential>& all = session->opened_credentials;
  const auto known =
      std::find_if(all.begin(), all.end(), [&path](const OpenedCredential& opened) { return opened.file == path; });
  if (known != all.end() && (known->read || !read)) return;
  if (known == all.end() && all.size() >= kMaxOpenedCredentials) {
    return core_.ledger.recorder().CountLoss("credentials", "too many files of one session", 1);
  }
  v1::Envelope envelope;
  envelope.set_boot_ns(core_.clock.Boot().ns);
  envelope.set_rung("file: fanotify");
  v1::CredentialRead& event = *envelope.mutable_credential_read();
  *event.mutable_process() = Shown(who);
  event.set_file(path);
  event.set_credential(file.from.credential());
  *event.mutable_environment() = file.from.environment();
  event.set_read(read);
  event.set_own_process(who.process.tgid == session->root.tgid ||
                        (who.exec_id != 0 && who.exec_id == ProgramOfRoot(*session)));
  event.set_device(file.found.device);
  event.set_inode(file.found.inode);
  if (!read) envelope.add_blind_spots("opened: whether it was read was not seen");
  OpenedCredential opened{.file = path,
                          .credential = file.from.credential(),
                          .program = event.process().executable().substr(0, kMaxPathShown),
                          .pid = who.process.tgid,
                          .own_process = event.own_process(),
                          .read = read,
                          .first = core_.clock.Wall()};
  if (known != all.end()) {
    *known = std::move(opened);
  } else {
    all.push_back(std::move(opened));
  }
  core_.ledger.Write(session, std::move(envelope));
  if (const absl::Status kept = KeepSession(core_.options.run, *session); !kept.ok()) {
    LogWarning("who read ", path, " in session ", session->id, " could not be kept for a restart: ", kept.message());
  }
}

void CredentialDesk::Tick() {
  if (watch_ == nullptr) return;
  const BootTime now = core_.clock.Boot();
  for (auto it = sessions_.begin(); it != sessions_.end();) {
    if (core_.sessions.Find(it->first) == nullptr) {
      marked_.SessionEnded(it->first);
      it = sessions_.erase(it);
      continue;
    }
    const SessionNumber number = it->first;
    it->second.at_once = std::min(it->second.at_once + 1, kAtOnce);
    const bool due = it->second.again || now - it->second.at >= kLookAgain;
    ++it;
    if (due) Look(number);
  }
  if (!sessions_.empty() || marked_.empty()) return;
  watch_->Forget();
  folders_->Forget();
  open_.clear();
  marked_.Clear();
  complained_.clear();
}

}  // namespace holdpoint
