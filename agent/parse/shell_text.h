#pragma once

// Pieces of a shell's words; used by shell_words.cc.

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace holdpoint::shell_internal {

// A word in which every byte knows whether it was quoted: quoted braces, commas and dollars mean nothing.
struct Word {
  std::string text;
  std::vector<bool> quoted;  // as long as text
  bool any_quotes = false;   // '' makes a word of no bytes

  void Append(absl::string_view bytes, bool in_quotes) {
    text.append(bytes.data(), bytes.size());
    quoted.resize(text.size(), in_quotes);
  }
};

// What stands between $' and ': \n, \x41, \101, \u00e9, \cA, ... decoded; at a \0 the text ends, as in bash.
std::string DecodeAnsiC(absl::string_view text);

// a{b,c}d gives abd and acd; nested and several too. A word without such braces gives itself. *cut says that there
// are more than 64, or braces that are not expanded here ({1..9}).
std::vector<std::string> ExpandBraces(const Word& word, bool* cut);

}  // namespace holdpoint::shell_internal
