// holdpoint notify-desktop: shows what this user may decide as notices of the desktop. A unit of the user starts it.
#include <poll.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/cli/context.h"
#include "agent/cli/desktop_note.h"
#include "agent/cli/ticket_feed.h"

namespace holdpoint {
namespace {

constexpr char kService[] = "org.freedesktop.Notifications";
constexpr char kPath[] = "/org/freedesktop/Notifications";
constexpr uint64_t kCallMicroseconds = 5'000'000;
constexpr size_t kMaxShown = 64;
constexpr absl::Duration kFirstPause = absl::Seconds(1), kMaxPause = absl::Seconds(30);

struct BusClose {
  void operator()(sd_bus* bus) const { sd_bus_flush_close_unref(bus); }
};
struct MessageFree {
  void operator()(sd_bus_message* message) const { sd_bus_message_unref(message); }
};
using BusPtr = std::unique_ptr<sd_bus, BusClose>;
using MessagePtr = std::unique_ptr<sd_bus_message, MessageFree>;

absl::Status BusError(absl::string_view what, int error) {
  return absl::UnavailableError(absl::StrCat(what, ": ", strerror(-error)));
}

// The notification service of the user's desktop.
class Desktop {
 public:
  static absl::StatusOr<Desktop> Open() {
    sd_bus* bus = nullptr;
    if (const int error = sd_bus_open_user(&bus); error < 0) {
      return BusError("there is no session bus (run this as the user of a desktop, by its user unit)", error);
    }
    Desktop desktop{BusPtr(bus)};
    sd_bus_set_method_call_timeout(bus, kCallMicroseconds);
    return desktop;
  }

  // Shows it, in place of notice `id` where that is not 0; gives its id.
  absl::StatusOr<uint32_t> Show(const DesktopNote& note, uint32_t id) {
    if (!asked_) AskCapabilities();
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message* raw = nullptr;
    const std::string body = markup_ ? EscapeMarkup(note.body) : note.body;
    const int sent = sd_bus_call_method(bus_.get(), kService, kPath, kService, "Notify", &error, &raw, "susssasa{sv}i",
                                        "Holdpoint", id, "dialog-warning", note.title.c_str(), body.c_str(),
                                        0,                                 // actions: none; a click decides nothing
                                        2, "urgency", "y", note.urgency,   // hints
                                        "desktop-entry", "s", "holdpoint",
                                        note.stays ? 0 : -1);
    const MessagePtr answer(raw);
    absl::Status status = absl::OkStatus();
    if (sent < 0) status = absl::UnavailableError(absl::StrCat("the desktop shows no notice: ", error.message == nullptr ? strerror(-sent) : error.message));
    sd_bus_error_free(&error);
    HP_RETURN_IF_ERROR(status);
    uint32_t shown = 0;
    if (const int read = sd_bus_message_read(answer.get(), "u", &shown); read < 0) return BusError("the desktop's answer", read);
    return shown;
  }

  int fd() const { return sd_bus_get_fd(bus_.get()); }

  // What the bus says (signals, its end). Not OK: the bus is gone.
  absl::Status Process() {
    for (;;) {
      const int done = sd_bus_process(bus_.get(), nullptr);
      if (done < 0) return BusError("the session bus is gone", done);
      if (done == 0) return absl::OkStatus();
    }
  }

 private:
  explicit Desktop(BusPtr bus) : bus_(std::move(bus)) {}

  // Before the first notice: asking starts the service where nobody has yet.
  void AskCapabilities() {
    sd_bus_message* raw = nullptr;
    if (sd_bus_call_method(bus_.get(), kService, kPath, kService, "GetCapabilities", nullptr, &raw, "") < 0) return;
    const MessagePtr answer(raw);
    asked_ = true;
    char** words = nullptr;
    if (sd_bus_message_read_strv(answer.get(), &words) < 0 || words == nullptr) return;
    for (char** word = words; *word != nullptr; ++word) {
      markup_ = markup_ || strcmp(*word, "body-markup") == 0;
      free(*word);
    }
    free(words);
  }

  BusPtr bus_;
  bool asked_ = false;
  bool markup_ = false;
};

class NotifyDesktop {
 public:
  NotifyDesktop(Desktop desktop, std::string socket_path)
      : desktop_(std::move(desktop)),
        feed_(std::move(socket_path), {.begun = [] {},
                                       .ticket = [this](const std::string& change, const TicketRow& row) {
                                         OnTicket(change, row);
                                       }}) {}

  absl::Status Run() {
    BootTime next;
    absl::Duration pause = kFirstPause;
    for (;;) {
      if (!feed_.connected() && Clock::Real().Boot() >= next) {
        // A daemon that is not there yet, or is being replaced, is no error.
        (void)feed_.Connect();
        next = Clock::Real().Boot() + pause;
        pause = std::min(kMaxPause, pause * 2);
      }
      pollfd wait[] = {{.fd = desktop_.fd(), .events = POLLIN, .revents = 0},
                       {.fd = feed_.fd(), .events = POLLIN, .revents = 0}};
      const absl::Duration until = next - Clock::Real().Boot();
      const int ms = feed_.connected() ? -1 : static_cast<int>(std::max<int64_t>(0, absl::ToInt64Milliseconds(until)) + 1);
      if (poll(wait, 2, ms) < 0 && errno != EINTR) return ErrnoStatus("poll");
      HP_RETURN_IF_ERROR(desktop_.Process());
      if (wait[1].revents == 0) continue;
      const absl::Status read = feed_.Read();
      if (read.ok()) pause = kFirstPause;
      if (absl::IsPermissionDenied(read)) return read;
    }
  }

 private:
  void OnTicket(const std::string& change, const TicketRow& row) {
    const auto known = shown_.find(row.ticket);
    if (change == "now" && known != shown_.end()) return;  // After a lost connection.
    const DesktopNote note = DesktopNoteOf(change, row, time(nullptr));
    if (!note.wanted) return;
    const absl::StatusOr<uint32_t> id = desktop_.Show(note, known == shown_.end() ? 0 : known->second);
    if (!id.ok()) return LogWarning(id.status().message());
    if (row.waits() && (known != shown_.end() || shown_.size() < kMaxShown)) {
      shown_[row.ticket] = *id;
    } else {
      shown_.erase(row.ticket);
    }
  }

  Desktop desktop_;
  TicketFeed feed_;
  std::map<std::string, uint32_t> shown_;  // ticket -> the notice that shows it
};

absl::StatusOr<int> Run(const Context& context) {
  SetLogName("holdpoint notify-desktop");
  HP_ASSIGN_OR_RETURN(Desktop desktop, Desktop::Open());
  HP_RETURN_IF_ERROR(NotifyDesktop(std::move(desktop), context.SocketPath()).Run());
  return 0;
}

}  // namespace

void AddNotifyDesktop(CLI::App& app, Context& context) {
  app.add_subcommand("notify-desktop", "Show what waits for you as notices of your desktop (its user unit starts this)")
      ->callback([&context] { context.command = [&context] { return Run(context); }; });
}

}  // namespace holdpoint
