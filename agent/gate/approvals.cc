#include "agent/gate/approvals.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "agent/base/sha256.h"
#include "agent/base/status.h"
#include "agent/gate/kept_file.h"
#include "agent/gate/tickets.h"

namespace holdpoint {
namespace {

constexpr absl::string_view kHead = "holdpoint approvals 1\n";
constexpr size_t kMaxBytes = 4 << 20;
constexpr size_t kWords = 12;

// One word of printable ASCII: what else is in it becomes %XX, and nothing at all becomes "%".
std::string ToWord(absl::string_view text) {
  if (text.empty()) return "%";
  std::string word;
  for (const char c : text) {
    if (c > 0x20 && c < 0x7f && c != '%' && c != ',') {
      word += c;
    } else {
      absl::StrAppend(&word, "%", absl::Hex(static_cast<unsigned char>(c), absl::kZeroPad2));
    }
  }
  return word;
}

bool FromHex(absl::string_view word, std::string* bytes) {
  if (word.size() % 2 != 0 || !std::all_of(word.begin(), word.end(), absl::ascii_isxdigit)) return false;
  *bytes = absl::HexStringToBytes(word);
  return true;
}

bool FromWord(absl::string_view word, std::string* text) {
  text->clear();
  if (word == "%") return true;
  for (size_t i = 0; i < word.size(); ++i) {
    if (word[i] != '%') {
      *text += word[i];
      continue;
    }
    std::string byte;
    if (i + 2 >= word.size() || !FromHex(word.substr(i + 1, 2), &byte)) return false;
    *text += byte;
    i += 2;
  }
  return !text->empty();
}

bool ReadTime(absl::string_view word, absl::Time* time) {
  int64_t seconds = 0;
  if (!absl::SimpleAtoi(word, &seconds)) return false;
  *time = absl::FromUnixSeconds(seconds);
  return true;
}

bool ReadEntry(const std::vector<absl::string_view>& words, Approval* approval) {
  if (words.size() != kWords || words[0] != "until") return false;
  approval->scope = Approval::Scope::kUntil;
  for (const absl::string_view name : absl::StrSplit(words[7], ',')) {
    if (!FromWord(name, &approval->by.emplace_back())) return false;
  }
  return FromWord(words[1], &approval->id) && FromHex(words[2], &approval->loss) &&
         approval->loss.size() == std::tuple_size_v<Sha256Digest> && absl::SimpleAtoi(words[3], &approval->session_uid) &&
         ReadTime(words[4], &approval->since) && ReadTime(words[5], &approval->until) &&
         FromWord(words[6], &approval->environment) && FromWord(words[8], &approval->rule) &&
         FromWord(words[9], &approval->resource_type) && FromWord(words[10], &approval->resource_id) &&
         FromWord(words[11], &approval->reason);
}

std::string EndLine(size_t count, absl::string_view before) {
  return absl::StrCat("end ", count, " ", Hex(Sha256(before)), "\n");
}

}  // namespace

std::string ApprovalsPath(const std::string& state_dir) { return absl::StrCat(state_dir, "/approvals"); }

const char* ApprovalScopeName(Approval::Scope scope) {
  return scope == Approval::Scope::kSession ? "session" : "until";
}

std::string ApprovalBook::Render() const {
  std::string text(kHead);
  size_t count = 0;
  for (const auto& [id, approval] : by_id_) {
    if (approval.scope != Approval::Scope::kUntil) continue;
    ++count;
    std::vector<std::string> by;
    for (const std::string& name : approval.by) by.push_back(ToWord(name));
    const std::vector<std::string> words = {"until",
                                            ToWord(id),
                                            Hex(approval.loss),
                                            absl::StrCat(approval.session_uid),
                                            absl::StrCat(absl::ToUnixSeconds(approval.since)),
                                            absl::StrCat(absl::ToUnixSeconds(approval.until)),
                                            ToWord(approval.environment),
                                            absl::StrJoin(by, ","),
                                            ToWord(approval.rule),
                                            ToWord(approval.resource_type),
                                            ToWord(approval.resource_id),
                                            ToWord(approval.reason)};
    absl::StrAppend(&text, absl::StrJoin(words, " "), "\n");
  }
  return absl::StrCat(text, EndLine(count, text));
}

absl::StatusOr<ApprovalBook> ApprovalBook::Parse(absl::string_view name, absl::string_view bytes) {
  const auto wrong = [&](absl::string_view what) { return absl::DataLossError(absl::StrCat(name, ": ", what)); };
  if (bytes.substr(0, kHead.size()) != kHead) return wrong(absl::StrCat("does not start with '", kHead.substr(0, kHead.size() - 1), "'"));
  const size_t end = bytes.rfind("\nend ");
  if (end == absl::string_view::npos) return wrong("has no end");
  const absl::string_view before = bytes.substr(0, end + 1);
  const std::vector<absl::string_view> lines = absl::StrSplit(before.substr(kHead.size()), '\n', absl::SkipEmpty());
  if (bytes.substr(end + 1) != EndLine(lines.size(), before)) return wrong("its end does not fit what it holds");
  ApprovalBook book;
  for (const absl::string_view line : lines) {
    Approval approval;
    if (!ReadEntry(absl::StrSplit(line, ' '), &approval)) return wrong("has a line that is no entry of this file");
    if (absl::Status added = book.Add(std::move(approval)); !added.ok()) return wrong(added.message());
  }
  return book;
}

absl::StatusOr<ApprovalBook> ApprovalBook::Read(const std::string& path) {
  HP_ASSIGN_OR_RETURN(const std::string bytes, ReadKept(path, kMaxBytes));
  return Parse(path, bytes);
}

absl::Status ApprovalBook::Write(const std::string& path) const { return WriteKept(path, Render()); }

std::string ApprovalBook::FreshId(uint32_t random) const {
  while (by_id_.contains(ReadableId("AP-", random))) ++random;
  return ReadableId("AP-", random);
}

absl::Status ApprovalBook::Add(Approval approval) {
  if (by_id_.size() >= kMax) {
    return absl::ResourceExhaustedError(absl::StrCat(kMax, " approvals are remembered already: remove some"));
  }
  std::string id = approval.id;
  if (!by_id_.emplace(std::move(id), std::move(approval)).second) return absl::AlreadyExistsError("an id is there twice");
  return absl::OkStatus();
}

const Approval* ApprovalBook::FindById(const std::string& id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &found->second;
}

std::vector<const Approval*> ApprovalBook::For(SessionNumber session, uint32_t session_uid, const std::string& loss,
                                               absl::Time now) const {
  std::vector<const Approval*> found;
  if (loss.empty()) return found;
  for (const auto& [id, approval] : by_id_) {
    if (approval.loss != loss || approval.session_uid != session_uid || now >= approval.until) continue;
    if (approval.scope == Approval::Scope::kSession && approval.session != session) continue;
    found.push_back(&approval);
  }
  return found;
}

std::vector<const Approval*> ApprovalBook::All() const {
  std::vector<const Approval*> all;
  for (const auto& [id, approval] : by_id_) all.push_back(&approval);
  std::stable_sort(all.begin(), all.end(), [](const Approval* a, const Approval* b) { return a->since < b->since; });
  return all;
}

std::vector<Approval> ApprovalBook::Expire(absl::Time now, const std::function<bool(SessionNumber)>& alive) {
  std::vector<Approval> gone;
  for (auto it = by_id_.begin(); it != by_id_.end();) {
    Approval& approval = it->second;
    const bool over = now >= approval.until || (approval.scope == Approval::Scope::kSession && !alive(approval.session));
    if (over) gone.push_back(std::move(approval));
    it = over ? by_id_.erase(it) : std::next(it);
  }
  return gone;
}

}  // namespace holdpoint
