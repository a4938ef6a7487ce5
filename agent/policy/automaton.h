#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "agent/policy/argv_patterns.h"

// Automata over the bytes of an argv, as the kernel runs them: bpf/shared/hp_abi.h describes the rows. All of them lie in
// one table; each has a state of its own to begin with.
namespace holdpoint {

class AutomatonTable {
 public:
  static constexpr size_t kColumns = 64;
  static constexpr uint32_t kAsk = 0;
  static constexpr uint32_t kFirst = 2;
  using Row = std::array<uint32_t, kColumns>;

  AutomatonTable();

  // Appends the automaton of `patterns`; the state at which it begins. Nothing, and the table as before, where it would
  // take more than `max_states` states to build, before equal ones become one, or the table more than `max_rows` rows.
  std::optional<uint32_t> Add(const ArgvPatterns& patterns, size_t max_states, size_t max_rows);

  // What the kernel does: false where the argv (words that end in NUL) is passed. `state` kAsk: true.
  bool Asks(uint32_t state, absl::string_view raw_argv) const;

  const std::vector<Row>& rows() const { return rows_; }
  std::vector<Row>& mutable_rows() { return rows_; }

 private:
  std::vector<Row> rows_;
};

}  // namespace holdpoint
