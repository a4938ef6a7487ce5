#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/base/ids.h"

namespace holdpoint {

// An approval that goes further than one act: the same loss, whatever program causes it, in one session or until a date.
// It is bound to what Judgement.loss_digest covers, to the user whose session it was asked for, and to this host.
struct Approval {
  enum class Scope { kSession, kUntil };
  std::string id = {};  // "AP-4K7Q"
  Scope scope = Scope::kSession;
  std::string loss = {};      // 32 bytes
  SessionNumber session = 0;  // kSession
  std::string session_id = {};
  uint32_t session_uid = 0;
  std::string environment = {};      // whose owners gave it; they must still be its owners
  std::vector<std::string> by = {};  // their user names
  std::string rule = {}, resource_type = {}, resource_id = {}, reason = {};  // for people
  absl::Time since;
  absl::Time until = absl::InfiniteFuture();  // kUntil
};

const char* ApprovalScopeName(Approval::Scope scope);

// Every approval that is remembered. Those until a date are kept in STATE/approvals, lines of words with a digest of all
// at the end; those of a session are gone with it, or with the daemon. Values; only Read and Write touch the file.
class ApprovalBook {
 public:
  static constexpr size_t kMax = 1024;

  // kNotFound where there is none, kDataLoss where it is damaged, with a sentence that says where.
  static absl::StatusOr<ApprovalBook> Read(const std::string& path);
  absl::Status Write(const std::string& path) const;
  static absl::StatusOr<ApprovalBook> Parse(absl::string_view name, absl::string_view bytes);
  std::string Render() const;

  // An id that none of them has. `random` are 32 unpredictable bits.
  std::string FreshId(uint32_t random) const;
  // kResourceExhausted where there are kMax.
  absl::Status Add(Approval approval);
  bool Remove(const std::string& id) { return by_id_.erase(id) > 0; }

  const Approval* FindById(const std::string& id) const;
  // Those for this loss in this session, or of this user until later than `now`.
  std::vector<const Approval*> For(SessionNumber session, uint32_t session_uid, const std::string& loss,
                                   absl::Time now) const;
  std::vector<const Approval*> All() const;

  // Takes out what has run out, and what belongs to a session that `alive` does not know; gives it.
  std::vector<Approval> Expire(absl::Time now, const std::function<bool(SessionNumber)>& alive);

 private:
  std::map<std::string, Approval> by_id_;
};

std::string ApprovalsPath(const std::string& state_dir);

}  // namespace holdpoint
