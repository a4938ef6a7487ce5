#include "agent/cli/watch_model.h"

#include <string.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "agent/cli/when.h"

namespace holdpoint {
namespace {

constexpr size_t kReasonMax = 200;
constexpr size_t kSecretMax = 127;
constexpr size_t kMostScrolled = 60;  // lines
constexpr int64_t kShownAfterItsEnd = 10;  // seconds
constexpr const char* kScopeNames[] = {"once", "session", "until"};  // by Scope; as the daemon says them

}  // namespace

WatchModel::WatchModel(std::string as, std::string place) : as_(std::move(as)), place_(std::move(place)) {
  secret_.reserve(kSecretMax + 1);  // It never moves, so no copy of it is left behind.
}
WatchModel::~WatchModel() { explicit_bzero(secret_.data(), secret_.capacity()); }

const TicketRow* WatchModel::chosen() const { return rows_.empty() ? nullptr : &rows_[chosen_index()]; }

size_t WatchModel::chosen_index() const {
  const auto found = std::find_if(rows_.begin(), rows_.end(), [&](const TicketRow& row) { return row.ticket == chosen_; });
  return found == rows_.end() ? 0 : static_cast<size_t>(found - rows_.begin());
}

const TicketRow* WatchModel::deciding() const {
  const auto found = std::find_if(rows_.begin(), rows_.end(), [&](const TicketRow& row) { return row.ticket == deciding_; });
  return found == rows_.end() ? nullptr : &*found;
}

void WatchModel::Choose(size_t index) {
  if (rows_.empty()) return chosen_.clear();
  chosen_ = rows_[std::min(index, rows_.size() - 1)].ticket;
  scrolled_ = 0;
}

void WatchModel::Sort() {
  const auto rank = [](const TicketRow& row) {
    return std::tuple(row.held() ? 0 : row.waits() ? 1 : 2, row.held() ? row.deadline : -row.opened, row.ticket);
  };
  std::sort(rows_.begin(), rows_.end(), [&](const TicketRow& a, const TicketRow& b) { return rank(a) < rank(b); });
}

void WatchModel::Disconnected(std::string why) {
  problem_ = std::move(why);
  listing_ = false;
  fresh_.clear();
}

void WatchModel::Begun() {
  const size_t index = chosen_index();
  rows_ = std::exchange(fresh_, {});
  gone_.clear();
  listing_ = false;
  problem_.clear();
  Sort();
  if (std::none_of(rows_.begin(), rows_.end(), [&](const TicketRow& row) { return row.ticket == chosen_; })) Choose(index);
}

bool WatchModel::Ticket(const std::string& change, TicketRow row, int64_t now) {
  now_ = now;
  if (change == "now") {
    if (!std::exchange(listing_, true)) fresh_.clear();
    fresh_.push_back(std::move(row));
    return false;
  }
  const bool calls = change == "opened" && row.waits();
  const bool ended = !row.waits() && row.state != "approved";
  std::erase_if(gone_, [&](const Gone& gone) { return gone.ticket == row.ticket; });
  if (ended) gone_.push_back({row.ticket, now});
  const auto found =
      std::find_if(rows_.begin(), rows_.end(), [&](const TicketRow& known) { return known.ticket == row.ticket; });
  if (found != rows_.end()) {
    *found = std::move(row);
  } else {
    rows_.push_back(std::move(row));
  }
  if (chosen_.empty()) chosen_ = rows_.back().ticket;
  Sort();
  return calls;
}

void WatchModel::Tick(int64_t now) {
  now_ = now;
  const size_t index = chosen_index();
  bool chosen_left = false;
  std::erase_if(gone_, [&](const Gone& gone) {
    const bool over = now - gone.at >= kShownAfterItsEnd && gone.ticket != deciding_;
    if (over) std::erase_if(rows_, [&](const TicketRow& row) { return row.ticket == gone.ticket; });
    chosen_left = chosen_left || (over && gone.ticket == chosen_);
    return over;
  });
  if (chosen_left) Choose(index);
}

WatchModel::Wish WatchModel::Press(const Key& key) {
  if (key.what == Key::What::kRedraw) return {.what = Wish::What::kRedraw};
  switch (mode_) {
    case Mode::kList:
      return PressInList(key);
    case Mode::kHelp:
      mode_ = Mode::kList;
      return key.what == Key::What::kInterrupt ? Wish{.what = Wish::What::kQuit} : Wish{};
    case Mode::kBusy:
      return key.what == Key::What::kInterrupt ? Wish{.what = Wish::What::kQuit} : Wish{};
    default:
      return PressInText(key);
  }
}

WatchModel::Wish WatchModel::PressInList(const Key& key) {
  message_.clear();
  const size_t index = chosen_index();
  const char letter = key.what == Key::What::kText ? key.text : '\0';
  if (key.what == Key::What::kInterrupt || letter == 'q') return {.what = Wish::What::kQuit};
  if (key.what == Key::What::kUp || letter == 'k') Choose(index == 0 ? 0 : index - 1);
  if (key.what == Key::What::kDown || letter == 'j') Choose(index + 1);
  if (key.what == Key::What::kPageDown || letter == ' ') scrolled_ = std::min<size_t>(scrolled_ + 5, kMostScrolled);
  if (key.what == Key::What::kPageUp) scrolled_ -= std::min<size_t>(scrolled_, 5);
  if (letter == '?' || letter == 'h') mode_ = Mode::kHelp;
  if (letter == 'a') BeginDecision(true, Scope::kOnce);
  if (letter == 's') BeginDecision(true, Scope::kSession);
  if (letter == 'u') BeginDecision(true, Scope::kUntil);
  if (letter == 'd') BeginDecision(false, Scope::kOnce);
  return {};
}

void WatchModel::BeginDecision(bool approve, Scope scope) {
  const TicketRow* row = chosen();
  message_good_ = false;
  if (row == nullptr) return void(message_ = "nothing waits");
  if (!row->waits() && (approve || row->state != "approved")) {
    return void(message_ = absl::StrCat(row->ticket, " is ", row->state, " already"));
  }
  if (!problem_.empty()) return void(message_ = "the daemon does not answer");
  if (std::find(row->deciders.begin(), row->deciders.end(), as_) == row->deciders.end()) {
    message_ = absl::StrCat(as_, " may not decide on ", row->ticket, "; may decide: ",
                            row->deciders.empty() ? "nobody" : absl::StrJoin(row->deciders, ", "));
    return;
  }
  // Of two persons the second says what the first one said, or nothing would come of both.
  if (approve && !row->approved_by.empty() && row->scope != kScopeNames[static_cast<int>(scope)]) {
    message_ = absl::StrCat(row->approved_by[0], " approved ", row->ticket, " for ", row->scope,
                            ": two persons have to say the same");
    return;
  }
  approving_ = approve;
  scope_ = scope;
  deciding_ = row->ticket;
  typed_.clear();
  wrong_.clear();
  mode_ = scope == Scope::kUntil ? Mode::kUntil : Mode::kReason;
}

bool WatchModel::NeedsReason() const {
  const TicketRow* row = deciding();
  return approving_ && (scope_ != Scope::kOnce || row == nullptr || row->protected_environment);
}

void WatchModel::EnterDate() {
  const absl::StatusOr<absl::Time> until =
      ParseUntil(std::string(absl::StripAsciiWhitespace(typed_)), absl::FromUnixSeconds(now_), "it");
  wrong_ = !until.ok() ? "Wanted a date such as 2026-12-31, or a time such as 12h or 7d."
           : absl::ToUnixSeconds(*until) <= now_ ? "That is over already."
                                                 : "";
  if (!wrong_.empty()) return;
  until_ = absl::ToUnixSeconds(*until);
  typed_.clear();
  mode_ = Mode::kReason;
}

WatchModel::Wish WatchModel::PressInText(const Key& key) {
  std::string& text = mode_ == Mode::kSecret ? secret_ : typed_;
  const size_t max = mode_ == Mode::kSecret ? kSecretMax : kReasonMax;
  switch (key.what) {
    case Key::What::kEscape:
    case Key::What::kInterrupt:
      EndDecision();
      message_ = "nothing was decided";
      message_good_ = true;
      break;
    case Key::What::kBackspace:
      if (!text.empty()) text.pop_back();
      break;
    case Key::What::kErase:
      text.clear();
      break;
    case Key::What::kText:
      if (mode_ != Mode::kSecret && (key.text < 0x20 || key.text > 0x7e)) break;  // The record's reasons are ASCII.
      if (text.size() < max) text += key.text;
      break;
    case Key::What::kEnter: {
      if (mode_ == Mode::kSecret) {
        if (secret_.empty()) break;
        mode_ = Mode::kBusy;
        return {.what = Wish::What::kDecide,
                .approve = approving_,
                .scope = scope_,
                .until = scope_ == Scope::kUntil ? until_ : 0,
                .ticket = deciding_,
                .reason = reason_};
      }
      if (mode_ == Mode::kUntil) {
        EnterDate();
        break;
      }
      reason_ = std::string(absl::StripAsciiWhitespace(typed_));
      if (reason_.empty() && NeedsReason()) break;
      mode_ = Mode::kSecret;
      break;
    }
    default:
      break;
  }
  return {};
}

void WatchModel::EndDecision() {
  explicit_bzero(secret_.data(), secret_.size());
  secret_.clear();
  typed_.clear();
  wrong_.clear();
  deciding_.clear();
  mode_ = Mode::kList;
}

std::string WatchModel::TakeSecret() {
  std::string secret = secret_;
  explicit_bzero(secret_.data(), secret_.size());
  secret_.clear();
  return secret;
}

void WatchModel::Answered(bool good, std::string message) {
  EndDecision();
  message_ = std::move(message);
  message_good_ = good;
}

}  // namespace holdpoint
