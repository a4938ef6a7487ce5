// How a password comes in: from the terminal or a descriptor, never from argv or the environment.
#include <fcntl.h>
#include <poll.h>
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

// While it lives, nothing that is typed is shown, and those signals are let in only inside Readable(), so that none is
// lost between looking and reading. After it the terminal is as it was and a signal that came does what it always does.
class QuietTerminal {
 public:
  explicit QuietTerminal(int fd) : fd_(fd) {
    caught = 0;
    sigset_t ours;
    sigemptyset(&ours);
    for (int number : kSignals) sigaddset(&ours, number);
    sigprocmask(SIG_BLOCK, &ours, &mask_before_);
    mask_inside_ = mask_before_;
    for (int number : kSignals) sigdelset(&mask_inside_, number);
    struct sigaction action {};
    action.sa_handler = Catch;
    for (size_t i = 0; i < std::size(kSignals); ++i) sigaction(kSignals[i], &action, &actions_before_[i]);
    had_ = tcgetattr(fd, &modes_before_) == 0;
    termios quiet = modes_before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL);
    // Flushes what was typed, or pushed into the terminal, before the question was there.
    ok_ = had_ && tcsetattr(fd, TCSAFLUSH, &quiet) == 0;
  }
  ~QuietTerminal() {
    if (had_) tcsetattr(fd_, TCSAFLUSH, &modes_before_);
    for (size_t i = 0; i < std::size(kSignals); ++i) sigaction(kSignals[i], &actions_before_[i], nullptr);
    sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
    if (caught != 0) raise(caught);
  }
  QuietTerminal(const QuietTerminal&) = delete;
  QuietTerminal& operator=(const QuietTerminal&) = delete;
  bool ok() const { return ok_; }

  // Waits for a whole line. kCancelled on a signal.
  absl::Status Readable() const {
    pollfd wait{.fd = fd_, .events = POLLIN, .revents = 0};
    while (ppoll(&wait, 1, nullptr, &mask_inside_) < 0) {
      if (caught != 0) return absl::CancelledError("interrupted");
      if (errno != EINTR) return ErrnoStatus("the terminal");
    }
    return absl::OkStatus();
  }

 private:
  int fd_;
  bool had_ = false, ok_ = false;
  sigset_t mask_before_{}, mask_inside_{};
  termios modes_before_{};
  struct sigaction actions_before_[std::size(kSignals)] = {};
};

// Reads up to the end, or from a terminal one line; a line feed at the end is left out. The buffer is wiped.
absl::StatusOr<std::string> ReadHidden(int fd, const QuietTerminal* terminal, size_t max, absl::string_view what) {
  std::string buffer(max + 2, '\0');
  absl::Cleanup wipe = [&buffer] { explicit_bzero(buffer.data(), buffer.size()); };
  size_t size = 0;
  while (size < buffer.size()) {
    if (terminal != nullptr) HP_RETURN_IF_ERROR(terminal->Readable());
    const ssize_t got = read(fd, buffer.data() + size, buffer.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(what);
    if (got == 0) break;
    size += static_cast<size_t>(got);
    if (terminal != nullptr && buffer[size - 1] == '\n') break;
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
  const QuietTerminal quiet(tty.get());
  if (!quiet.ok()) return absl::PermissionDeniedError("the terminal cannot be made to hide what is typed");
  (void)!write(tty.get(), prompt.data(), prompt.size());
  absl::StatusOr<std::string> answer = ReadHidden(tty.get(), &quiet, max, "the password");
  (void)!write(tty.get(), "\n", 1);
  return answer;
}

absl::StatusOr<std::string> ReadSecret(int fd, size_t max, absl::string_view what) {
  return ReadHidden(fd, nullptr, max, what);
}

}  // namespace holdpoint
