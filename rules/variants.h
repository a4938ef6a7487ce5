#pragma once

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "agent/policy/tool.h"

// Other ways to write a command line that mean the same to the tool, by the tool's own model.
namespace holdpoint {

// Options in another order and between the operands where the tool takes them so, under another of their names,
// abbreviated, bundled or taken apart, with the value attached or behind; global options before or behind the
// sub-command; the sub-command under another of its names. None where the model does not know every word, and for tools
// with a language of their own (find, curl, wget).
std::optional<std::vector<std::string>> WriteOtherwise(const ToolModel& tool, absl::Span<const std::string> argv,
                                                       std::mt19937* random);

// One word of a shell's text for each word.
std::string Quoted(absl::Span<const std::string> argv);

}  // namespace holdpoint
