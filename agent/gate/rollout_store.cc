#include "agent/gate/rollout_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "agent/base/escape.h"
#include "agent/base/status.h"
#include "agent/gate/kept_file.h"

namespace holdpoint {
namespace {

constexpr absl::string_view kHead = "holdpoint rollout 1";
constexpr size_t kMaxBytes = 8 << 20;
constexpr absl::string_view kNone = "-";

bool IsKind(absl::string_view kind) { return kind == "environment" || kind == "rule"; }
bool IsMode(absl::string_view mode) { return mode == "enforce" || mode == "observe" || mode == "off"; }

// A word never has a blank and is never empty.
bool IsName(absl::string_view name) {
  return !name.empty() && name.size() <= 128 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return c > 0x20 && c < 0x7f;
  });
}

std::string OneWord(absl::string_view text) {
  std::string word = EscapeAndClip(text, 64);
  std::replace(word.begin(), word.end(), ' ', '_');
  return word.empty() ? std::string(kNone) : word;
}

template <typename Enum>
bool ReadEnum(absl::string_view word, bool (*valid)(int), Enum* out) {
  int number = 0;
  if (!absl::SimpleAtoi(word, &number) || !valid(number)) return false;
  *out = static_cast<Enum>(number);
  return true;
}

}  // namespace

std::string RolloutPath(const std::string& state_dir) { return absl::StrCat(state_dir, "/rollout"); }

const RolloutStore::Override* RolloutStore::Find(const Key& key) const {
  const auto found = overrides_.find(key);
  return found == overrides_.end() ? nullptr : &found->second;
}

void RolloutStore::Promote(v1::Rollout::Promoted rule, Stamp stamp) {
  const std::string id = rule.rule();
  promoted_[id] = {std::move(rule), std::move(stamp)};
}

std::vector<std::string> RolloutStore::PromotedRules() const {
  std::vector<std::string> rules;
  for (const auto& [id, entry] : promoted_) rules.push_back(id);
  return rules;
}

v1::Rollout RolloutStore::ForJudge() const {
  v1::Rollout rollout;
  for (const auto& [key, override] : overrides_) {
    v1::Rollout::Override* out = rollout.add_overrides();
    out->set_kind(key.first);
    out->set_name(key.second);
    out->set_mode(override.mode);
  }
  for (const auto& [id, entry] : promoted_) *rollout.add_promoted() = entry.first;
  return rollout;
}

std::string RolloutStore::Render() const {
  std::string text = absl::StrCat(kHead, "\n");
  for (const auto& [key, override] : overrides_) {
    absl::StrAppend(&text, key.first, " ", key.second, " ", override.mode, " ", override.stamp.unix_seconds, " ",
                    OneWord(override.stamp.by), "\n");
  }
  for (const auto& [id, entry] : promoted_) {
    const auto& [rule, stamp] = entry;
    const std::string replaces = absl::StrJoin(rule.replaces(), ",");
    absl::StrAppend(&text, "promoted ", id, " ", rule.hash(), " ", static_cast<int>(rule.effect()), " ");
    absl::StrAppend(&text, static_cast<int>(rule.recoverability()), " ", static_cast<int>(rule.verdict()), " ",
                    rule.resource(), " ", replaces.empty() ? kNone : absl::string_view(replaces), " ",
                    stamp.unix_seconds, " ", OneWord(stamp.by), "\n");
  }
  absl::StrAppend(&text, "end ", overrides_.size() + promoted_.size(), "\n");
  return text;
}

absl::StatusOr<RolloutStore> RolloutStore::Parse(absl::string_view name, absl::string_view bytes) {
  const auto wrong = [&](size_t line, absl::string_view what) {
    return absl::DataLossError(absl::StrCat(name, ":", line, ": ", what));
  };
  const std::vector<absl::string_view> lines = absl::StrSplit(bytes, '\n');
  if (lines.empty() || lines[0] != kHead) return wrong(1, absl::StrCat("does not start with '", kHead, "'"));
  RolloutStore store;
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::vector<absl::string_view> words = absl::StrSplit(lines[i], ' ');
    if (words[0] == "end") {
      uint64_t count = 0;
      if (words.size() != 2 || !absl::SimpleAtoi(words[1], &count) ||
          count != store.overrides_.size() + store.promoted_.size()) {
        return wrong(i + 1, "ends with another number of entries than it has");
      }
      return store;
    }
    Stamp stamp;
    if (words.size() == 5 && IsKind(words[0]) && IsName(words[1]) && IsMode(words[2]) &&
        absl::SimpleAtoi(words[3], &stamp.unix_seconds)) {
      stamp.by = std::string(words[4]);
      store.Set({std::string(words[0]), std::string(words[1])}, std::string(words[2]), std::move(stamp));
      continue;
    }
    v1::Effect effect;
    v1::Recoverability recoverability;
    v1::Verdict verdict;
    if (words.size() == 10 && words[0] == "promoted" && IsName(words[1]) && IsName(words[2]) &&
        ReadEnum(words[3], v1::Effect_IsValid, &effect) &&
        ReadEnum(words[4], v1::Recoverability_IsValid, &recoverability) &&
        ReadEnum(words[5], v1::Verdict_IsValid, &verdict) && absl::SimpleAtoi(words[8], &stamp.unix_seconds)) {
      v1::Rollout::Promoted rule;
      rule.set_rule(std::string(words[1]));
      rule.set_hash(std::string(words[2]));
      rule.set_effect(effect);
      rule.set_recoverability(recoverability);
      rule.set_verdict(verdict);
      rule.set_resource(std::string(words[6]));
      if (words[7] != kNone) {
        for (const absl::string_view id : absl::StrSplit(words[7], ',')) rule.add_replaces(std::string(id));
      }
      stamp.by = std::string(words[9]);
      store.Promote(std::move(rule), std::move(stamp));
      continue;
    }
    return wrong(i + 1, "is no entry of this file");
  }
  return wrong(lines.size(), "has no end");
}

absl::StatusOr<RolloutStore> RolloutStore::Read(const std::string& path) {
  HP_ASSIGN_OR_RETURN(const std::string bytes, ReadKept(path, kMaxBytes));
  return Parse(path, bytes);
}

absl::Status RolloutStore::Write(const std::string& path) const { return WriteKept(path, Render()); }

}  // namespace holdpoint
