#include "agent/policy/automaton.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"

namespace holdpoint {

void ArgvPatterns::Add(const ArgvPatterns& more) {
  words.insert(more.words.begin(), more.words.end());
  option_words.insert(more.option_words.begin(), more.option_words.end());
  beginnings.insert(more.beginnings.begin(), more.beginnings.end());
  parts.insert(more.parts.begin(), more.parts.end());
  verbs.insert(more.verbs.begin(), more.verbs.end());
  for (const char letter : more.letters) {
    if (letters.find(letter) == std::string::npos) letters.push_back(letter);
  }
}

void ArgvPatterns::Remove(const std::string& literal) {
  for (auto* set : {&words, &option_words, &beginnings, &parts, &verbs}) set->erase(literal);
  if (literal.size() == 1) letters.erase(std::remove(letters.begin(), letters.end(), literal[0]), letters.end());
}

namespace {

using Column = uint8_t;

// Bytes that no pattern has to tell apart share a column. What two bytes share matches more, never less; where it is
// said what may pass, bytes of a shared column are not used (see Singles).
enum : Column { kUpper = 26, kDigit = 52, kNul, kDash, kUnderscore, kDot, kSlash, kEquals, kColon, kSpace, kOther, kHigh, kEnd = 63 };

Column ColumnOf(unsigned char byte) {
  if (byte >= 'a' && byte <= 'z') return static_cast<Column>(byte - 'a');
  if (byte >= 'A' && byte <= 'Z') return static_cast<Column>(kUpper + byte - 'A');
  if (byte >= '0' && byte <= '9') return kDigit;
  switch (byte) {
    case 0:
      return kNul;
    case '-':
      return kDash;
    case '_':
      return kUnderscore;
    case '.':
      return kDot;
    case '/':
      return kSlash;
    case '=':
      return kEquals;
    case ':':
      return kColon;
    case ' ':
      return kSpace;
    default:
      return byte < 0x80 ? kOther : kHigh;
  }
}

Column Lowered(Column column) { return column >= kUpper && column < kDigit ? static_cast<Column>(column - kUpper) : column; }
bool IsLetter(Column column) { return column < kDigit; }

bool Singles(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const Column column = ColumnOf(static_cast<unsigned char>(c));
    return column != kDigit && column != kOther && column != kHigh && column != kNul;
  });
}

// A tree of texts by column. Node 0 is where no text leads.
class Trie {
 public:
  static constexpr uint16_t kNone = 0, kRoot = 1;
  enum Mark : uint8_t { kWord = 1, kOption = 2, kBeginning = 4, kValued = 8 };

  Trie() : nodes_(2) {}

  bool Add(absl::string_view text, uint8_t mark) {
    uint16_t at = kRoot;
    for (const char c : text) {
      const Column column = ColumnOf(static_cast<unsigned char>(c));
      uint16_t next = nodes_[at].next[column];
      if (next == kNone) {
        if (nodes_.size() >= UINT16_MAX) return false;
        next = static_cast<uint16_t>(nodes_.size());
        nodes_[at].next[column] = next;
        nodes_.emplace_back();
      }
      at = next;
    }
    nodes_[at].mark |= mark;
    return true;
  }
  uint16_t Next(uint16_t at, Column column) const { return at == kNone ? kNone : nodes_[at].next[column]; }
  uint8_t MarkOf(uint16_t at) const { return nodes_[at].mark; }

 protected:
  struct Node {
    std::array<uint16_t, AutomatonTable::kColumns> next{};
    uint8_t mark = 0;
    uint16_t fallback = kRoot;
  };
  std::vector<Node> nodes_;
};

// Aho and Corasick's automaton over lower-cased columns.
class Searcher : public Trie {
 public:
  void Close() {
    std::vector<uint16_t> queue = {kRoot};
    for (size_t i = 0; i < queue.size(); ++i) {
      const uint16_t at = queue[i];
      for (Column column = 0; column < AutomatonTable::kColumns; ++column) {
        uint16_t& next = nodes_[at].next[column];
        const uint16_t other = at == kRoot ? uint16_t{kRoot} : nodes_[nodes_[at].fallback].next[column];
        if (next == kNone) {
          next = other;
        } else {
          nodes_[next].fallback = other;
          nodes_[next].mark |= nodes_[other].mark;
          queue.push_back(next);
        }
      }
    }
  }
};

// One automaton is the product of small ones that look at the same bytes.
struct State {
  uint16_t word = Trie::kRoot;    // of the words and beginnings
  uint16_t part = Trie::kRoot;    // of the parts
  uint16_t verb = Trie::kRoot;    // of the verbs, and whether they began behind no letter
  uint16_t allowed = Trie::kRoot;
  uint8_t dash = 0;               // 0: at a word's begin, 1: behind its dash, 2: among short options, 3: anything else
  uint8_t shape = 0;

  bool operator==(const State&) const = default;
  template <typename H>
  friend H AbslHashValue(H hash, const State& s) {
    return H::combine(std::move(hash), uint64_t{s.word} << 48 | uint64_t{s.part} << 32 | uint64_t{s.verb} << 16 | s.allowed,
                      s.dash << 8 | s.shape);
  }
};

enum Stage : uint8_t { kName, kBefore, kValue, kRest, kFree, kCluster };

class Builder {
 public:
  explicit Builder(const ArgvPatterns& patterns) : p_(patterns) {
    for (const std::string& text : p_.words) fits_ = fits_ && words_.Add(text, Trie::kWord);
    for (const std::string& text : p_.option_words) fits_ = fits_ && words_.Add(text, Trie::kOption);
    for (const std::string& text : p_.beginnings) fits_ = fits_ && words_.Add(text, Trie::kBeginning);
    for (const std::string& text : p_.parts) fits_ = fits_ && parts_.Add(absl::AsciiStrToLower(text), Trie::kWord);
    for (const std::string& text : p_.verbs) fits_ = fits_ && verbs_.Add(absl::AsciiStrToLower(text), Trie::kWord);
    parts_.Close();
    for (const std::string& text : p_.allowed) {
      if (Singles(text)) fits_ = fits_ && allowed_.Add(text, Trie::kWord);
    }
    for (const std::string& text : p_.flags) {
      if (Singles(text)) fits_ = fits_ && allowed_.Add(text, Trie::kOption);
    }
    for (const std::string& text : p_.valued) {
      if (Singles(text)) fits_ = fits_ && allowed_.Add(text, Trie::kValued);
    }
    for (const char letter : p_.letters) letters_[ColumnOf(static_cast<unsigned char>(letter))] = true;
    for (const char letter : p_.short_flags) {
      if (absl::ascii_isalpha(static_cast<unsigned char>(letter))) flags_[ColumnOf(static_cast<unsigned char>(letter))] = true;
    }
  }

  bool fits() const { return fits_; }

  // The state behind this byte; nothing where it is to be asked.
  std::optional<State> Next(const State& from, Column column) const {
    State to = from;
    if (!StepWord(from, column, &to) || !StepParts(from, column, &to) || !StepShape(from, column, &to)) return std::nullopt;
    return to;
  }

  // Whether argv may end here.
  bool MayEnd(const State& at) const {
    const bool inside = at.dash != 0;
    std::optional<State> last = at;
    if (inside) last = Next(at, kNul);
    if (!last.has_value()) return false;
    switch (p_.shape) {
      case ArgvPatterns::Shape::kAny:
        return true;
      case ArgvPatterns::Shape::kCommand:
        return last->shape == kFree || last->shape == kBefore;
      case ArgvPatterns::Shape::kFlagText:
        return last->shape == kFree;
    }
    return false;
  }

 private:
  // Words, beginnings and short options. Each word begins at the root again.
  bool StepWord(const State& from, Column column, State* to) const {
    const uint8_t mark = words_.MarkOf(from.word);
    if (column == kNul) {
      if ((mark & (Trie::kWord | Trie::kOption)) != 0) return false;
      to->word = Trie::kRoot;
      to->dash = 0;
      return true;
    }
    if (column == kEquals && (mark & Trie::kOption) != 0) return false;
    to->word = words_.Next(from.word, column);
    if ((words_.MarkOf(to->word) & Trie::kBeginning) != 0) return false;
    to->dash = 3;
    if (from.dash == 0 && column == kDash) to->dash = 1;
    if ((from.dash == 1 && column != kDash) || from.dash == 2) {
      if (letters_[column]) return false;
      to->dash = 2;
    }
    return true;
  }

  bool StepParts(const State& from, Column column, State* to) const {
    const Column lowered = Lowered(column);
    to->part = column == kNul ? uint16_t{Trie::kRoot} : parts_.Next(from.part, lowered);
    if ((parts_.MarkOf(to->part) & Trie::kWord) != 0) return false;
    // A verb ends where no letter follows, or where a capital begins the next one; it begins behind no letter, or as a capital itself.
    const bool ended = !IsLetter(column) || column >= kUpper;
    if (ended && (verbs_.MarkOf(from.verb) & Trie::kWord) != 0) return false;
    if (!IsLetter(column)) {
      to->verb = Trie::kRoot;
      return true;
    }
    to->verb = verbs_.Next(from.verb, lowered);
    if (column < kUpper || from.verb == Trie::kRoot) return true;
    // A capital goes on with a verb (DROP) or begins one (volumeDrop); where it may do both it is asked.
    const uint16_t begun = verbs_.Next(Trie::kRoot, lowered);
    if (to->verb == Trie::kNone) to->verb = begun;
    return to->verb == begun || begun == Trie::kNone;
  }

  bool StepShape(const State& from, Column column, State* to) const {
    using Shape = ArgvPatterns::Shape;
    if (p_.shape == Shape::kAny || from.shape == kFree) return true;
    if (from.shape == kName) {
      if (column == kNul) to->shape = kBefore;
      return true;
    }
    return p_.shape == Shape::kCommand ? StepCommand(from, column, to) : StepFlagText(from, column, to);
  }

  bool StepCommand(const State& from, Column column, State* to) const {
    if (from.shape == kValue || from.shape == kRest) {
      if (column == kNul) to->shape = kBefore;
      return true;
    }
    const uint8_t mark = allowed_.MarkOf(from.allowed);
    if (column == kNul) {
      to->allowed = Trie::kRoot;
      if ((mark & Trie::kWord) != 0) to->shape = kFree;
      if ((mark & Trie::kValued) != 0) to->shape = kValue;
      return mark != 0;
    }
    if (column == kEquals && (mark & (Trie::kOption | Trie::kValued)) != 0) {
      to->allowed = Trie::kRoot;
      to->shape = kRest;
      return true;
    }
    to->allowed = allowed_.Next(from.allowed, column);
    return to->allowed != Trie::kNone;
  }

  bool StepFlagText(const State& from, Column column, State* to) const {
    if (from.dash == 0) return column == kDash;
    if (column == kNul) {
      to->shape = kFree;
      return from.shape == kCluster;
    }
    if (column == ColumnOf(static_cast<unsigned char>(p_.flag))) {
      to->shape = kCluster;
      return true;
    }
    return column < kDigit && flags_[column];
  }

  const ArgvPatterns& p_;
  Trie words_, verbs_, allowed_;
  Searcher parts_;
  std::array<bool, AutomatonTable::kColumns> letters_{}, flags_{};
  bool fits_ = true;
};

using Row = AutomatonTable::Row;

// States that nothing tells apart become one. Targets are places in `rows`, kStop for what is asked; so is the result, and
// the first state stays the first. Moore's refinement: two are one while each column leads both into the same class.
constexpr uint32_t kStop = UINT32_MAX;

// A row's targets as the classes they are in.
uint32_t ClassOf(uint32_t target, const std::vector<uint32_t>& classes) { return target == kStop ? kStop : classes[target]; }

std::vector<Row> Minimised(const std::vector<Row>& rows) {
  std::vector<uint32_t> classes(rows.size(), 0), next(rows.size());
  std::vector<uint64_t> hashes(rows.size());
  // Of each class the first row: as numbers, since a row is long.
  const auto hash = [&hashes](uint32_t row) { return static_cast<size_t>(hashes[row]); };
  const auto same = [&](uint32_t a, uint32_t b) {
    if (hashes[a] != hashes[b]) return false;
    for (size_t i = 0; i < rows[a].size(); ++i) {
      if (ClassOf(rows[a][i], classes) != ClassOf(rows[b][i], classes)) return false;
    }
    return true;
  };
  size_t count = 0;
  while (true) {
    for (size_t i = 0; i < rows.size(); ++i) {
      uint64_t sum = 0;
      for (const uint32_t target : rows[i]) sum = (sum ^ ClassOf(target, classes)) * 0x9e3779b97f4a7c15ull;
      hashes[i] = sum ^ sum >> 32;
    }
    absl::flat_hash_map<uint32_t, uint32_t, decltype(hash), decltype(same)> numbers(count, hash, same);
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto number = static_cast<uint32_t>(numbers.size());
      next[i] = numbers.emplace(static_cast<uint32_t>(i), number).first->second;
    }
    const bool settled = numbers.size() == count;
    count = numbers.size();
    classes.swap(next);
    if (settled) break;
  }
  std::vector<Row> merged(count);
  for (size_t i = 0; i < rows.size(); ++i) {
    Row row = rows[i];
    for (uint32_t& target : row) target = ClassOf(target, classes);
    merged[classes[i]] = row;
  }
  return merged;
}

}  // namespace

AutomatonTable::AutomatonTable() : rows_(kFirst) {
  for (size_t byte = 0; byte < 256; ++byte) {
    reinterpret_cast<uint8_t*>(rows_[1].data())[byte] = ColumnOf(static_cast<unsigned char>(byte));
  }
}

std::optional<uint32_t> AutomatonTable::Add(const ArgvPatterns& patterns, size_t max_states, size_t max_rows) {
  const Builder builder(patterns);
  if (!builder.fits()) return std::nullopt;
  absl::flat_hash_map<State, uint32_t> numbers;
  std::vector<State> states;
  const auto number_of = [&](const State& state) {
    const auto [it, added] = numbers.emplace(state, static_cast<uint32_t>(states.size()));
    if (added) states.push_back(state);
    return it->second;
  };
  number_of(State{});
  std::vector<Row> product;
  for (size_t i = 0; i < states.size(); ++i) {
    if (states.size() > max_states) return std::nullopt;
    const State from = states[i];
    Row row{};
    State before;  // Most columns lead where the one before does.
    uint32_t number = 0;
    for (Column column = 0; column < kEnd; ++column) {
      const std::optional<State> to = builder.Next(from, column);
      if (to.has_value() && *to != before) {
        before = *to;
        number = number_of(before);
      }
      row[column] = to.has_value() ? number : kStop;
    }
    row[kEnd] = builder.MayEnd(from) ? 0 : kStop;
    product.push_back(row);
  }
  const std::vector<Row> least = Minimised(product);
  const auto begin = static_cast<uint32_t>(rows_.size());
  if (begin + least.size() > max_rows) return std::nullopt;
  for (Row row : least) {
    for (uint32_t& target : row) target = target == kStop ? kAsk : begin + target;
    rows_.push_back(row);
  }
  return begin;
}

bool AutomatonTable::Asks(uint32_t state, absl::string_view raw_argv) const {
  const auto* columns = reinterpret_cast<const uint8_t*>(rows_[1].data());
  const auto step = [&](Column column) { state = state >= kFirst && state < rows_.size() ? rows_[state][column] : kAsk; };
  for (const char c : raw_argv) {
    step(columns[static_cast<unsigned char>(c)]);
    if (state < kFirst) return true;
  }
  step(kEnd);
  return state < kFirst;
}

}  // namespace holdpoint
