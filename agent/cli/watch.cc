// holdpoint watch: what waits for a decision, live, and the decision itself.
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <optional>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "agent/base/clock.h"
#include "agent/base/status.h"
#include "agent/cli/ask.h"
#include "agent/cli/context.h"
#include "agent/cli/mode.h"
#include "agent/cli/screen.h"
#include "agent/cli/terminal.h"
#include "agent/cli/ticket_feed.h"
#include "agent/cli/watch_keys.h"
#include "agent/cli/watch_model.h"
#include "agent/cli/watch_view.h"

namespace holdpoint {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP};
constexpr int kEscapeMs = 50;  // An escape that nothing follows for so long is the key.
constexpr absl::Duration kReconnect = absl::Seconds(1);

struct WatchOptions {
  std::string as;
  bool quiet = false;
};

// Those signals become readable as long as this lives.
class Signals {
 public:
  Signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : kSignals) sigaddset(&set, number);
    sigprocmask(SIG_BLOCK, &set, &before_);
    fd_.reset(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  ~Signals() { sigprocmask(SIG_SETMASK, &before_, nullptr); }
  int fd() const { return fd_.get(); }
  int Next() const {
    signalfd_siginfo info;
    return read(fd_.get(), &info, sizeof(info)) == sizeof(info) ? static_cast<int>(info.ssi_signo) : 0;
  }

 private:
  sigset_t before_{};
  UniqueFd fd_;
};

class Watch {
 public:
  Watch(const Context& context, const WatchOptions& options)
      : socket_path_(context.SocketPath()),
        quiet_(options.quiet),
        color_(context.Colored()),
        model_(options.as.empty() ? CallerName() : options.as, Place(context)),
        feed_(socket_path_, {.begun = [this] { model_.Begun(); },
                             .ticket = [this](const std::string& change, TicketRow row) {
                               bell_ = model_.Ticket(change, std::move(row), time(nullptr)) || bell_;
                             }}) {}

  absl::StatusOr<int> Run() {
    // The first answer comes before the terminal is touched: it may be a refusal.
    HP_RETURN_IF_ERROR(feed_.Connect());
    pollfd first{.fd = feed_.fd(), .events = POLLIN, .revents = 0};
    if (poll(&first, 1, static_cast<int>(absl::ToInt64Milliseconds(kAnswerTime))) == 0) {
      return absl::UnavailableError("the daemon did not answer in time");
    }
    HP_RETURN_IF_ERROR(feed_.Read());
    bell_ = false;
    const absl::StatusOr<int> ended = Loop();
    screen_.Leave();
    return ended;
  }

 private:
  static std::string Place(const Context& context) {
    char host[256] = "";
    gethostname(host, sizeof(host) - 1);
    return Safe(context.instance == "default" ? std::string(host) : absl::StrCat(host, " (", context.instance, ")"));
  }

  // The exit code, or -N for the signal N that ended it.
  absl::StatusOr<int> Loop() {
    const Signals signals;
    HP_RETURN_IF_ERROR(screen_.Enter());
    for (;;) {
      HP_RETURN_IF_ERROR(Draw());
      pollfd wait[] = {{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0},
                       {.fd = signals.fd(), .events = POLLIN, .revents = 0},
                       {.fd = feed_.fd(), .events = POLLIN, .revents = 0},
                       {.fd = decision_.has_value() ? decision_->fd() : -1, .events = POLLIN, .revents = 0}};
      if (poll(wait, std::size(wait), PauseMs()) < 0 && errno != EINTR) return ErrnoStatus("poll");
      if (wait[1].revents != 0) {
        if (const int number = OnSignals(signals); number != 0) return -number;
      }
      if (wait[2].revents != 0) OnFeed();
      if (wait[3].revents != 0) OnDecision();
      HP_ASSIGN_OR_RETURN(const bool on, OnKeys(wait[0].revents != 0));
      if (!on) return 0;
      OnTime();
    }
  }

  // Until the clock on the screen shows another second.
  int PauseMs() const {
    if (!input_.empty()) return kEscapeMs;
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<int>(1000 - now.tv_nsec / 1'000'000) + 1;
  }

  absl::Status Draw() {
    if (std::exchange(bell_, false) && !quiet_) screen_.Bell();
    const auto [width, height] = screen_.Size();
    const WatchFrame frame = RenderWatch(model_, width, height, time(nullptr), color_);
    return screen_.Show(frame.lines, frame.cursor);
  }

  int OnSignals(const Signals& signals) {
    while (const int number = signals.Next()) {
      if (number == SIGWINCH) {
        screen_.Forget();
      } else if (number == SIGTSTP) {
        screen_.Leave();
        raise(SIGSTOP);  // Goes on here when it is continued.
        if (!screen_.Enter().ok()) return SIGHUP;
      } else {
        return number;
      }
    }
    return 0;
  }

  void OnFeed() {
    const absl::Status read = feed_.Read();
    if (read.ok()) return;
    model_.Disconnected("the daemon is gone");
    reconnect_ = Clock::Real().Boot() + kReconnect;
  }

  void OnTime() {
    model_.Tick(time(nullptr));
    if (!feed_.connected() && Clock::Real().Boot() >= reconnect_) {
      reconnect_ = Clock::Real().Boot() + kReconnect;
      if (const absl::Status connected = feed_.Connect(); !connected.ok()) model_.Disconnected("no daemon answers");
    }
    if (decision_.has_value() && Clock::Real().Boot() >= decide_until_) {
      decision_.reset();
      model_.Answered(false, "the daemon did not answer in time; look whether the ticket still waits");
    }
  }

  // False: the person wants to leave.
  absl::StatusOr<bool> OnKeys(bool readable) {
    if (readable) {
      char bytes[512];
      absl::Cleanup wipe = [&bytes] { explicit_bzero(bytes, sizeof(bytes)); };
      const ssize_t size = read(STDIN_FILENO, bytes, sizeof(bytes));
      if (size == 0 || (size < 0 && errno != EINTR && errno != EAGAIN)) return absl::UnavailableError("the terminal is gone");
      if (size > 0) input_.append(bytes, static_cast<size_t>(size));
    }
    std::vector<Key> keys = TakeKeys(input_, !readable);
    absl::Cleanup wipe = [&keys] { explicit_bzero(keys.data(), keys.size() * sizeof(Key)); };
    for (const Key& key : keys) {
      const WatchModel::Mode before = model_.mode();
      const WatchModel::Wish wish = model_.Press(key);
      if (wish.what == WatchModel::Wish::What::kQuit) return false;
      if (wish.what == WatchModel::Wish::What::kRedraw) screen_.Forget();
      if (wish.what == WatchModel::Wish::What::kDecide) Decide(wish);
      if (model_.mode() == WatchModel::Mode::kSecret && before != WatchModel::Mode::kSecret) {
        screen_.DropTypedAhead();
        input_.clear();
        break;
      }
    }
    return true;
  }

  static uint32_t FlagOf(WatchModel::Scope scope) {
    return scope == WatchModel::Scope::kOnce      ? kControlOnce
           : scope == WatchModel::Scope::kSession ? kControlSession
                                                  : kControlUntil;
  }

  void Decide(const WatchModel::Wish& wish) {
    std::string secret = model_.TakeSecret();
    absl::Cleanup wipe = [&secret] { explicit_bzero(secret.data(), secret.size()); };
    ControlRequest request{.command = wish.approve ? ControlCommand::kApprove : ControlCommand::kDeny,
                           .flags = wish.approve ? FlagOf(wish.scope) : 0,
                           .number = static_cast<uint64_t>(wish.until)};
    absl::Status set = SetControlText(request.ticket, wish.ticket, "the ticket");
    if (set.ok()) set = SetControlText(request.text1, model_.as(), "--as");
    if (set.ok()) set = SetControlText(request.text2, wish.reason, "the reason");
    if (set.ok()) set = SetControlText(request.secret, secret, "the password");
    absl::StatusOr<ControlStream> stream = set.ok() ? ControlStream::Open(socket_path_, request) : set;
    explicit_bzero(request.secret, sizeof(request.secret));
    if (!stream.ok()) return model_.Answered(false, Safe(stream.status().message()));
    decision_.emplace(*std::move(stream));
    decide_until_ = Clock::Real().Boot() + kDecisionTime;
  }

  void OnDecision() {
    const absl::StatusOr<std::optional<ControlPacket>> packet = decision_->Next();
    if (packet.ok() && !packet->has_value()) return;
    const bool good = packet.ok() && (*packet)->exit_code == 0;
    const std::string message = packet.ok() ? (*packet)->message : std::string(packet.status().message());
    decision_.reset();
    model_.Answered(good, Safe(message));
  }

  const std::string socket_path_;
  const bool quiet_, color_;
  WatchModel model_;
  TicketFeed feed_;
  Screen screen_;
  std::string input_;
  bool bell_ = false;
  BootTime reconnect_, decide_until_;
  std::optional<ControlStream> decision_;
};

absl::StatusOr<int> RunWatch(const Context& context, const WatchOptions& options) {
  const char* kind = getenv("TERM");
  if (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0 || kind == nullptr || strcmp(kind, "dumb") == 0) {
    return absl::InvalidArgumentError(
        "watch needs a terminal that can place text; `holdpoint holds` lists once, `holdpoint approve` and `deny` decide");
  }
  HP_ASSIGN_OR_RETURN(const int ended, Watch(context, options).Run());
  if (ended >= 0) return ended;
  // The terminal is as it was; who sent the signal sees that it ended this.
  signal(-ended, SIG_DFL);
  raise(-ended);
  return 128 - ended;
}

}  // namespace

void AddWatch(CLI::App& app, Context& context) {
  auto options = std::make_shared<WatchOptions>();
  CLI::App* watch = app.add_subcommand("watch", "What waits for a decision, live; decide with one key and your password");
  watch->add_option("--as", options->as, "owner who decides (default: who called sudo, else the caller)");
  watch->add_flag("--quiet", options->quiet, "no bell");
  watch->callback([&context, options] { context.command = [&context, options] { return RunWatch(context, *options); }; });
}

}  // namespace holdpoint
