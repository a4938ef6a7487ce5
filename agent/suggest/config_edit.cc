#include "agent/suggest/config_edit.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "agent/base/status.h"
#include "agent/environment/load.h"
#include "agent/environment/yaml.h"

namespace holdpoint {
namespace {

constexpr size_t kContext = 3;

// Lines [at, at + removed) become `added`.
struct Change {
  size_t at = 0, removed = 0;
  std::vector<std::string> added;
};

struct Item {
  std::string yaml;  // a flow map
  std::string why;
};
using Sections = std::map<std::string, std::vector<Item>>;  // by key of the file

std::string Quoted(absl::string_view text) { return absl::StrCat("\"", text, "\""); }  // Names are plain: see words.h.

Sections SectionsOf(const std::vector<Proposal>& proposals) {
  Sections sections;
  for (const Proposal& proposal : proposals) {
    if (proposal.environment.empty()) continue;
    const std::string to = absl::StrCat(", environment: ", proposal.environment, "}");
    switch (proposal.kind) {
      case Proposal::Kind::kHost:
        sections["destinations"].push_back({absl::StrCat("{hosts: [", Quoted(proposal.name), "]", to), proposal.why});
        break;
      case Proposal::Kind::kAddress: {
        const std::string ports = proposal.port == 0 ? "" : absl::StrCat(", ports: [", proposal.port, "]");
        const std::string range = absl::StrCat(proposal.name, absl::StrContains(proposal.name, ':') ? "/128" : "/32");
        sections["destinations"].push_back({absl::StrCat("{cidr: [", Quoted(range), "]", ports, to), proposal.why});
        break;
      }
      case Proposal::Kind::kCredential:
        sections["credentials"].push_back(
            {absl::StrCat("{name: seen-", proposal.name.substr(3), ", fingerprints: [", Quoted(proposal.name), "]", to),
             proposal.why});
        break;
      case Proposal::Kind::kCredentialFile: {
        std::string base = proposal.name.substr(proposal.name.rfind('/') + 1);
        std::erase_if(base, [](unsigned char c) { return !isalnum(c) && c != '.' && c != '-' && c != '_'; });
        sections["credentials"].push_back(
            {absl::StrCat("{name: file-", base.substr(0, 40), ", files: [", Quoted(proposal.name), "]", to), proposal.why});
        break;
      }
      case Proposal::Kind::kResource:
        sections["resources"].push_back(
            {absl::StrCat("{type: ", proposal.type, ", id: ", Quoted(proposal.name), to), proposal.why});
        break;
    }
  }
  return sections;
}

std::vector<std::string> BlockItems(const std::vector<Item>& items, size_t indent) {
  std::vector<std::string> lines;
  const std::string dash = absl::StrCat(std::string(indent, ' '), "- ");
  for (const Item& item : items) lines.push_back(absl::StrCat(dash, item.yaml, "  # ", item.why));
  return lines;
}

// New items go before those that are there: where the last one ends, only a parser of comments could say.
absl::StatusOr<Change> Insert(absl::string_view name, const std::string& key, const std::vector<Item>& items,
                              const YamlNode& root, const std::vector<std::string>& lines) {
  const YamlEntry* entry = nullptr;
  for (const YamlEntry& each : root.entries) {
    if (each.key == key) entry = &each;
  }
  Change change;
  if (entry == nullptr) {
    change.at = lines.size();
    change.added = BlockItems(items, 2);
    change.added.insert(change.added.begin(), {"", absl::StrCat(key, ":")});
    return change;
  }
  const size_t key_line = static_cast<size_t>(entry->line) - 1;
  const size_t value_line = static_cast<size_t>(entry->value.line) - 1;
  const size_t column = static_cast<size_t>(entry->value.column) - 1;
  if (value_line >= lines.size() || column >= lines[value_line].size()) return absl::InternalError("no place found");
  const std::string& line = lines[value_line];
  if (line[column] == '-') {
    change.at = value_line;
    change.added = BlockItems(items, column);
    return change;
  }
  if (line[column] != '[') return absl::InternalError(absl::StrCat(name, ": ", key, ": neither kind of list"));
  change.at = value_line;
  change.removed = 1;
  const size_t close = line.find_first_not_of(' ', column + 1);
  if (entry->value.items.empty() && close != std::string::npos && line[close] == ']' && value_line == key_line) {
    std::string head = line.substr(0, column);
    while (absl::EndsWith(head, " ")) head.pop_back();
    change.added = BlockItems(items, 2);
    change.added.insert(change.added.begin(), absl::StrCat(head, line.substr(close + 1)));
    return change;
  }
  std::string inside;
  for (const Item& item : items) absl::StrAppend(&inside, inside.empty() ? "" : ", ", item.yaml);
  if (!entry->value.items.empty()) absl::StrAppend(&inside, ", ");
  change.added = {absl::StrCat(line.substr(0, column + 1), inside, line.substr(column + 1))};
  return change;
}

std::string Hunk(const std::vector<std::string>& lines, const Change* first, const Change* last, ptrdiff_t* shift,
                 bool ends_with_newline) {
  const size_t from = first->at > kContext ? first->at - kContext : 0;
  const size_t to = std::min(lines.size(), last->at + last->removed + kContext);
  std::string body;
  size_t added = 0, removed = 0, at = from;
  const auto put = [&](char mark, const std::string& line, bool is_old_end) {
    absl::StrAppend(&body, std::string(1, mark), line, "\n");
    if (is_old_end && !ends_with_newline) absl::StrAppend(&body, "\\ No newline at end of file\n");
  };
  for (const Change* change = first; change <= last; ++change) {
    for (; at < change->at; ++at) put(' ', lines[at], false);
    for (size_t i = 0; i < change->removed; ++i, ++at) put('-', lines[at], at + 1 == lines.size());
    for (const std::string& line : change->added) put('+', line, false);
    added += change->added.size();
    removed += change->removed;
  }
  for (; at < to; ++at) put(' ', lines[at], at + 1 == lines.size());
  const size_t old_count = to - from, new_count = old_count + added - removed;
  const size_t new_from = static_cast<size_t>(static_cast<ptrdiff_t>(from) + *shift);
  *shift += static_cast<ptrdiff_t>(added) - static_cast<ptrdiff_t>(removed);
  return absl::StrCat("@@ -", from + (old_count > 0), ",", old_count, " +", new_from + (new_count > 0), ",", new_count,
                      " @@\n", body);
}

std::string Diff(absl::string_view name, const std::vector<std::string>& lines, const std::vector<Change>& changes,
                 bool is_new, bool ends_with_newline) {
  std::string diff = absl::StrCat("--- ", is_new ? "/dev/null" : name, "\n+++ ", name, "\n");
  ptrdiff_t shift = 0;
  for (size_t i = 0; i < changes.size();) {
    size_t last = i;
    while (last + 1 < changes.size() &&
           changes[last + 1].at <= changes[last].at + changes[last].removed + 2 * kContext) {
      ++last;
    }
    absl::StrAppend(&diff, Hunk(lines, &changes[i], &changes[last], &shift, ends_with_newline));
    i = last + 1;
  }
  return diff;
}

absl::Status Verify(const Configuration& before, absl::string_view name, const std::string& text, size_t proposed) {
  absl::StatusOr<Configuration> after = LoadConfiguration(name, text);
  if (!after.ok()) return absl::InternalError(absl::StrCat("the proposal is not accepted: ", after.status().message()));
  const auto size = [](const Configuration& of) {
    return of.destinations.size() + of.credentials.size() + of.resources.size();
  };
  if (size(*after) == size(before) + proposed) return absl::OkStatus();
  return absl::InternalError("the proposal would change more than it says");
}

}  // namespace

absl::StatusOr<ConfigEdit> WriteProposals(absl::string_view name, absl::string_view bytes,
                                          const std::vector<Proposal>& proposals) {
  HP_ASSIGN_OR_RETURN(const Configuration before, LoadConfiguration(name, bytes));
  HP_ASSIGN_OR_RETURN(const YamlNode root, ParseYaml(name, bytes));
  ConfigEdit edit;
  edit.text = std::string(bytes);
  const Sections sections = SectionsOf(proposals);
  if (sections.empty()) return edit;

  const bool ends_with_newline = bytes.empty() || bytes.back() == '\n';
  std::vector<std::string> lines;
  if (!bytes.empty()) lines = absl::StrSplit(ends_with_newline ? bytes.substr(0, bytes.size() - 1) : bytes, '\n');
  std::vector<Change> changes;
  size_t proposed = 0;
  for (const auto& [key, items] : sections) {
    proposed += items.size();
    HP_ASSIGN_OR_RETURN(Change change, Insert(name, key, items, root, lines));
    if (bytes.empty() && changes.empty()) change.added.insert(change.added.begin(), "version: 1");
    changes.push_back(std::move(change));
  }
  const size_t end = lines.size();
  const auto touches_end = [end](const Change& change) { return change.at + change.removed == end; };
  const auto takes_last = [&](const Change& change) { return change.removed > 0 && touches_end(change); };
  const bool end_touched = std::any_of(changes.begin(), changes.end(), touches_end);
  if (end_touched && !ends_with_newline && std::none_of(changes.begin(), changes.end(), takes_last)) {
    // What goes behind the end needs an end of the last line.
    Change& first = *std::find_if(changes.begin(), changes.end(), [&](const Change& c) { return c.at == end; });
    --first.at;
    first.removed = 1;
    first.added.insert(first.added.begin(), lines.back());
  }
  std::stable_sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) { return a.at < b.at; });
  edit.diff = Diff(name, lines, changes, bytes.empty(), ends_with_newline);
  for (auto change = changes.rbegin(); change != changes.rend(); ++change) {
    auto at = lines.begin() + static_cast<ptrdiff_t>(change->at);
    at = lines.erase(at, at + static_cast<ptrdiff_t>(change->removed));
    lines.insert(at, change->added.begin(), change->added.end());
  }
  edit.text = absl::StrCat(absl::StrJoin(lines, "\n"), ends_with_newline || end_touched ? "\n" : "");
  HP_RETURN_IF_ERROR(Verify(before, name, edit.text, proposed));
  return edit;
}

}  // namespace holdpoint
