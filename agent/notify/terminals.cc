#include "agent/notify/terminals.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <systemd/sd-login.h>
#include <unistd.h>
#include <utmpx.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/base/fd.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxTerminals = 256;
constexpr unsigned kConsoles = 4, kPtyFirst = 136, kPtyLast = 143;  // majors, Documentation/admin-guide/devices.txt

bool IsTerminal(const struct stat& st) {
  const unsigned kind = major(st.st_rdev);
  return S_ISCHR(st.st_mode) && (kind == kConsoles || (kind >= kPtyFirst && kind <= kPtyLast));
}

// `line` is "pts/3" or "tty1", from lists that others than root can add to.
void Add(absl::string_view line, std::set<Terminal>& found) {
  if (line.empty() || line[0] == '/' || absl::StrContains(line, "..") || found.size() >= kMaxTerminals) return;
  const std::string path = absl::StrCat("/dev/", line);
  struct stat st {};
  if (lstat(path.c_str(), &st) == 0 && IsTerminal(st)) found.insert({path, st.st_uid});
}

void AddFromUtmp(std::set<Terminal>& found) {
  setutxent();
  while (const utmpx* entry = getutxent()) {
    if (entry->ut_type == USER_PROCESS) Add({entry->ut_line, strnlen(entry->ut_line, sizeof(entry->ut_line))}, found);
  }
  endutxent();
}

void AddFromLogind(std::set<Terminal>& found) {
  char** sessions = nullptr;
  if (sd_get_sessions(&sessions) < 0 || sessions == nullptr) return;
  for (char** session = sessions; *session != nullptr; ++session) {
    char* tty = nullptr;
    if (sd_session_get_tty(*session, &tty) >= 0 && tty != nullptr) Add(tty, found);
    free(tty);
    free(*session);
  }
  free(sessions);
}

bool WriteTo(const Terminal& terminal, absl::string_view text) {
  const UniqueFd fd(open(terminal.path.c_str(), O_WRONLY | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  struct stat st {};
  if (!fd.ok() || fstat(fd.get(), &st) != 0 || !IsTerminal(st) || st.st_uid != terminal.uid) return false;
  if ((st.st_mode & S_IWGRP) == 0) return false;  // mesg n
  return write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

}  // namespace

std::vector<Terminal> LoginTerminals() {
  std::set<Terminal> found;
  AddFromUtmp(found);
  AddFromLogind(found);
  return {found.begin(), found.end()};
}

WriteCounts WriteToTerminals(const std::vector<Terminal>& terminals, const std::function<bool(uid_t)>& wanted,
                             absl::string_view text) {
  WriteCounts counts;
  for (const Terminal& terminal : terminals) {
    if (!wanted(terminal.uid)) continue;
    ++(WriteTo(terminal, text) ? counts.written : counts.failed);
  }
  return counts;
}

}  // namespace holdpoint
