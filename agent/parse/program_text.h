#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace holdpoint {

enum class ProgramLanguage { kPython, kJavascript, kRuby, kPerl, kPhp, kLua };

// A call in program text, as it is written.
struct ProgramCall {
  std::string name;                // "shutil.rmtree", "fs.promises.rm", "Path.unlink", "File.delete", "unlink"
  std::vector<std::string> texts;  // literals with which an argument begins, without quotes
};

// The calls of a program, by its words: comments and texts of the language are respected, nothing is evaluated, and a call
// counts whether or not it is reached. At most 4096 calls, 64 texts each, of the first 256 KiB. Linear. Pure.
std::vector<ProgramCall> CallsOfProgram(absl::string_view text, ProgramLanguage language);

}  // namespace holdpoint
