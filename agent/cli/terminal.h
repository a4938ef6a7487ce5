#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace holdpoint {

enum class Tone { kPlain, kDim, kGood, kWarn, kBad };

// `text` in that colour, or as it is. It must be safe already.
std::string Painted(absl::string_view text, Tone tone, bool color);

// What came from a session or a daemon, safe to print: printable ASCII stays as it is, anything else is escaped.
std::string Safe(absl::string_view text);

// Whether to colour standard output: `wish` is "always", "never" or "auto". For auto NO_COLOR (not empty) says no,
// CLICOLOR_FORCE (not empty, not "0") says yes, else a terminal that is not "dumb" does.
bool WantColor(absl::string_view wish);

// Columns of the terminal at standard output, 0 where it is none: then nothing is cut.
size_t TerminalWidth();

// Asks on the controlling terminal, without echo, never on standard input. At most `max` bytes.
// kPermissionDenied where there is no terminal, kCancelled on a signal or an end of input.
absl::StatusOr<std::string> AskHidden(absl::string_view prompt, size_t max);

// Reads a descriptor to its end; one line feed at its end is left out. kInvalidArgument for more than `max` bytes.
absl::StatusOr<std::string> ReadSecret(int fd, size_t max, absl::string_view what);

// An aligned table: a header, rows, and below a row a dim note. Every text is made safe.
class Table {
 public:
  struct Cell {
    std::string text;
    Tone tone = Tone::kPlain;
  };
  explicit Table(std::vector<std::string> header) : header_(std::move(header)) {}

  void Add(std::vector<Cell> cells, std::string note = "");
  bool empty() const { return rows_.empty(); }

  // With a line feed after each line. `width` cuts the last column and notes; 0 cuts nothing.
  std::string Render(bool color, size_t width) const;

 private:
  struct Row {
    std::vector<Cell> cells;
    std::string note;
  };
  std::vector<std::string> header_;
  std::vector<Row> rows_;
};

// "18 s", "3 min 5 s", "2 h 7 min", "4 d 1 h". Negative is "0 s".
std::string HumanSeconds(int64_t seconds);
// "512 B", "4.0 KiB", "1.5 GiB".
std::string HumanBytes(uint64_t bytes);
// "2026-03-01 15:42:07 UTC".
std::string HumanTime(int64_t unix_seconds);

}  // namespace holdpoint
