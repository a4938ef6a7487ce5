#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace holdpoint {

enum class OptionValue {
  kNone,      // -r, --recursive
  kRequired,  // -o FILE, -oFILE, --output FILE, --output=FILE
  kOptional,  // only attached: -iSUFFIX, --color=WHEN; a following word is never its value
};

// One option of a tool. Names have no dashes: one character is a short option, more are a long one. The first name is
// the one under which ParsedArgv reports it, so that "-r", "-R" and "--recursive" are one thing to a rule.
struct OptionSpec {
  std::vector<std::string> names;
  OptionValue value = OptionValue::kNone;
};

// Reads the text form used in rules: names divided by commas, then "=" for a required or "=?" for an optional value:
// "recursive,r,R", "output,o=", "color=?". Errors: kInvalidArgument for an empty name or a character no option has.
absl::StatusOr<OptionSpec> ParseOptionSpec(absl::string_view text);

struct ArgvStyle {
  // Stops at the first word that is no option, as env, sudo, xargs, timeout, nohup, nice, setsid and stdbuf do (the
  // rest is the command they start). Otherwise options and operands mix, as GNU getopt_long permutes them.
  bool stop_at_first_operand = false;
  bool abbreviations = true;      // --recu for --recursive, where one option only fits
  bool single_dash_long = false;  // -recursive is --recursive (Go and Java tools, find); shorts do not bundle then
  bool unknown_take_value = false;  // "--zone b" and "-z b" of an option that the table lacks: b is its value
  bool ignore_case = false;       // of long names (curl); the table's own names are in lower case then
};

// The options of one tool. Built once, then read by many threads.
class OptionTable {
 public:
  explicit OptionTable(std::vector<OptionSpec> specs, ArgvStyle style = {});

  // From ParseOptionSpec's text form, divided by white space; words that are no option spec are left out.
  // For tables in the source.
  static OptionTable FromText(absl::string_view text, ArgvStyle style = {});

  const ArgvStyle& style() const { return style_; }
  const OptionSpec* FindShort(char letter) const;
  // Exact match first, then (where the style has them) the abbreviation that fits one option only. "-" and "_" differ.
  const OptionSpec* FindLong(absl::string_view name) const;

 private:
  std::vector<OptionSpec> specs_;
  ArgvStyle style_;
  std::array<int, 256> shorts_;  // index in specs_, -1
  std::map<std::string, int, std::less<>> longs_;
};

struct ParsedOption {
  std::string name;                  // the spec's first name
  std::optional<std::string> value;  // none for a flag, and where a required value is missing
  size_t index = 0;                  // of the word in argv that holds the option
};

struct ParsedOperand {
  std::string value;
  size_t index = 0;
};

struct ParsedArgv {
  std::vector<ParsedOption> options;    // in order, every occurrence
  std::vector<ParsedOperand> operands;  // in order; with stop_at_first_operand the started command and all after it
  std::optional<size_t> dashdash;       // index of the "--" that ended the options
  std::vector<std::string> unknown;     // "-z", "--frobnicate": options that the table does not have
  bool missing_value = false;           // the last option wants a value and argv ends

  bool Has(absl::string_view name) const;
  // Of the last occurrence, as most tools take it; nullptr where there is none or it has no value.
  const std::string* Value(absl::string_view name) const;
  std::vector<std::string> Values(absl::string_view name) const;
  std::vector<std::string> OperandWords() const;
};

// Divides argv as GNU getopt_long does: bundled shorts (-rf), attached values (-oFILE, --output=FILE), abbreviations,
// permutation, "--". argv[0] is the program and is skipped. "-" alone is an operand. An option that the table lacks is
// taken as a flag, or as the style says, and named in `unknown`; a bundle goes on behind it. Pure; linear in argv.
ParsedArgv ParseArgv(const OptionTable& table, absl::Span<const std::string> argv);

}  // namespace holdpoint
