#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/policy/tool.h"

namespace holdpoint {

// What xargs, parallel and their kin start, where what they are given is known.
struct GivenCommands {
  std::vector<std::vector<std::string>> argvs;
  std::vector<std::string> texts;  // for a shell
  bool cut = false;                // there is more than this
};

// `input`: what is on its standard input, as far as it is known. Nothing where what it is given is not known, or is
// divided in another way than at blanks and lines. At most 64 commands. Pure.
std::optional<GivenCommands> CommandsWithGiven(const Wraps& wraps, const ToolCall& call,
                                               const std::optional<std::string>& input);

}  // namespace holdpoint
