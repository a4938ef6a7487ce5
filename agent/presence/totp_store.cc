#include "agent/presence/totp_store.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "agent/base/fd.h"
#include "agent/base/status.h"
#include "agent/presence/root_file.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxBytes = 4096;
constexpr size_t kSha1Secret = 20, kSha256Secret = 32;  // as long as the hash: RFC 4226, section 4
constexpr absl::Duration kBegunFor = absl::Minutes(15);

std::string InUse(const std::string& user) { return absl::StrCat(user, ".totp"); }
std::string Begun(const std::string& user) { return absl::StrCat(user, ".totp.begun"); }

// Held until it goes out of scope. The file stays: to remove it would give two processes a lock each.
absl::StatusOr<UniqueFd> Lock(const std::string& folder, const std::string& user) {
  HP_RETURN_IF_ERROR(CheckOwnerName(user));
  const std::string path = absl::StrCat(folder, "/", user, ".lock");
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.ok()) return ErrnoStatus(path);
  while (flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return ErrnoStatus(path);
  }
  return fd;
}

void Wipe(std::string& text) { explicit_bzero(text.data(), text.size()); }

absl::Status Keep(const std::string& folder, const std::string& name, const TotpState& state) {
  std::string text = RenderTotpState(state);
  const absl::Cleanup wipe = [&text] { Wipe(text); };
  const absl::Status kept = WriteRootFile(folder, name, text);
  if (kept.ok()) return kept;
  return absl::UnavailableError(absl::StrCat("what a code was used for can't be kept, so none counts: ", kept.message()));
}

}  // namespace

bool TotpStore::Has(const std::string& user) const {
  return CheckOwnerName(user).ok() && access(absl::StrCat(folder_, "/", InUse(user)).c_str(), F_OK) == 0;
}

absl::StatusOr<TotpState> TotpStore::Read(const std::string& name) const {
  absl::StatusOr<std::string> text = ReadRootFile(folder_, name, kMaxBytes, /*hidden=*/true);
  if (!text.ok()) return text.status();
  const absl::Cleanup wipe = [&text] { Wipe(*text); };
  absl::StatusOr<TotpState> state = ParseTotpState(*text);
  if (!state.ok()) {
    return absl::UnavailableError(absl::StrCat(folder_, "/", name, ": ", state.status().message(),
                                               ": remove it and enrol again"));
  }
  return state;
}

absl::Status TotpStore::Check(const std::string& user, absl::string_view code, absl::Time now) const {
  if (!Has(user)) return absl::NotFoundError(absl::StrCat("no codes are known for ", user, ": holdpoint presence enroll-totp"));
  HP_ASSIGN_OR_RETURN(const UniqueFd lock, Lock(folder_, user));
  HP_ASSIGN_OR_RETURN(TotpState state, Read(InUse(user)));
  const absl::Cleanup wipe = [&state] { Wipe(state.key.secret); };
  const absl::Status answer = CheckTotp(state, user, code, now);
  HP_RETURN_IF_ERROR(Keep(folder_, InUse(user), state));
  return answer;
}

absl::Status TotpStore::Forgive(const std::string& user) const {
  if (!Has(user)) return absl::OkStatus();
  HP_ASSIGN_OR_RETURN(const UniqueFd lock, Lock(folder_, user));
  HP_ASSIGN_OR_RETURN(TotpState state, Read(InUse(user)));
  const absl::Cleanup wipe = [&state] { Wipe(state.key.secret); };
  state.failures = 0;
  state.closed_until = absl::UnixEpoch();
  return Keep(folder_, InUse(user), state);
}

absl::StatusOr<std::string> TotpStore::Begin(const std::string& user, TotpKey key, absl::string_view host) const {
  if (mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) return ErrnoStatus(folder_);
  HP_ASSIGN_OR_RETURN(const UniqueFd lock, Lock(folder_, user));
  TotpState state{.key = std::move(key)};
  const absl::Cleanup wipe = [&state] { Wipe(state.key.secret); };
  state.key.secret.resize(state.key.hash == TotpKey::Hash::kSha256 ? kSha256Secret : kSha1Secret);
  if (getrandom(state.key.secret.data(), state.key.secret.size(), 0) != static_cast<ssize_t>(state.key.secret.size())) {
    return ErrnoStatus("getrandom");
  }
  HP_RETURN_IF_ERROR(Keep(folder_, Begun(user), state));
  return TotpUri(state.key, host, user);
}

absl::Status TotpStore::Confirm(const std::string& user, absl::string_view code, absl::Time now) const {
  HP_RETURN_IF_ERROR(CheckOwnerName(user));
  struct stat st {};
  const std::string path = absl::StrCat(folder_, "/", Begun(user));
  if (stat(path.c_str(), &st) != 0 || absl::FromUnixSeconds(st.st_mtime) + kBegunFor < now) {
    return absl::NotFoundError(absl::StrCat("nothing waits for a code of ", user, ": begin with presence enroll-totp"));
  }
  HP_ASSIGN_OR_RETURN(const UniqueFd lock, Lock(folder_, user));
  HP_ASSIGN_OR_RETURN(TotpState state, Read(Begun(user)));
  const absl::Cleanup wipe = [&state] { Wipe(state.key.secret); };
  const absl::Status answer = CheckTotp(state, user, code, now);
  HP_RETURN_IF_ERROR(Keep(folder_, answer.ok() ? InUse(user) : Begun(user), state));
  if (!answer.ok()) return answer;
  return RemoveRootFile(folder_, Begun(user));
}

absl::Status TotpStore::Remove(const std::string& user) const {
  if (!Has(user)) return absl::NotFoundError(absl::StrCat("no codes are known for ", user));
  HP_ASSIGN_OR_RETURN(const UniqueFd lock, Lock(folder_, user));
  return RemoveRootFile(folder_, InUse(user));
}

}  // namespace holdpoint
