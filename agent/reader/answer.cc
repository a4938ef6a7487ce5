#include "agent/reader/answer.h"

#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>

#include "absl/strings/str_cat.h"

namespace holdpoint::reader {
namespace {

// What the signal handler writes. It never returns, so the string that it reads is never freed under it.
std::atomic<const std::string*> g_at_timeout{nullptr};
int g_fd = -1;

bool WriteWhole(const std::string& bytes) {
  size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t n = ::write(g_fd, bytes.data() + written, bytes.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    written += static_cast<size_t>(n);
  }
  return true;
}

void OnAlarm(int) {
  const std::string* const bytes = g_at_timeout.load();
  _exit(bytes != nullptr && WriteWhole(*bytes) ? 0 : 1);
}

std::string Problem(const std::string& text) {
  v1::Facts facts;
  facts.set_problem(text);
  return facts.SerializeAsString();
}

std::string Bounded(const v1::Facts& facts) {
  std::string bytes = facts.SerializeAsString();
  if (bytes.size() <= Answer::kMaxAnswer) return bytes;
  return Problem(absl::StrCat("reader: the answer has ", bytes.size(), " bytes, wanted at most ", Answer::kMaxAnswer));
}

}  // namespace

Answer::Answer(int fd, uint32_t budget_ms) {
  g_fd = fd;
  Checkpoint();
  struct sigaction action = {};
  action.sa_handler = OnAlarm;
  sigfillset(&action.sa_mask);
  sigaction(SIGALRM, &action, nullptr);
  SetBudget(budget_ms);
}

void Answer::SetBudget(uint32_t budget_ms) {
  budget_ms_ = budget_ms;
  Checkpoint();
  itimerval timer = {};
  timer.it_value.tv_sec = budget_ms / 1000;
  timer.it_value.tv_usec = static_cast<suseconds_t>(budget_ms % 1000) * 1000;
  setitimer(ITIMER_REAL, &timer, nullptr);
}

void Answer::Checkpoint() {
  v1::Facts late = facts_;
  late.set_problem(absl::StrCat(facts_.problem(), facts_.problem().empty() ? "" : "; ", "reader: out of time after ",
                                budget_ms_, " ms"));
  const std::string* const old = g_at_timeout.exchange(new std::string(Bounded(late)));
  delete old;
}

void Answer::AddProblem(const std::string& problem) {
  facts_.set_problem(absl::StrCat(facts_.problem(), facts_.problem().empty() ? "" : "; ", problem));
}

void Answer::Finish() {
  itimerval off = {};
  setitimer(ITIMER_REAL, &off, nullptr);
  // Nothing at all would look like a reader that died.
  if (facts_.ByteSizeLong() == 0) facts_.set_problem("reader: nothing was asked for");
  _exit(WriteWhole(Bounded(facts_)) ? 0 : 1);
}

}  // namespace holdpoint::reader
