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
  };

  std::set<std::string> words;         // a whole word
  std::set<std::string> option_words;  // a whole word, or one up to its "="
  std::set<std::string> beginnings;    // how a word begins
  std::set<std::string> parts;         // anywhere, without regard to ASCII case
  std::set<std::string> verbs;         // as parts, but a word of its own: rm-all, vm_rm, volumeRm, not format
  std::string letters;                 // short options: one of them in a word of one dash

  Shape shape = Shape::kAny;
  std::set<std::string> allowed, flags, valued;
  char flag = 0;
  std::string short_flags;

  bool empty() const {
    return words.empty() && option_words.empty() && beginnings.empty() && parts.empty() && verbs.empty() && letters.empty() &&
           shape == Shape::kAny;
  }
  // Joins what is looked for; the shape stays.
  void Add(const ArgvPatterns& more);
  // Takes one text out of every set. The one thing that finds less: for tests.
  void Remove(const std::string& literal);
  size_t size() const {
    return words.size() + option_words.size() + beginnings.size() + parts.size() + verbs.size() + letters.size();
  }
};

}  // namespace holdpoint
