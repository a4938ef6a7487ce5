// Conditions that hold for every row, by their words.
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "agent/parse/sql_internal.h"

namespace holdpoint {
namespace {

using Tokens = absl::Span<const SqlToken>;

constexpr int kMaxNesting = 32;
constexpr size_t kMaxCondition = 2000;  // words

bool IsSign(const SqlToken& token, char sign) { return token.raw.size() == 1 && token.raw[0] == sign; }

// Parts between a word at the outermost level.
std::vector<Tokens> SplitAt(Tokens tokens, absl::string_view word) {
  std::vector<Tokens> parts;
  int depth = 0;
  size_t begin = 0;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (IsSign(tokens[i], '(')) ++depth;
    if (IsSign(tokens[i], ')')) --depth;
    if (depth == 0 && tokens[i].Is(word)) {
      parts.push_back(tokens.subspan(begin, i - begin));
      begin = i + 1;
    }
  }
  parts.push_back(tokens.subspan(begin));
  return parts;
}

bool IsWrapped(Tokens tokens) {
  if (tokens.size() < 2 || !IsSign(tokens.front(), '(') || !IsSign(tokens.back(), ')')) return false;
  int depth = 0;
  for (size_t i = 0; i + 1 < tokens.size(); ++i) {
    if (IsSign(tokens[i], '(')) ++depth;
    if (IsSign(tokens[i], ')') && --depth == 0) return false;
  }
  return true;
}

// A column, a number with its sign, a text; empty for anything longer. `constant`: no column.
std::string Operand(Tokens tokens, bool* constant) {
  while (IsWrapped(tokens)) tokens = tokens.subspan(1, tokens.size() - 2);
  *constant = false;
  if (tokens.empty()) return "";
  std::string sign;
  if (tokens.size() == 2 && (IsSign(tokens[0], '-') || IsSign(tokens[0], '+')) &&
      tokens[1].kind == SqlToken::Kind::kNumber) {
    if (IsSign(tokens[0], '-')) sign = "-";
    tokens = tokens.subspan(1);
  }
  if (tokens.size() == 1 && (tokens[0].kind == SqlToken::Kind::kNumber || tokens[0].kind == SqlToken::Kind::kString)) {
    *constant = true;
    return sign + Unquoted(tokens[0]);
  }
  std::string name;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const bool dot = i % 2 == 1;
    if (dot != IsSign(tokens[i], '.')) return "";
    if (!dot && tokens[i].kind != SqlToken::Kind::kWord && tokens[i].kind != SqlToken::Kind::kQuoted) return "";
    name += absl::AsciiStrToLower(Unquoted(tokens[i]));
  }
  return name;
}

SqlTruth Atom(Tokens tokens) {
  const auto truth = [](bool value) { return value ? SqlTruth::kAlways : SqlTruth::kNever; };
  bool constant = false;
  if (tokens.size() == 1 || (tokens.size() == 2 && IsSign(tokens[0], '-'))) {
    if (tokens[0].Is("true")) return SqlTruth::kAlways;
    if (tokens[0].Is("false") || tokens[0].Is("null")) return SqlTruth::kNever;
    const std::string value = absl::AsciiStrToLower(Operand(tokens, &constant));
    if (!constant) return SqlTruth::kUnknown;
    double number = 0;
    if (absl::SimpleAtod(value, &number)) return truth(number != 0);
    if (value == "t" || value == "true" || value == "yes" || value == "y" || value == "on") return SqlTruth::kAlways;
    return value == "f" || value == "false" || value == "no" || value == "n" || value == "off" ? SqlTruth::kNever
                                                                                                : SqlTruth::kUnknown;
  }
  const size_t size = tokens.size();
  if (size >= 4 && tokens[size - 3].Is("is") && tokens[size - 2].Is("not") && tokens[size - 1].Is("null")) {
    const std::string name = Operand(tokens.subspan(0, size - 3), &constant);
    return constant || IsKeyColumn(name) ? SqlTruth::kAlways : SqlTruth::kUnknown;
  }
  if (size >= 3 && (tokens[size - 2].Is("like") || tokens[size - 2].Is("ilike")) && Unquoted(tokens[size - 1]) == "%") {
    return tokens[size - 3].Is("not") ? SqlTruth::kNever : SqlTruth::kAlways;
  }
  for (size_t i = 1; i + 1 < size; ++i) {
    if (tokens[i].kind != SqlToken::Kind::kOther || !absl::StrContains("=<>!", tokens[i].raw)) continue;
    size_t end = i + 1;
    std::string op(tokens[i].raw);
    while (end < size && end < i + 3 && tokens[end].kind == SqlToken::Kind::kOther &&
           absl::StrContains("=<>", tokens[end].raw)) {
      op += std::string(tokens[end++].raw);
    }
    bool left_constant = false, right_constant = false;
    const std::string left = Operand(tokens.subspan(0, i), &left_constant);
    const std::string right = Operand(tokens.subspan(end), &right_constant);
    if (left.empty() || right.empty()) return SqlTruth::kUnknown;
    if (left_constant && right_constant) {
      const std::optional<bool> value = Compare(left, op, right);
      return value.has_value() ? truth(*value) : SqlTruth::kUnknown;
    }
    if (left_constant == right_constant && left == right) {
      const std::optional<bool> value = Compare("1", op, "1");
      return value.has_value() ? truth(*value) : SqlTruth::kUnknown;
    }
    double number = 0;
    if (!left_constant && right_constant && IsKeyColumn(left) && absl::SimpleAtod(right, &number)) {
      const bool all = (op == ">" && number <= 0) || (op == ">=" && number <= 1) ||
                       ((op == "<>" || op == "!=") && number <= 0);
      return all ? SqlTruth::kAlways : SqlTruth::kUnknown;
    }
    return SqlTruth::kUnknown;
  }
  return SqlTruth::kUnknown;
}

}  // namespace

bool IsKeyColumn(absl::string_view name) {
  const absl::string_view last = name.substr(name.rfind('.') + 1);
  return last == "id" || last == "rowid" || last == "_id" || last == "uuid" || last == "pk" || last == "ctid";
}

std::optional<bool> Compare(absl::string_view left, absl::string_view op, absl::string_view right) {
  double a = 0, b = 0;
  int order = left < right ? -1 : left == right ? 0 : 1;
  if (absl::SimpleAtod(left, &a) && absl::SimpleAtod(right, &b)) order = a < b ? -1 : a == b ? 0 : 1;
  if (op == "=" || op == "==" || op == "<=>") return order == 0;
  if (op == "<>" || op == "!=") return order != 0;
  if (op == "<") return order < 0;
  if (op == ">") return order > 0;
  if (op == "<=") return order <= 0;
  if (op == ">=") return order >= 0;
  return std::nullopt;
}

SqlTruth TruthOf(Tokens condition, int depth) {
  if (depth > kMaxNesting || condition.empty() || condition.size() > kMaxCondition) return SqlTruth::kUnknown;
  while (IsWrapped(condition)) condition = condition.subspan(1, condition.size() - 2);
  if (const std::vector<Tokens> arms = SplitAt(condition, "or"); arms.size() > 1) {
    bool never = true;
    for (const Tokens arm : arms) {
      const SqlTruth truth = TruthOf(arm, depth + 1);
      if (truth == SqlTruth::kAlways) return truth;
      never &= truth == SqlTruth::kNever;
    }
    return never ? SqlTruth::kNever : SqlTruth::kUnknown;
  }
  if (const std::vector<Tokens> arms = SplitAt(condition, "and"); arms.size() > 1) {
    bool always = true;
    for (const Tokens arm : arms) {
      const SqlTruth truth = TruthOf(arm, depth + 1);
      if (truth == SqlTruth::kNever) return truth;
      always &= truth == SqlTruth::kAlways;
    }
    return always ? SqlTruth::kAlways : SqlTruth::kUnknown;
  }
  if (!condition.empty() && condition[0].Is("not")) {
    const SqlTruth truth = TruthOf(condition.subspan(1), depth + 1);
    return truth == SqlTruth::kAlways ? SqlTruth::kNever : truth == SqlTruth::kNever ? SqlTruth::kAlways : truth;
  }
  return Atom(condition);
}

}  // namespace holdpoint
