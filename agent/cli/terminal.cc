#include "agent/cli/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "agent/base/escape.h"

namespace holdpoint {
namespace {

constexpr size_t kLastColumnMin = 24;  // is not cut below this, however narrow the terminal
constexpr absl::string_view kGap = "  ";
constexpr absl::string_view kNoteIndent = "    ";

bool IsSet(const char* name) {
  const char* value = getenv(name);
  return value != nullptr && *value != '\0';
}

std::string Clipped(std::string text, size_t max) {
  if (max == 0 || text.size() <= max) return text;
  text.resize(max - 3);
  return text + "...";
}

}  // namespace

std::string Painted(absl::string_view text, Tone tone, bool color) {
  if (!color || tone == Tone::kPlain || text.empty()) return std::string(text);
  const char* code = tone == Tone::kDim ? "2" : tone == Tone::kGood ? "32" : tone == Tone::kWarn ? "33" : "1;31";
  return absl::StrCat("\x1b[", code, "m", text, "\x1b[0m");
}

std::string Safe(absl::string_view text) {
  const bool plain = std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
  return plain ? std::string(text) : EscapeForTerminal(text);
}

bool WantColor(absl::string_view wish) {
  if (wish != "auto") return wish == "always";
  if (IsSet("NO_COLOR")) return false;
  if (IsSet("CLICOLOR_FORCE")) return strcmp(getenv("CLICOLOR_FORCE"), "0") != 0;
  return isatty(STDOUT_FILENO) && IsSet("TERM") && strcmp(getenv("TERM"), "dumb") != 0;
}

size_t TerminalWidth() {
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

void Table::Add(std::vector<Cell> cells, std::string note) {
  for (Cell& cell : cells) cell.text = Safe(cell.text);
  cells.resize(header_.size());
  rows_.push_back({std::move(cells), Safe(note)});
}

std::string Table::Render(bool color, size_t width) const {
  std::vector<size_t> widths;
  for (size_t i = 0; i < header_.size(); ++i) {
    widths.push_back(header_[i].size());
    for (const Row& row : rows_) widths[i] = std::max(widths[i], row.cells[i].text.size());
  }
  size_t before_last = 0;
  for (size_t i = 0; i + 1 < widths.size(); ++i) before_last += widths[i] + kGap.size();
  const size_t last = width == 0 ? 0 : std::max(kLastColumnMin, width > before_last ? width - before_last : 0);

  std::string out;
  const auto line = [&](const std::vector<Cell>& cells) {
    for (size_t i = 0; i < cells.size(); ++i) {
      const bool is_last = i + 1 == cells.size();
      const std::string text = is_last ? Clipped(cells[i].text, last) : cells[i].text;
      absl::StrAppend(&out, Painted(text, cells[i].tone, color));
      if (!is_last) absl::StrAppend(&out, std::string(widths[i] - text.size(), ' '), kGap);
    }
    out += '\n';
  };
  std::vector<Cell> head;
  for (const std::string& name : header_) head.push_back({name, Tone::kDim});
  line(head);
  for (const Row& row : rows_) {
    line(row.cells);
    if (row.note.empty()) continue;
    const size_t room = width == 0 ? 0 : std::max(kLastColumnMin, width - std::min(width, kNoteIndent.size()));
    absl::StrAppend(&out, kNoteIndent, Painted(Clipped(row.note, room), Tone::kDim, color), "\n");
  }
  return out;
}

std::string HumanSeconds(int64_t seconds) {
  seconds = std::max<int64_t>(seconds, 0);
  if (seconds < 60) return absl::StrCat(seconds, " s");
  if (seconds < 3600) return absl::StrCat(seconds / 60, " min ", seconds % 60, " s");
  if (seconds < 86400) return absl::StrCat(seconds / 3600, " h ", seconds % 3600 / 60, " min");
  return absl::StrCat(seconds / 86400, " d ", seconds % 86400 / 3600, " h");
}

std::string HumanBytes(uint64_t bytes) {
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  double value = static_cast<double>(bytes);
  const char* unit = "";
  for (const char* next : {"KiB", "MiB", "GiB", "TiB"}) {
    if (value < 1024) break;
    value /= 1024;
    unit = next;
  }
  return absl::StrFormat("%.1f %s", value, unit);
}

std::string HumanTime(int64_t unix_seconds) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", absl::FromUnixSeconds(unix_seconds), absl::UTCTimeZone());
}

}  // namespace holdpoint
