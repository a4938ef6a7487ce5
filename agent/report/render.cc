#include "agent/report/render.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/escape.h"
#include "nlohmann/json.hpp"

namespace holdpoint {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kTop = 10;         // rows of a list
constexpr size_t kNumberWidth = 7;  // "12,345" with a blank
constexpr size_t kNarrowest = 60;

std::string Dim(absl::string_view text, bool color) {
  return color ? absl::StrCat("\x1b[2m", text, "\x1b[0m") : std::string(text);
}
std::string Strong(absl::string_view text, bool color) {
  return color ? absl::StrCat("\x1b[1m", text, "\x1b[0m") : std::string(text);
}

std::string Time(int64_t unix_ns) {
  return absl::FormatTime("%Y-%m-%d %H:%M", absl::FromUnixNanos(unix_ns), absl::UTCTimeZone());
}

std::string Human(absl::Duration duration) {
  const int64_t seconds = absl::ToInt64Seconds(duration);
  if (seconds < 1) return "under 1 s";
  if (seconds < 60) return absl::StrCat(seconds, " s");
  if (seconds < 3600) return absl::StrCat(seconds / 60, " min ", seconds % 60, " s");
  return absl::StrCat(seconds / 3600, " h ", seconds % 3600 / 60, " min");
}

uint64_t Weight(const Tally::Counts& counts) { return counts.observed() + counts.stopped(); }
const Tally::Counts& CountsOf(const Tally::Counts& counts) { return counts; }
const Tally::Counts& CountsOf(const Tally::RuleRow& row) { return row.counts; }

// The heaviest first, of equals by name.
template <typename Map>
std::vector<const typename Map::value_type*> Sorted(const Map& rows) {
  std::vector<const typename Map::value_type*> sorted;
  for (const auto& row : rows) sorted.push_back(&row);
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) {
    return Weight(CountsOf(a->second)) > Weight(CountsOf(b->second));
  });
  return sorted;
}

std::string Number(uint64_t number) { return number == 0 ? "-" : absl::StrCat(number); }

class Page {
 public:
  Page(bool color, size_t width) : color_(color), width_(std::max(width, kNarrowest)) {}

  void Head(absl::string_view name) {
    const size_t room = NameWidth();
    std::string line = absl::StrFormat("%-*s", static_cast<int>(room), name);
    for (const char* column : {"would hold", "w.refuse", "w.kill", "held", "refused", "killed"}) {
      absl::StrAppendFormat(&line, "%*s", static_cast<int>(Width(column)), column);
    }
    absl::StrAppend(&text, "\n", Dim(line, color_), "\n");
  }

  void Row(const std::string& name, const Tally::Counts& counts) {
    const size_t room = NameWidth() - 1;
    std::string line = absl::StrFormat("%-*s ", static_cast<int>(room), EscapeAndClip(name, room));
    const std::pair<const char*, uint64_t> numbers[] = {{"would hold", counts.would_hold}, {"w.refuse", counts.would_refuse},
                                                        {"w.kill", counts.would_kill},     {"held", counts.held},
                                                        {"refused", counts.refused},       {"killed", counts.killed}};
    for (const auto& [column, number] : numbers) {
      absl::StrAppendFormat(&line, "%*s", static_cast<int>(Width(column)), Number(number));
    }
    absl::StrAppend(&text, line, "\n");
  }

  void Note(absl::string_view note, size_t indent) {
    absl::StrAppend(&text, std::string(indent, ' '), Dim(EscapeAndClip(note, width_ - indent), color_), "\n");
  }

  template <typename Map>
  void List(absl::string_view head, const Map& rows, const auto& name_of, const auto& below) {
    if (rows.empty()) return;
    Head(head);
    size_t shown = 0;
    for (const auto* row : Sorted(rows)) {
      if (++shown > kTop) break;
      Row(name_of(row->first), CountsOf(row->second));
      below(row->second);
    }
    if (rows.size() > kTop) Note(absl::StrCat("... and ", rows.size() - kTop, " more: --json has all"), 0);
  }

  std::string text;

 private:
  static size_t Width(absl::string_view column) { return std::max(kNumberWidth, column.size() + 1); }
  size_t NameWidth() const { return std::min<size_t>(width_, 100) - 49; }

  bool color_;
  size_t width_;
};

Json CountsJson(const Tally::Counts& counts) {
  return {{"would_hold", counts.would_hold}, {"would_refuse", counts.would_refuse}, {"would_kill", counts.would_kill},
          {"held", counts.held},             {"refused", counts.refused},           {"killed", counts.killed}};
}

template <typename Map>
Json ListJson(const char* key, const Map& rows, const auto& more) {
  Json list = Json::array();
  for (const auto* row : Sorted(rows)) {
    Json out = {{key, row->first}};
    out.update(CountsJson(CountsOf(row->second)));
    more(*row, &out);
    list.push_back(std::move(out));
  }
  return list;
}

}  // namespace

std::string RenderReport(const Tally& tally, absl::Duration span, bool color, size_t width) {
  Page page(color, width);
  const Tally::Counts& all = tally.all();
  page.text = absl::StrCat(Strong(absl::StrCat("The last ", Human(span)), color), ": ", tally.events(), " events",
                           tally.events() == 0 ? "" : absl::StrCat(", ", Time(tally.first_unix_ns()), " to ",
                                                                   Time(tally.last_unix_ns()), " UTC"),
                           "\n");
  absl::StrAppend(&page.text, "observed  ", all.observed(), " acts would have been stopped: ", all.would_hold, " held, ",
                  all.would_refuse, " refused, ", all.would_kill, " killed\n");
  absl::StrAppend(&page.text, "enforced  ", all.stopped(), " acts were stopped: ", all.held, " held, ", all.refused,
                  " refused, ", all.killed, " killed\n");
  const Tally::Decisions& decisions = tally.decisions();
  absl::StrAppend(&page.text, "decided   ", decisions.approved, " approved, ", decisions.denied, " denied, ",
                  decisions.expired, " ran out");
  if (!decisions.waited.empty()) {
    absl::StrAppend(&page.text, "; time to decide ", Human(Median(decisions.waited)), " (median), ",
                    Human(Longest(decisions.waited)), " (longest)");
  }
  absl::StrAppend(&page.text, "\n");
  if (decisions.not_accepted > 0) {
    absl::StrAppend(&page.text, "          ", decisions.not_accepted,
                    " decisions were not accepted: holdpoint events --kind decision\n");
  }
  if (tally.lost() > 0 || tally.more_lost()) {
    absl::StrAppend(&page.text, "LOST      ", tally.lost(), " events", tally.more_lost() ? " and an unknown number more" : "",
                    ": all numbers are at least that\n");
  }
  const auto itself = [](const std::string& name) { return name.empty() ? std::string("unknown") : name; };
  const auto nothing = [](const auto&) {};
  page.List("RULE", tally.rules(), itself, [&page](const Tally::RuleRow& row) {
    for (const Tally::Example& example : row.examples) {
      page.Note(absl::StrCat(example.observed ? "ran: " : "", example.summary,
                             example.times > 1 ? absl::StrCat(" (", example.times, " times)") : ""), 2);
    }
  });
  const auto session = [&tally](const std::string& id) {
    const std::string who = tally.WhoIs(id);
    return who.empty() ? id : absl::StrCat(id, " ", who);
  };
  page.List("SESSION", tally.sessions(), session, nothing);
  page.List("USER", tally.users(), itself, nothing);
  page.List("TARGET ENVIRONMENT", tally.environments(), itself, nothing);
  return page.text;
}

std::string ReportJson(const Tally& tally) {
  Json json = {{"first", tally.first_unix_ns() / 1'000'000'000}, {"last", tally.last_unix_ns() / 1'000'000'000},
               {"events", tally.events()}, {"lost", tally.lost()}, {"all", CountsJson(tally.all())}};
  const Tally::Decisions& decisions = tally.decisions();
  json["decisions"] = {{"approved", decisions.approved},
                       {"denied", decisions.denied},
                       {"expired", decisions.expired},
                       {"not_accepted", decisions.not_accepted},
                       {"median_wait_ms", absl::ToInt64Milliseconds(Median(decisions.waited))},
                       {"longest_wait_ms", absl::ToInt64Milliseconds(Longest(decisions.waited))}};
  json["rules"] = ListJson("rule", tally.rules(), [](const auto& row, Json* out) {
    Json& examples = (*out)["examples"] = Json::array();
    for (const Tally::Example& example : row.second.examples) {
      examples.push_back({{"summary", example.summary}, {"reason", example.reason}, {"session", example.session},
                          {"time", example.time_unix_ns / 1'000'000'000}, {"observed", example.observed},
                          {"times", example.times}});
    }
  });
  json["sessions"] = ListJson("session", tally.sessions(),
                              [&tally](const auto& row, Json* out) { (*out)["who"] = tally.WhoIs(row.first); });
  const auto nothing = [](const auto&, Json*) {};
  json["users"] = ListJson("user", tally.users(), nothing);
  json["environments"] = ListJson("environment", tally.environments(), nothing);
  return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace holdpoint
