#include "agent/gate/kept_session.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "agent/base/fd.h"
#include "agent/base/status.h"
#include "agent/gate/session_facts.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxKeptBytes = 1 << 20;

std::string Path(const std::string& run, SessionNumber number) { return absl::StrCat(run, "/sessions/", number); }

v1::KeptSession RestOf(const Session& session) {
  v1::KeptSession kept;
  kept.set_without_ids(session.without_ids);
  kept.set_hold_ms(session.hold_ms);
  for (const OpenedCredential& opened : session.opened_credentials) *kept.add_opened() = SeenOf(opened);
  kept.mutable_start()->set_root(session.start_root);
  kept.mutable_start()->set_changes(session.start_changes);
  kept.mutable_start()->set_whole(session.start_whole);
  kept.set_home(session.home);
  kept.mutable_nested()->Assign(session.nested.begin(), session.nested.end());
  return kept;
}

}  // namespace

v1::SeenCredential SeenOf(const OpenedCredential& opened) {
  v1::SeenCredential seen;
  seen.set_file(opened.file);
  seen.set_credential(opened.credential);
  seen.set_program(opened.program);
  seen.set_pid(static_cast<uint32_t>(opened.pid));
  seen.set_own_process(opened.own_process);
  seen.set_read(opened.read);
  seen.set_first_unix_ns(absl::ToUnixNanos(opened.first));
  return seen;
}

absl::Status KeepSession(const std::string& run, const Session& session, const v1::SessionStarted& started) {
  if (mkdir(absl::StrCat(run, "/sessions").c_str(), 0700) != 0 && errno != EEXIST) return ErrnoStatus("make RUN/sessions");
  const std::string path = Path(run, session.number);
  const std::string fresh = absl::StrCat(path, ".new");
  const UniqueFd fd(open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd.ok()) return ErrnoStatus(absl::StrCat("make ", fresh));
  const std::string bytes = absl::StrCat(started.SerializeAsString(), RestOf(session).SerializeAsString());
  if (write(fd.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    return ErrnoStatus(absl::StrCat("write ", fresh));
  }
  if (rename(fresh.c_str(), path.c_str()) != 0) return ErrnoStatus(absl::StrCat("rename ", fresh));
  return absl::OkStatus();
}

absl::Status KeepSession(const std::string& run, const Session& session) {
  HP_ASSIGN_OR_RETURN(const KeptFile kept, ReadKeptSession(run, session.number));
  return KeepSession(run, session, kept.started);
}

absl::StatusOr<KeptFile> ReadKeptSession(const std::string& run, SessionNumber number) {
  const std::string path = Path(run, number);
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.ok()) return ErrnoStatus(absl::StrCat("open ", path));
  struct stat st {};
  if (fstat(fd.get(), &st) != 0 || static_cast<size_t>(st.st_size) > kMaxKeptBytes) {
    return absl::DataLossError(absl::StrCat(path, ": not a kept session"));
  }
  std::string bytes(static_cast<size_t>(st.st_size), '\0');
  KeptFile kept;
  if (pread(fd.get(), bytes.data(), bytes.size(), 0) != st.st_size || !kept.started.ParseFromString(bytes) ||
      !kept.rest.ParseFromString(bytes)) {
    return absl::DataLossError(absl::StrCat(path, ": not a kept session"));
  }
  kept.started.DiscardUnknownFields();  // They are the other's.
  kept.rest.DiscardUnknownFields();
  return kept;
}

void Restore(const v1::KeptSession& kept, Session* session) {
  session->without_ids = kept.without_ids();
  session->hold_ms = kept.hold_ms();
  session->start_root = kept.start().root();
  session->start_changes = kept.start().changes();
  session->start_whole = kept.start().whole();
  session->home = kept.home().empty() ? PasswdOf(session->uid).home : kept.home();  // Older daemons kept none.
  session->nested.assign(kept.nested().begin(), kept.nested().end());
  session->opened_credentials.clear();
  for (const v1::SeenCredential& seen : kept.opened()) {
    if (session->opened_credentials.size() == kMaxOpenedCredentials) break;
    session->opened_credentials.push_back({.file = seen.file(),
                                           .credential = seen.credential(),
                                           .program = seen.program(),
                                           .pid = static_cast<pid_t>(seen.pid()),
                                           .own_process = seen.own_process(),
                                           .read = seen.read(),
                                           .first = absl::FromUnixNanos(seen.first_unix_ns())});
  }
}

void ForgetSession(const std::string& run, SessionNumber number) { unlink(Path(run, number).c_str()); }

}  // namespace holdpoint
