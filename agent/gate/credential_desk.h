#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/gate/core.h"
#include "agent/gate/open_watch.h"
#include "agent/kernel/decode.h"

namespace holdpoint {

// Which process of a session first opened which file with credentials: an event "credential_read", and what the judge is
// told when a credential is used later. Nothing is stopped, and what is not seen takes nothing from what is.
//
// The configuration and the judge name the files; holdpoint-reader finds them with the session's own rights and puts marks
// on them. The kernel tells of a marked file whoever opens it; processes outside sessions are left out here. A file that
// is made or replaced later is looked for when its folder tells of it, and in any case once a minute.
class CredentialDesk {
 public:
  explicit CredentialDesk(Core core);

  // A descriptor that becomes readable with the first event; -1: this kernel has no way to see it.
  int fd() const { return watch_ == nullptr ? -1 : watch_->fd(); }

  // The session is confirmed, or its place has changed.
  void Look(SessionNumber number);
  void OnExec(const ExecEvent& event);
  void OnExit(const ExitEvent& event);
  // Events of the kernel programs that came before have been taken: who has ended is known by its exit.
  void Drain();
  bool Waiting() const { return watch_ != nullptr && !sessions_.empty() && watch_->Waiting(); }
  // Files that came and went, sessions that have ended. For a timer of a second.
  void Tick();

  // For `status` and `doctor`: what is in use, and what is missing.
  std::string in_use() const { return watch_ == nullptr ? "none" : "fanotify on single files"; }
  const std::string& missing() const { return missing_; }
  std::string Described() const;  // with how many files there are

 private:
  struct File {
    WatchedFile found;
    v1::CredentialFile from;
  };
  struct Looked {
    BootTime at;
    bool again = false;    // something was put into one of its folders
    bool waits = false;    // for the reader
  };
  struct Who {
    SessionNumber session = 0;
    ProcessId process;
    uint64_t exec_id = 0;
    BootTime at{};  // of its end, where it has ended
  };
  struct Open {
    std::string key;
    Who who;
    BootTime until;
  };
  struct Program {
    uint64_t exec_id = 0;
    ProcessId process;
    ProcessId parent;
    uint32_t uid = 0;
    uint32_t gid = 0;
    std::string executable{};
    std::string cwd{};
  };

  std::vector<std::string> PatternsOf(const Session& session, std::vector<v1::CredentialFile>* from) const;
  void Take(SessionNumber number, const std::vector<v1::CredentialFile>& from, const std::vector<WatchedFile>& found);
  void OnEvent(OpenWatch::Event event);
  void OnFile(const std::string& key, const File& file, const Who& who, const OpenWatch::Event& event);
  bool Resolve(const OpenWatch::Event& event, Who* who) const;
  void Opened(const File& file, const Who& who, bool read);
  const Program* ProgramOf(const Who& who) const;
  v1::Process Shown(const Who& who) const;

  Core core_;
  std::unique_ptr<OpenWatch> watch_;
  std::string missing_;
  std::map<std::string, File, std::less<>> files_;             // by OpenWatch::KeyOf
  std::map<std::string, std::set<SessionNumber>> folders_;     // the same
  std::map<SessionNumber, Looked> sessions_;
  std::vector<Program> programs_;                              // the last ones, at exec id modulo their number
  std::vector<Who> ended_;                                     // the same by pid
  std::vector<Open> open_;                                     // and not read yet
  std::vector<OpenWatch::Event> unresolved_;                   // their exits were not told yet
};

}  // namespace holdpoint
