#pragma once

#include <termios.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace holdpoint {

// The terminal at standard input and output, taken over: the alternate screen, every key at once, nothing echoed. Leave()
// gives it back as it was, and so does the destructor.
class Screen {
 public:
  ~Screen() { Leave(); }

  absl::Status Enter();
  void Leave();

  std::pair<size_t, size_t> Size() const;  // columns, lines

  // Writes the lines that are others than those shown before; all of them after Forget(). kUnavailable: nobody is there.
  absl::Status Show(const std::vector<std::string>& lines, const std::optional<std::pair<size_t, size_t>>& cursor);
  void Forget() { shown_.clear(); }
  void Bell();

  // What was typed ahead of a question is no answer to it.
  void DropTypedAhead();

 private:
  bool entered_ = false;
  termios before_{};
  std::vector<std::string> shown_;
  bool cursor_shown_ = false;
};

}  // namespace holdpoint
