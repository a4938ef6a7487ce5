#pragma once

#include <string>
#include <vector>

namespace holdpoint {

struct Key {
  enum class What { kText, kEnter, kEscape, kBackspace, kUp, kDown, kPageUp, kPageDown, kErase, kInterrupt, kRedraw };
  What what = What::kText;
  char text = 0;  // kText: one byte
  friend bool operator==(const Key&, const Key&) = default;
};

// What was typed on a terminal in raw mode. Takes whole keys from the front of `input`; what may still become one stays.
// `complete`: nothing more has come for a while, so an escape is the key. Sequences that mean nothing here are dropped.
std::vector<Key> TakeKeys(std::string& input, bool complete);

}  // namespace holdpoint
