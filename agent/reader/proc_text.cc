#include "agent/reader/proc_text.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/base/fd.h"

namespace holdpoint::reader {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

int64_t Now(clockid_t clock) {
  timespec now = {};
  clock_gettime(clock, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};

}  // namespace

std::string ReadSmallText(int at, const std::string& path, size_t max) {
  const UniqueFd fd(openat(at, path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.ok()) return "";
  std::string text(max + 1, '\0');
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t n = read(fd.get(), text.data() + size, text.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return "";
    if (n == 0) break;
    size += static_cast<size_t>(n);
  }
  if (size > max) return "";
  text.resize(size);
  return text;
}

std::string ReadLink(int at, const std::string& path) {
  char target[PATH_MAX];
  const ssize_t n = readlinkat(at, path.c_str(), target, sizeof(target));
  return n <= 0 ? "" : std::string(target, static_cast<size_t>(n));
}

int64_t StatusNumber(absl::string_view text, absl::string_view name) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::ConsumePrefix(&line, name) || !absl::ConsumePrefix(&line, ":")) continue;
    line = absl::StripLeadingAsciiWhitespace(line);
    int64_t number = -1;
    return absl::SimpleAtoi(line.substr(0, line.find_first_of(" \t")), &number) ? number : -1;
  }
  return -1;
}

Started StartedOf(absl::string_view stat) {
  const size_t end = stat.rfind(')');
  if (end == absl::string_view::npos) return {};
  const std::vector<absl::string_view> words = absl::StrSplit(stat.substr(end + 1), ' ', absl::SkipEmpty());
  uint64_t ticks = 0;
  if (words.size() < 20 || !absl::SimpleAtoi(words[19], &ticks)) return {};
  Started started;
  started.boot_ns = ticks * (static_cast<uint64_t>(kSecond) / static_cast<uint64_t>(sysconf(_SC_CLK_TCK)));
  started.unix_ns = Now(CLOCK_REALTIME) - Now(CLOCK_BOOTTIME) + static_cast<int64_t>(started.boot_ns);
  return started;
}

std::string SystemService(absl::string_view text) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::ConsumePrefix(&line, "0::/system.slice/")) continue;
    for (const absl::string_view part : absl::StrSplit(line, '/')) {
      if (absl::EndsWith(part, ".service")) return std::string(part);
    }
  }
  return "";
}

std::vector<pid_t> AllProcesses() {
  std::vector<pid_t> found;
  const std::unique_ptr<DIR, CloseFolder> folder(opendir("/proc"));
  if (folder == nullptr) return found;
  while (const dirent* entry = readdir(folder.get())) {
    pid_t pid = 0;
    if (absl::SimpleAtoi(entry->d_name, &pid)) found.push_back(pid);
  }
  return found;
}

}  // namespace holdpoint::reader
