#include "agent/gate/kept_session.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "agent/base/fd.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxKeptBytes = 1 << 20;

std::string Path(const std::string& run, SessionNumber number) { return absl::StrCat(run, "/sessions/", number); }

}  // namespace

absl::Status KeepSession(const std::string& run, SessionNumber number, const v1::SessionStarted& started) {
  if (mkdir(absl::StrCat(run, "/sessions").c_str(), 0700) != 0 && errno != EEXIST) return ErrnoStatus("make RUN/sessions");
  const std::string path = Path(run, number);
  const std::string fresh = absl::StrCat(path, ".new");
  const UniqueFd fd(open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd.ok()) return ErrnoStatus(absl::StrCat("make ", fresh));
  const std::string bytes = started.SerializeAsString();
  if (write(fd.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    return ErrnoStatus(absl::StrCat("write ", fresh));
  }
  if (rename(fresh.c_str(), path.c_str()) != 0) return ErrnoStatus(absl::StrCat("rename ", fresh));
  return absl::OkStatus();
}

absl::StatusOr<v1::SessionStarted> ReadKeptSession(const std::string& run, SessionNumber number) {
  const std::string path = Path(run, number);
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.ok()) return ErrnoStatus(absl::StrCat("open ", path));
  struct stat st {};
  if (fstat(fd.get(), &st) != 0 || static_cast<size_t>(st.st_size) > kMaxKeptBytes) {
    return absl::DataLossError(absl::StrCat(path, ": not a kept session"));
  }
  std::string bytes(static_cast<size_t>(st.st_size), '\0');
  v1::SessionStarted started;
  if (pread(fd.get(), bytes.data(), bytes.size(), 0) != st.st_size || !started.ParseFromString(bytes)) {
    return absl::DataLossError(absl::StrCat(path, ": not a kept session"));
  }
  return started;
}

void ForgetSession(const std::string& run, SessionNumber number) { unlink(Path(run, number).c_str()); }

}  // namespace holdpoint
