#include "agent/parse/json_body.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/base/escape.h"
#include "agent/parse/utf8.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxDuplicates = 16;

bool IsWordByte(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '+' || c == '-' || c == '.';
}

// A number that no double holds, or one of Python's NaN and Infinity: readers in other languages take them, and the
// rest of the body with them, so they must not end the parse.
bool IsNumberOnlyElsewhere(absl::string_view word) {
  if (word == "NaN" || word == "Infinity" || word == "-Infinity") return true;
  const size_t exponent = word.find_first_of("eE");
  return absl::ascii_isdigit(static_cast<unsigned char>(word.back())) &&
         word.find_first_not_of("0123456789.eE+-") == word.npos &&
         (word.size() > 300 || (exponent != word.npos && word.size() - exponent > 3));
}

std::string ReplaceUnusualNumbers(std::string text) {
  std::string out;
  size_t kept = 0;  // all before it is in `out`
  for (size_t i = 0; i < text.size();) {
    if (text[i] == '"') {  // To the end of the string.
      for (++i; i < text.size() && text[i] != '"'; ++i) i += text[i] == '\\';
      ++i;
      continue;
    }
    size_t end = i;
    while (end < text.size() && IsWordByte(text[end])) ++end;
    if (end > i && IsNumberOnlyElsewhere(absl::string_view(text).substr(i, end - i))) {
      absl::StrAppend(&out, absl::string_view(text).substr(kept, i - kept), "0");
      kept = end;
    }
    i = std::max(end, i + 1);
  }
  if (kept == 0) return text;
  absl::StrAppend(&out, absl::string_view(text).substr(kept));
  return out;
}

// Builds the tree from nlohmann's events: its parser keeps its own stack, so depth costs no call stack there, and the
// tree is bounded before its own destructor recurses.
class Builder {
 public:
  using Json = nlohmann::json;

  Builder(const JsonLimits& limits, ParsedJson* out) : limits_(limits), out_(out) {}

  bool null() { return Scalar(JsonValue::Kind::kNull, "null"); }
  bool boolean(bool value) { return Scalar(JsonValue::Kind::kBool, value ? "true" : "false"); }
  bool number_integer(Json::number_integer_t value) { return Scalar(JsonValue::Kind::kNumber, absl::StrCat(value)); }
  bool number_unsigned(Json::number_unsigned_t value) { return Scalar(JsonValue::Kind::kNumber, absl::StrCat(value)); }
  bool number_float(Json::number_float_t, const std::string& text) { return Scalar(JsonValue::Kind::kNumber, text); }
  bool string(std::string& value) { return Scalar(JsonValue::Kind::kString, std::move(value)); }
  bool binary(Json::binary_t&) { return false; }
  bool start_object(size_t) { return Open(JsonValue::Kind::kObject); }
  bool start_array(size_t) { return Open(JsonValue::Kind::kArray); }
  bool end_object() { return Close(); }
  bool end_array() { return Close(); }

  bool key(std::string& name) {
    if (!keys_.back().insert(name).second && out_->duplicate_keys.size() < kMaxDuplicates) {
      out_->duplicate_keys.push_back(EscapeAndClip(name, 64));
    }
    stack_.back()->members.push_back({std::move(name), JsonValue()});
    return true;
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) {
    error_position = position;
    return false;
  }

  absl::string_view exceeded;  // "" or which limit
  size_t error_position = 0;   // count of bytes read when the parser gave up

 private:
  JsonValue* Place() {
    if (++values_ > limits_.max_values) {
      exceeded = "too many values";
      return nullptr;
    }
    if (stack_.empty()) return &out_->root;
    JsonValue* parent = stack_.back();
    if (parent->kind == JsonValue::Kind::kObject) return &parent->members.back().value;
    return &parent->items.emplace_back();
  }

  bool Scalar(JsonValue::Kind kind, std::string text) {
    JsonValue* value = Place();
    if (!value) return false;
    value->kind = kind;
    value->text = std::move(text);
    return true;
  }

  // A parent grows only after the child was closed, so the pointers on the stack stay good.
  bool Open(JsonValue::Kind kind) {
    if (static_cast<int>(stack_.size()) >= limits_.max_depth) {
      exceeded = "nested too deeply";
      return false;
    }
    JsonValue* value = Place();
    if (!value) return false;
    value->kind = kind;
    stack_.push_back(value);
    keys_.emplace_back();
    return true;
  }

  bool Close() {
    stack_.pop_back();
    keys_.pop_back();
    return true;
  }

  const JsonLimits limits_;
  ParsedJson* const out_;
  std::vector<JsonValue*> stack_;
  std::vector<std::set<std::string>> keys_;
  size_t values_ = 0;
};

void WriteString(absl::string_view text, std::string* out) {
  static constexpr char kHex[] = "0123456789abcdef";
  out->push_back('"');
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out->append({'\\', c});
    } else if (byte < 0x20 || byte == 0x7f) {
      absl::StrAppend(out, "\\u00", absl::string_view(&kHex[byte >> 4], 1), absl::string_view(&kHex[byte & 15], 1));
    } else {
      out->push_back(c);
    }
  }
  out->push_back('"');
}

// Recursion ends at the depth that ParseJson and ParseGraphql allow a value.
void Write(const JsonValue& value, std::string* out) {
  const char* separator = "";
  switch (value.kind) {
    case JsonValue::Kind::kString:
      WriteString(value.text, out);
      break;
    case JsonValue::Kind::kArray:
      out->push_back('[');
      for (const JsonValue& item : value.items) {
        absl::StrAppend(out, std::exchange(separator, ","));
        Write(item, out);
      }
      out->push_back(']');
      break;
    case JsonValue::Kind::kObject:
      out->push_back('{');
      for (const auto& [name, member] : value.members) {
        absl::StrAppend(out, std::exchange(separator, ","));
        WriteString(name, out);
        out->push_back(':');
        Write(member, out);
      }
      out->push_back('}');
      break;
    default:
      absl::StrAppend(out, value.text.empty() ? "null" : value.text);
  }
}

}  // namespace

const JsonValue* JsonValue::Find(absl::string_view name) const {
  for (const auto& [key, value] : members) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::vector<const JsonValue*> JsonValue::FindAnyCase(absl::string_view name) const {
  std::vector<const JsonValue*> found;
  for (const auto& [key, value] : members) {
    if (absl::EqualsIgnoreCase(key, name)) found.push_back(&value);
  }
  return found;
}

absl::StatusOr<ParsedJson> ParseJson(absl::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("JSON: want at most ", limits.max_bytes, " bytes, got ", text.size()));
  }
  ParsedJson parsed;
  const std::string clean = ReplaceUnusualNumbers(ReplaceInvalidUtf8(text, &parsed.invalid_utf8));
  Builder builder(limits, &parsed);
  if (nlohmann::json::sax_parse(clean, &builder)) return parsed;
  if (!builder.exceeded.empty()) return absl::ResourceExhaustedError(absl::StrCat("JSON: ", builder.exceeded));
  int line = 1, column = 1;
  for (size_t i = 0; i + 1 < builder.error_position && i < clean.size(); ++i) {
    ++column;
    if (clean[i] == '\n') {
      ++line;
      column = 1;
    }
  }
  return absl::InvalidArgumentError(absl::StrCat("JSON ", line, ":", column, ": this is no JSON from here on"));
}

std::string WriteJson(const JsonValue& value) {
  std::string out;
  Write(value, &out);
  return out;
}

}  // namespace holdpoint
