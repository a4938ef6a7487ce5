#include "agent/cli/screen.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

constexpr char kEnter[] = "\x1b[?1049h\x1b[?25l\x1b[2J";
constexpr char kLeave[] = "\x1b[0m\x1b[?25h\x1b[?1049l";
constexpr int kWriteMs = 2000;

// All of it. A terminal that takes nothing for a while (flow control, a dead connection) is given up.
absl::Status Write(const std::string& text) {
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t wrote = write(STDOUT_FILENO, text.data() + done, text.size() - done);
    if (wrote >= 0) {
      done += static_cast<size_t>(wrote);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return absl::UnavailableError("the terminal is gone");
    pollfd wait{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
    if (poll(&wait, 1, kWriteMs) == 0) return absl::UnavailableError("the terminal takes nothing");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Screen::Enter() {
  if (tcgetattr(STDIN_FILENO, &before_) != 0) return ErrnoStatus("the terminal");
  termios raw = before_;
  cfmakeraw(&raw);
  raw.c_oflag |= OPOST;
  if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) != 0) return ErrnoStatus("the terminal");
  entered_ = true;
  cursor_shown_ = false;
  Forget();
  return Write(kEnter);
}

void Screen::Leave() {
  if (!entered_) return;
  entered_ = false;
  (void)Write(kLeave);  // Where nobody is there any more nothing is left to restore.
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
}

std::pair<size_t, size_t> Screen::Size() const {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {80, 24};
  return {size.ws_col, size.ws_row};
}

absl::Status Screen::Show(const std::vector<std::string>& lines,
                          const std::optional<std::pair<size_t, size_t>>& cursor) {
  std::string out;
  if (lines.size() != shown_.size()) {
    out = "\x1b[2J";
    shown_.assign(lines.size(), "");
  }
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i] != shown_[i]) absl::StrAppend(&out, "\x1b[", i + 1, ";1H\x1b[0m", lines[i], "\x1b[K");
  }
  shown_ = lines;
  if (cursor.has_value()) {
    absl::StrAppend(&out, "\x1b[", cursor->first + 1, ";", cursor->second + 1, "H");
    if (!cursor_shown_) absl::StrAppend(&out, "\x1b[?25h");
  } else if (cursor_shown_) {
    absl::StrAppend(&out, "\x1b[?25l");
  }
  cursor_shown_ = cursor.has_value();
  return Write(out);
}

void Screen::Bell() { (void)Write("\a"); }

void Screen::DropTypedAhead() { tcflush(STDIN_FILENO, TCIFLUSH); }

}  // namespace holdpoint
