#include "agent/cli/watch_keys.h"

#include <optional>

namespace holdpoint {
namespace {

constexpr size_t kLongestSequence = 16;

std::optional<Key> OfControl(char byte) {
  switch (byte) {
    case '\r':
    case '\n':
      return Key{Key::What::kEnter};
    case '\x7f':
    case '\b':
      return Key{Key::What::kBackspace};
    case '\x03':
      return Key{Key::What::kInterrupt};
    case '\x0c':
      return Key{Key::What::kRedraw};
    case '\x15':
      return Key{Key::What::kErase};
    default:
      return std::nullopt;
  }
}

std::optional<Key> OfSequence(const std::string& sequence) {
  const char last = sequence.back();
  if (last == 'A') return Key{Key::What::kUp};
  if (last == 'B') return Key{Key::What::kDown};
  if (sequence == "\x1b[5~") return Key{Key::What::kPageUp};
  if (sequence == "\x1b[6~") return Key{Key::What::kPageDown};
  return std::nullopt;
}

// Length of the escape sequence at the front, 0 where it is not whole yet.
size_t SequenceLength(const std::string& input) {
  if (input.size() < 2) return 0;
  if (input[1] != '[' && input[1] != 'O') return 1;
  for (size_t i = 2; i < input.size(); ++i) {
    if (input[i] >= 0x40 && input[i] <= 0x7e) return i + 1;
  }
  return input.size() >= kLongestSequence ? input.size() : 0;
}

}  // namespace

std::vector<Key> TakeKeys(std::string& input, bool complete) {
  std::vector<Key> keys;
  while (!input.empty()) {
    size_t length = 1;
    std::optional<Key> key;
    if (input[0] == '\x1b') {
      length = SequenceLength(input);
      if (length == 0 && !complete) break;
      if (length == 0) length = input.size();
      key = length == 1 ? Key{Key::What::kEscape} : OfSequence(input.substr(0, length));
    } else if (static_cast<unsigned char>(input[0]) < 0x20 || input[0] == 0x7f) {
      key = OfControl(input[0]);
    } else {
      key = Key{Key::What::kText, input[0]};
    }
    input.erase(0, length);
    if (key.has_value()) keys.push_back(*key);
  }
  return keys;
}

}  // namespace holdpoint
