// How a password comes in: from the terminal or a descriptor, never from argv or the environment.
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <iterator>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "agent/base/fd.h"
#include "agent/base/status.h"
#include "agent/cli/terminal.h"

namespace holdpoint {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGALRM};
volatile sig_atomic_t caught = 0;

void Catch(int signal_number) { caught = signal_number; }

// While it lives, those signals only end the read; after it the terminal is as it was and they come again.
class QuietTerminal {
 public:
  explicit QuietTerminal(int fd) : fd_(fd) {
    caught = 0;
    struct sigaction action {};
    action.sa_handler = Catch;  // without SA_RESTART
    for (size_t i = 0; i < std::size(kSignals); ++i) sigaction(kSignals[i], &action, &before_[i]);
    had_ = tcgetattr(fd, &modes_) == 0;
    termios quiet = modes_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL);
    // Flushes what was typed, or pushed into the terminal, before the question was there.
    ok_ = had_ && tcsetattr(fd, TCSAFLUSH, &quiet) == 0;
  }
  ~QuietTerminal() {
    if (had_) tcsetattr(fd_, TCSAFLUSH, &modes_);
    for (size_t i = 0; i < std::size(kSignals); ++i) sigaction(kSignals[i], &before_[i], nullptr);
  }
  QuietTerminal(const QuietTerminal&) = delete;
  QuietTerminal& operator=(const QuietTerminal&) = delete;
  bool ok() const { return ok_; }

 private:
  int fd_;
  bool had_ = false, ok_ = false;
  termios modes_{};
  struct sigaction before_[std::size(kSignals)] = {};
};

// Reads up to the first line feed (left out) or the end. What is read is wiped from the buffer.
absl::StatusOr<std::string> ReadLine(int fd, size_t max, bool whole, absl::string_view what) {
  std::string buffer(max + 2, '\0');
  absl::Cleanup wipe = [&buffer] { explicit_bzero(buffer.data(), buffer.size()); };
  size_t size = 0;
  while (size < buffer.size()) {
    const ssize_t got = read(fd, buffer.data() + size, buffer.size() - size);
    if (got < 0 && errno == EINTR && caught == 0) continue;
    if (got < 0 && errno == EINTR) return absl::CancelledError("interrupted");
    if (got < 0) return ErrnoStatus(what);
    if (got == 0) break;
    size += static_cast<size_t>(got);
    if (!whole && buffer[size - 1] == '\n') break;
  }
  if (size > 0 && buffer[size - 1] == '\n') --size;
  if (size > max) return absl::InvalidArgumentError(absl::StrCat(what, ": at most ", max, " bytes"));
  return std::string(buffer, 0, size);
}

}  // namespace

absl::StatusOr<std::string> AskHidden(absl::string_view prompt, size_t max) {
  const UniqueFd tty(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  if (!tty.ok()) {
    return absl::PermissionDeniedError("there is no terminal to ask for the password on: use --password-fd");
  }
  absl::StatusOr<std::string> answer = absl::CancelledError("interrupted");
  {
    const QuietTerminal quiet(tty.get());
    if (!quiet.ok()) return absl::PermissionDeniedError("the terminal cannot be made to hide what is typed");
    (void)!write(tty.get(), prompt.data(), prompt.size());
    answer = ReadLine(tty.get(), max, false, "the password");
    (void)!write(tty.get(), "\n", 1);
  }
  if (caught != 0) raise(caught);
  return answer;
}

absl::StatusOr<std::string> ReadSecret(int fd, size_t max, absl::string_view what) {
  return ReadLine(fd, max, true, what);
}

}  // namespace holdpoint
