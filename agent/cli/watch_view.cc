#include "agent/cli/watch_view.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "agent/cli/terminal.h"

namespace holdpoint {
namespace {

constexpr size_t kMinWidth = 40, kMinHeight = 12;
constexpr size_t kLabel = 12;
constexpr size_t kMostCommandLines = 8;

std::string Fit(std::string text, size_t width) {
  if (text.size() <= width) return text + std::string(width - text.size(), ' ');
  if (width < 4) return text.substr(0, width);
  text.resize(width - 3);
  return text + "...";
}

std::string Clip(std::string text, size_t width) {
  if (text.size() > width) text = Fit(std::move(text), width);
  return text;
}

std::string Inverse(const std::string& text, bool color) { return color ? "\x1b[7m" + text + "\x1b[0m" : text; }

// Lines of at most `width`, broken at spaces where there are any.
std::vector<std::string> Wrap(const std::string& text, size_t width) {
  std::vector<std::string> lines;
  size_t from = 0;
  while (from < text.size()) {
    size_t to = std::min(text.size(), from + width);
    if (to < text.size()) {
      const size_t space = text.rfind(' ', to);
      if (space != std::string::npos && space > from + width / 2) to = space;
    }
    lines.push_back(text.substr(from, to - from));
    from = to + (to < text.size() && text[to] == ' ' ? 1 : 0);
  }
  return lines;
}

Tone ToneOf(const TicketRow& row) { return row.held() ? Tone::kBad : row.waits() ? Tone::kWarn : Tone::kDim; }

std::string StateOf(const TicketRow& row) { return row.held() ? "HELD" : row.state; }

std::string LeftOf(const TicketRow& row, int64_t now) {
  if (!row.waits() && row.state != "approved") return "-";
  const int64_t left = std::max<int64_t>(0, (row.held() ? row.deadline : row.expires) - now);
  if (left < 100) return absl::StrCat(left, " s");
  return left < 6000 ? absl::StrCat(left / 60, " min") : absl::StrCat(left / 3600, " h");
}

class Picture {
 public:
  Picture(const WatchModel& model, size_t width, size_t height, int64_t now, bool color)
      : model_(model), width_(width), height_(height), now_(now), color_(color) {}

  WatchFrame Frame() {
    if (width_ < kMinWidth || height_ < kMinHeight) {
      frame_.lines.push_back(Clip("holdpoint: this window is too small", width_));
      frame_.lines.resize(height_);
      return std::move(frame_);
    }
    Title();
    if (model_.mode() == WatchModel::Mode::kHelp) {
      Help();
    } else {
      List();
      Detail();
    }
    frame_.lines.resize(height_ - 2);
    Foot();
    return std::move(frame_);
  }

 private:
  void Add(const std::string& text, Tone tone = Tone::kPlain) {
    frame_.lines.push_back(Painted(Clip(text, width_), tone, color_));
  }

  void Title() {
    size_t held = 0, waiting = 0;
    for (const TicketRow& row : model_.rows()) {
      held += row.held() ? 1 : 0;
      waiting += row.waits() ? 1 : 0;
    }
    const std::string clock = absl::FormatTime("%H:%M:%S UTC", absl::FromUnixSeconds(now_), absl::UTCTimeZone());
    const std::string right = absl::StrCat(waiting, " waiting, ", held, " held  ", clock, " ");
    const std::string left = absl::StrCat(" holdpoint watch  ", model_.place(), ", as ", model_.as(), " ");
    const size_t room = width_ > right.size() ? width_ - right.size() : 0;
    frame_.lines.push_back(Inverse(Clip(Fit(left, room) + right, width_), color_));
  }

  // Header and rows; the chosen one is always among them.
  void List() {
    const std::vector<TicketRow>& rows = model_.rows();
    if (rows.empty()) {
      Add("");
      Add(model_.problem().empty() ? "  Nothing waits for a decision. A new one shows here, with a bell." : "");
      return;
    }
    const size_t most = std::max<size_t>(3, (height_ - 3) / 3);
    const size_t shown = std::min(rows.size(), most);
    const size_t chosen = model_.chosen_index();
    const size_t first = chosen < shown ? 0 : chosen - shown + 1;
    Add(absl::StrFormat("  %-8s %-8s %-6s  %-12s %s", "TICKET", "STATE", "LEFT", "ENVIRONMENT", "COMMAND"), Tone::kDim);
    for (size_t i = first; i < first + shown; ++i) {
      const TicketRow& row = rows[i];
      const std::string head = absl::StrCat(i == chosen ? "> " : "  ", Fit(row.ticket, 8), " ");
      const std::string state = Fit(StateOf(row), 8);
      const std::string rest = absl::StrCat(" ", Fit(LeftOf(row, now_), 6), "  ", Fit(row.environment.empty() ? "unknown" : row.environment, 12), " ");
      const size_t used = head.size() + state.size() + rest.size();
      const std::string summary = Fit(row.summary, width_ > used ? width_ - used : 0);
      const std::string plain = Clip(head + state + rest + summary, width_);
      const bool whole = plain.size() >= used;  // In a narrow window the cut may fall anywhere.
      frame_.lines.push_back(i == chosen ? Inverse(plain, color_)
                             : whole     ? head + Painted(state, ToneOf(row), color_) + rest + summary
                                         : plain);
    }
    if (rows.size() > shown) Add(absl::StrCat("  ", rows.size() - shown, " more"), Tone::kDim);
    Add(std::string(width_, '-'), Tone::kDim);
  }

  struct Line {
    std::string text;
    Tone tone = Tone::kPlain;
  };

  void Field(const char* label, const std::string& text, Tone tone = Tone::kPlain, size_t most = kMostCommandLines) {
    if (text.empty()) return;
    std::vector<std::string> lines = Wrap(text, width_ - kLabel - 1);
    if (lines.size() > most) {
      lines.resize(most);
      lines.back() = Fit(lines.back() + "...", width_ - kLabel - 1);
    }
    for (size_t i = 0; i < lines.size(); ++i) {
      detail_.push_back({absl::StrCat(Fit(i == 0 ? absl::StrCat(" ", label) : "", kLabel), lines[i]), tone});
    }
  }

  void Describe(const TicketRow& row) {
    const std::string until =
        absl::FormatTime("%H:%M UTC", absl::FromUnixSeconds(row.expires), absl::UTCTimeZone());
    if (row.held()) {
      Field("state", absl::StrCat("held, ", LeftOf(row, now_), " left; then refused, and open until ", until), Tone::kBad);
    } else if (row.state == "open") {
      Field("state", absl::StrCat("refused; once approved, the identical command passes one time until ", until), Tone::kWarn);
    } else {
      Field("state", absl::StrCat(row.state == "used" ? "has run, approved" : row.state, row.decided_by.empty() ? "" : " by ", row.decided_by,
                                  row.decision_reason.empty() ? "" : ": ", row.decision_reason), Tone::kDim);
    }
    Field("why", row.reason);
    std::string effect = absl::StrCat(row.recoverability, row.recoverability.empty() ? "" : " ", row.effect);
    if (!row.resource.empty()) absl::StrAppend(&effect, ": ", row.resource);
    Field("would", effect, row.recoverability == "irreversible" ? Tone::kBad : Tone::kPlain);
    Field("backups", row.backups, Tone::kWarn);
    Field("command", row.command.empty() ? row.summary : row.command);
    Field("in", row.working_directory);
    const char* label = "tags";
    for (const TicketRow::Tag& tag : row.tags) {
      Field(label, absl::StrFormat("%-11s %s%s%s", tag.what, tag.environment.empty() ? "unknown" : tag.environment,
                                   tag.protected_environment ? ", protected" : "",
                                   tag.source.empty() ? "" : absl::StrCat("  (", tag.source, ")")),
            tag.protected_environment ? Tone::kWarn : Tone::kPlain);
      label = "";
    }
    Field("asked by", absl::StrCat(row.coding_agent.empty() ? "a session" : row.coding_agent, " of ", row.user, ", session ", row.session));
    Field("through", absl::StrJoin(row.started_by, " <- "), Tone::kPlain, 3);
    Field("unseen", absl::StrJoin(row.blind_spots, "; "), Tone::kWarn);
    Field("may decide", absl::StrCat(row.deciders.empty() ? "nobody" : absl::StrJoin(row.deciders, ", "),
                                     row.two_persons ? ", two of them" : "",
                                     row.approved_by.empty() ? "" : "; approved by ", absl::StrJoin(row.approved_by, ", "),
                                     row.approved_by.empty() || row.scope == "once" ? "" : absl::StrCat(" (", row.scope, ")"),
                                     row.rollback.empty() ? "" : "; rollback: ", row.rollback));
    Field("rule", row.rule, Tone::kDim);
  }

  void Detail() {
    const TicketRow* row = model_.deciding() != nullptr ? model_.deciding() : model_.chosen();
    if (row == nullptr) return;
    Describe(*row);
    const size_t room = height_ - 2 - std::min(height_ - 2, frame_.lines.size());
    const size_t last_page = detail_.size() > room ? detail_.size() - room : 0;
    const size_t first = std::min(model_.scrolled(), last_page);
    for (size_t i = first; i < detail_.size() && i - first < room; ++i) Add(detail_[i].text, detail_[i].tone);
    if (first < last_page && room > 0) {
      frame_.lines.back() = Painted(Clip(absl::StrCat(" ", last_page - first + 1, " more lines: space"), width_), Tone::kDim, color_);
    }
  }

  void Help() {
    for (const char* line :
         {"", "  up k, down j      choose", "  a                 approve: this one command, one time",
          "  s                 approve for the session: what loses the same passes in it",
          "  u                 approve until a date: the same, also in other sessions",
          "  d                 deny: the command stays refused",
          "  space, page keys  more of what is shown below the list", "  ctrl-l            draw again",
          "  q                 leave",
          "", "  A decision asks why, and for your password. To approve in a protected",
          "  environment, or for longer than once, needs a reason. Esc decides nothing.", "",
          "  What is held waits until its time is up and is refused then. What was refused",
          "  stays open: once approved, the identical command passes one time."}) {
      Add(line);
    }
  }

  void Prompt(const std::string& question, const std::string& typed, const std::string& advice) {
    const size_t room = width_ > question.size() + 1 ? width_ - question.size() - 1 : 0;
    const std::string shown = typed.size() > room ? typed.substr(typed.size() - room) : typed;
    Add(advice, Tone::kDim);
    frame_.cursor = {frame_.lines.size(), std::min(width_ - 1, question.size() + shown.size())};
    frame_.lines.push_back(Clip(question + shown, width_));
  }

  std::string HowFar() const {
    if (!model_.approving() || model_.scope() == WatchModel::Scope::kOnce) return "";
    if (model_.scope() == WatchModel::Scope::kSession) return " for the session";
    return absl::FormatTime(" until %Y-%m-%d %H:%M UTC", absl::FromUnixSeconds(model_.until()), absl::UTCTimeZone());
  }

  void Foot() {
    const TicketRow* row = model_.deciding();
    const std::string ticket = row == nullptr ? "" : row->ticket;
    const char* verb = model_.approving() ? "approve" : "deny";
    switch (model_.mode()) {
      case WatchModel::Mode::kUntil:
        return Prompt(absl::StrCat(" Until when may ", ticket, " pass? "), model_.typed(),
                      model_.wrong().empty() ? " Enter goes on, Esc decides nothing. A date such as 2026-12-31, or 12h, 7d."
                                             : absl::StrCat(" ", model_.wrong()));
      case WatchModel::Mode::kReason:
        return Prompt(absl::StrCat(" Why ", verb, " ", ticket, HowFar(), "? "), model_.typed(),
                      absl::StrCat(" Enter goes on, Esc decides nothing. ",
                                   !model_.NeedsReason()                       ? "A reason may be left out."
                                   : model_.scope() != WatchModel::Scope::kOnce ? "A reason is needed: it is remembered."
                                                                               : "A reason is needed: this is protected."));
      case WatchModel::Mode::kSecret:
        return Prompt(absl::StrCat(" Password of ", model_.as(), ": "), "",
                      absl::StrCat(" To ", verb, " ", ticket, "; a code will do as well. Not shown. Esc decides nothing."));
      case WatchModel::Mode::kBusy:
        Add("");
        return Add(absl::StrCat(" ", ticket, ": the password is being checked ..."), Tone::kWarn);
      default:
        break;
    }
    if (!model_.problem().empty()) {
      Add(absl::StrCat(" ", model_.problem(), "; trying again"), Tone::kBad);
    } else {
      Add(absl::StrCat(" ", model_.message()), model_.message_good() ? Tone::kGood : Tone::kBad);
    }
    Add(model_.mode() == WatchModel::Mode::kHelp ? " any key goes back"
                                                 : " a approve once  s for the session  u until a date  d deny  ? help  q quit",
        Tone::kDim);
  }

  const WatchModel& model_;
  const size_t width_, height_;
  const int64_t now_;
  const bool color_;
  std::vector<Line> detail_;
  WatchFrame frame_;
};

}  // namespace

WatchFrame RenderWatch(const WatchModel& model, size_t width, size_t height, int64_t now, bool color) {
  return Picture(model, width, height, now, color).Frame();
}

}  // namespace holdpoint
