#pragma once

#include <set>
#include <string>

namespace holdpoint {

// What is looked for in an argv. Sets join: nothing is ever taken away, so that more is found, never less.
struct ArgvPatterns {
  // How the words before the first operand must look for anything to be passed at all.
  enum class Shape {
    kAny,
    kCommand,   // the first operand is one of `allowed`, before it stand only `flags` and `valued` with their values
    kFlagText,  // the first word holds short options alone, `flag` among them and all of `short_flags`
    kOperand,   // there is an operand behind options, some of which are `valued`, and no "-" before it
  };

  std::set<std::string> words;         // a whole word
  std::set<std::string> option_words;  // a whole word, or one up to its "="
  std::set<std::string> beginnings;    // how a word begins
  std::set<std::string> base_names;    // a whole word, or what is behind its last slash
  std::set<std::string> parts;         // anywhere, without regard to ASCII case
  std::set<std::string> verbs;         // as parts, but a word of its own: rm-all, vm_rm, volumeRm, not format
  std::string letters;                 // short options: one of them in a word of one dash
  size_t run = 0;                      // so many characters on end as a credential has them; 0: not looked for

  Shape shape = Shape::kAny;
  std::set<std::string> allowed, flags, valued;
  char flag = 0;
  std::string short_flags;

  bool empty() const {
    return words.empty() && option_words.empty() && beginnings.empty() && base_names.empty() && parts.empty() && verbs.empty() &&
           letters.empty() && run == 0 && shape == Shape::kAny;
  }
  // Joins what is looked for; the shape stays.
  void Add(const ArgvPatterns& more);
  // Takes one text out of every set. The one thing that finds less: for tests.
  void Remove(const std::string& literal);
  size_t size() const {
    return words.size() + option_words.size() + beginnings.size() + base_names.size() + parts.size() + verbs.size() + letters.size();
  }
};

}  // namespace holdpoint
