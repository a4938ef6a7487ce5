#pragma once

#include <string>

#include "agent/policy/act.h"
#include "agent/policy/fact_book.h"

namespace holdpoint {

// What an act will read from descriptor 0, as far as it could be seen.
struct InputText {
  bool expected = false;  // something is there, or may come
  std::string text;
  bool whole = false;     // nothing follows what is in `text`
  std::string unseen;     // what could not be seen, where it is not whole
  bool cut = false;       // something was seen, and more follows or may follow
};

// Asks `facts` where the kernel saw the act; text of a command line says it itself. What is seen enters the act digest.
InputText ReadInput(const ExecAct& act, FactBook* facts);

// The text of a file that the act names; "-" and /dev/stdin are its input.
InputText ReadNamedText(const ExecAct& act, const std::string& word, FactBook* facts);

}  // namespace holdpoint
