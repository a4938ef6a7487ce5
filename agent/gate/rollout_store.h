#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {

// What was switched and promoted on this host, with who and when: STATE/rollout, lines of words, written whole and synced
// before anything counts. Values; only Read and Write touch the file.
class RolloutStore {
 public:
  struct Stamp {
    std::string by;  // escaped, at most 64 characters
    int64_t unix_seconds = 0;
  };
  struct Override {
    std::string mode;
    Stamp stamp;
  };
  using Key = std::pair<std::string, std::string>;  // kind ("environment", "rule") and name

  // kNotFound where there is none: the first start. kDataLoss where it is damaged, with a sentence that says where.
  static absl::StatusOr<RolloutStore> Read(const std::string& path);
  // On stable storage when this returns; otherwise the one before is still there.
  absl::Status Write(const std::string& path) const;

  // The same from and to bytes.
  static absl::StatusOr<RolloutStore> Parse(absl::string_view name, absl::string_view bytes);
  std::string Render() const;

  void Set(const Key& key, std::string mode, Stamp stamp) { overrides_[key] = {std::move(mode), std::move(stamp)}; }
  bool Unset(const Key& key) { return overrides_.erase(key) > 0; }
  void Promote(v1::Rollout::Promoted rule, Stamp stamp);
  void Forget(const std::string& rule) { promoted_.erase(rule); }

  const Override* Find(const Key& key) const;
  const std::map<Key, Override>& overrides() const { return overrides_; }
  std::vector<std::string> PromotedRules() const;

  // What the judge is told.
  v1::Rollout ForJudge() const;

 private:
  std::map<Key, Override> overrides_;
  std::map<std::string, std::pair<v1::Rollout::Promoted, Stamp>> promoted_;
};

std::string RolloutPath(const std::string& state_dir);

}  // namespace holdpoint
