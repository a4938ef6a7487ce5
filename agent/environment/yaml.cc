#include "agent/environment/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <sstream>
#include <stdexcept>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/base/escape.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxBytes = 4 << 20;
constexpr size_t kMaxValues = 200'000;
constexpr size_t kMaxDepth = 64;

// Leaves the parser of yaml-cpp from inside an event; caught in ParseYaml and nowhere else.
struct Stop : std::runtime_error {
  Stop(const YAML::Mark& m, absl::string_view message) : std::runtime_error(std::string(message)), mark(m) {}
  YAML::Mark mark;
};

bool IsInteger(absl::string_view text) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  if (text.empty()) return false;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
  }
  return true;
}

bool IsNumber(absl::string_view text) {
  double ignored;
  if (text.find_first_of("0123456789") == absl::string_view::npos) return text == ".inf" || text == ".nan";
  if (text.find_first_not_of("0123456789.+-eE") != absl::string_view::npos) return false;
  return absl::SimpleAtod(text, &ignored);
}

// YAML 1.2, core schema.
YamlNode::Kind PlainKind(absl::string_view text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return YamlNode::Kind::kNull;
  for (const absl::string_view word : {"true", "True", "TRUE", "false", "False", "FALSE"}) {
    if (text == word) return YamlNode::Kind::kBool;
  }
  if (IsInteger(text)) return YamlNode::Kind::kInteger;
  if (IsNumber(text)) return YamlNode::Kind::kNumber;
  return YamlNode::Kind::kText;
}

class TreeBuilder : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { Scalar(mark, YamlNode::Kind::kNull, ""); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Stop(mark, "wanted a value, got an alias: write it out");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, const std::string& value) override {
    if (tag != "?" && tag != "!" && !tag.empty()) throw Stop(mark, "wanted a value without a tag");
    Scalar(mark, tag == "!" ? YamlNode::Kind::kText : PlainKind(value), value);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
    Open(mark, YamlNode::Kind::kList);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
    Open(mark, YamlNode::Kind::kMap);
  }
  void OnMapEnd() override { Close(); }

  YamlNode Take() { return std::move(root_); }

 private:
  struct Level {
    YamlNode node;
    bool wants_value = false;  // of a map: its last entry has a key and no value yet
  };

  static YamlNode Make(const YAML::Mark& mark, YamlNode::Kind kind, std::string text) {
    YamlNode node;
    node.kind = kind;
    node.text = std::move(text);
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    return node;
  }

  void Count(const YAML::Mark& mark) {
    if (++values_ > kMaxValues) throw Stop(mark, absl::StrCat("wanted at most ", kMaxValues, " values"));
  }

  bool WantsKey() const {
    return !open_.empty() && open_.back().node.kind == YamlNode::Kind::kMap && !open_.back().wants_value;
  }

  void Scalar(const YAML::Mark& mark, YamlNode::Kind kind, std::string text) {
    Count(mark);
    if (!WantsKey()) return Place(Make(mark, kind, std::move(text)));
    Level& level = open_.back();
    if (kind == YamlNode::Kind::kNull) throw Stop(mark, "wanted a key, got nothing");
    for (const YamlEntry& entry : level.node.entries) {
      if (entry.key == text) {
        throw Stop(mark,
                   absl::StrCat("key '", EscapeAndClip(text, 60), "' stands here twice, first in line ", entry.line));
      }
    }
    level.node.entries.push_back(YamlEntry{std::move(text), mark.line + 1, mark.column + 1, YamlNode()});
    level.wants_value = true;
  }

  void Open(const YAML::Mark& mark, YamlNode::Kind kind) {
    Count(mark);
    if (WantsKey()) throw Stop(mark, "wanted a key, got a list or a map");
    if (open_.size() >= kMaxDepth) throw Stop(mark, absl::StrCat("wanted at most ", kMaxDepth, " levels"));
    open_.push_back(Level{Make(mark, kind, ""), false});
  }

  void Close() {
    YamlNode node = std::move(open_.back().node);
    open_.pop_back();
    Place(std::move(node));
  }

  void Place(YamlNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
    } else if (Level& level = open_.back(); level.node.kind == YamlNode::Kind::kList) {
      level.node.items.push_back(std::move(node));
    } else {
      level.node.entries.back().value = std::move(node);
      level.wants_value = false;
    }
  }

  YamlNode root_;
  std::vector<Level> open_;
  size_t values_ = 0;
};

std::string Got(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kBool:
      return absl::StrCat("the truth value ", node.text, " (quote it if it is meant as text)");
    case YamlNode::Kind::kInteger:
    case YamlNode::Kind::kNumber:
      return absl::StrCat("the number ", EscapeAndClip(node.text, 40));
    case YamlNode::Kind::kText:
      return node.text.empty() ? "an empty text" : absl::StrCat("the text \"", EscapeAndClip(node.text, 60), "\"");
    case YamlNode::Kind::kList:
      return node.items.empty() ? "an empty list" : "a list";
    case YamlNode::Kind::kMap:
      return "a map";
  }
  return "something else";
}

std::string Below(absl::string_view parent, absl::string_view key) {
  return parent.empty() ? std::string(key) : absl::StrCat(parent, ".", key);
}

}  // namespace

absl::Status YamlError(absl::string_view name, int line, int column, absl::string_view key, absl::string_view message) {
  return absl::FailedPreconditionError(absl::StrCat(EscapeAndClip(name, 200), ":", line, ":", column, ": ",
                                                    EscapeAndClip(key, 120), key.empty() ? "" : ": ", message));
}

absl::StatusOr<YamlNode> ParseYaml(absl::string_view name, absl::string_view bytes) {
  if (bytes.size() > kMaxBytes) {
    return YamlError(name, 1, 1, "", absl::StrCat("wanted at most ", kMaxBytes, " bytes, got ", bytes.size()));
  }
  if (const size_t nul = bytes.find('\0'); nul != absl::string_view::npos) {
    return YamlError(name, 1, 1, "", absl::StrCat("wanted text, got a NUL at byte ", nul));
  }
  try {
    std::istringstream stream{std::string(bytes)};
    YAML::Parser parser(stream);
    TreeBuilder tree;
    if (!parser.HandleNextDocument(tree)) return YamlNode();
    TreeBuilder second;
    if (parser.HandleNextDocument(second)) {
      const YamlNode extra = second.Take();
      return YamlError(name, extra.line, extra.column, "", "wanted one document, got a second one");
    }
    return tree.Take();
  } catch (const Stop& stop) {
    return YamlError(name, stop.mark.line + 1, stop.mark.column + 1, "", stop.what());
  } catch (const YAML::Exception& error) {
    const int line = std::max(error.mark.line, 0) + 1;
    const int column = std::max(error.mark.column, 0) + 1;
    return YamlError(name, line, column, "", absl::StrCat("wanted YAML, got: ", EscapeAndClip(error.msg, 120)));
  } catch (const std::exception& error) {
    return YamlError(name, 1, 1, "", absl::StrCat("wanted YAML, got: ", EscapeAndClip(error.what(), 120)));
  }
}

absl::Status YamlValue::Wrong(absl::string_view wanted) const {
  return Error(absl::StrCat("wanted ", wanted, ", got ", Got(*node_)));
}

absl::Status YamlValue::Error(absl::string_view message) const {
  return YamlError(name_, node_->line, node_->column, key_, message);
}

absl::StatusOr<std::string> YamlValue::Text() const {
  if (node_->kind != YamlNode::Kind::kText || node_->text.empty()) return Wrong("text");
  return node_->text;
}

absl::StatusOr<bool> YamlValue::Bool() const {
  if (node_->kind != YamlNode::Kind::kBool) return Wrong("true or false");
  return node_->text[0] == 't' || node_->text[0] == 'T';
}

absl::StatusOr<uint32_t> YamlValue::Integer(uint32_t low, uint32_t high) const {
  uint32_t value = 0;
  if (node_->kind != YamlNode::Kind::kInteger || !absl::SimpleAtoi(node_->text, &value) || value < low ||
      value > high) {
    return Wrong(absl::StrCat("a whole number from ", low, " to ", high));
  }
  return value;
}

absl::StatusOr<size_t> YamlValue::OneOf(absl::Span<const absl::string_view> words) const {
  if (node_->kind == YamlNode::Kind::kText) {
    for (size_t i = 0; i < words.size(); ++i) {
      if (node_->text == words[i]) return i;
    }
  }
  return Wrong(absl::StrCat(words.size() > 1 ? "one of " : "", absl::StrJoin(words, ", ")));
}

absl::StatusOr<std::vector<YamlValue>> YamlValue::List() const {
  if (node_->kind != YamlNode::Kind::kList) return Wrong("a list");
  std::vector<YamlValue> values;
  values.reserve(node_->items.size());
  for (size_t i = 0; i < node_->items.size(); ++i) {
    values.emplace_back(name_, absl::StrCat(key_, "[", i, "]"), node_->items[i]);
  }
  return values;
}

absl::StatusOr<std::vector<std::string>> YamlValue::Texts() const {
  if (node_->kind != YamlNode::Kind::kList || node_->items.empty()) return Wrong("a list of texts");
  HP_ASSIGN_OR_RETURN(const std::vector<YamlValue> values, List());
  std::vector<std::string> texts;
  for (const YamlValue& value : values) {
    HP_ASSIGN_OR_RETURN(std::string text, value.Text());
    texts.push_back(std::move(text));
  }
  return texts;
}

absl::StatusOr<YamlMap> YamlValue::Map(absl::Span<const absl::string_view> keys) const {
  if (node_->kind != YamlNode::Kind::kMap) return Wrong(absl::StrCat("a map with ", absl::StrJoin(keys, ", ")));
  for (const YamlEntry& entry : node_->entries) {
    bool known = false;
    for (const absl::string_view key : keys) known = known || key == entry.key;
    if (!known) {
      return YamlError(name_, entry.line, entry.column, Below(key_, entry.key),
                       absl::StrCat("wanted one of the keys ", absl::StrJoin(keys, ", "), ", got this one"));
    }
  }
  return YamlMap(name_, key_, *node_);
}

absl::StatusOr<std::vector<std::pair<std::string, YamlValue>>> YamlValue::FreeMap() const {
  if (node_->kind != YamlNode::Kind::kMap) return Wrong("a map");
  std::vector<std::pair<std::string, YamlValue>> values;
  for (const YamlEntry& entry : node_->entries) {
    values.emplace_back(entry.key, YamlValue(name_, Below(key_, entry.key), entry.value));
  }
  return values;
}

absl::StatusOr<std::string> YamlValue::Scalar() const {
  switch (node_->kind) {
    case YamlNode::Kind::kText:
    case YamlNode::Kind::kBool:
    case YamlNode::Kind::kInteger:
    case YamlNode::Kind::kNumber:
      return node_->text;
    default:
      return Wrong("text, a number or a truth value");
  }
}

bool YamlMap::Has(absl::string_view key) const {
  for (const YamlEntry& entry : node_->entries) {
    if (entry.key == key) return true;
  }
  return false;
}

absl::StatusOr<YamlValue> YamlMap::Get(absl::string_view key) const {
  for (const YamlEntry& entry : node_->entries) {
    if (entry.key == key) return YamlValue(name_, Below(key_, key), entry.value);
  }
  return YamlError(name_, node_->line, node_->column, Below(key_, key), "wanted this key, got none");
}

absl::Status YamlMap::Optional(absl::string_view key, std::string* out) const {
  if (!Has(key)) return absl::OkStatus();
  HP_ASSIGN_OR_RETURN(*out, Get(key)->Text());
  return absl::OkStatus();
}

absl::Status YamlMap::Optional(absl::string_view key, bool* out) const {
  if (!Has(key)) return absl::OkStatus();
  HP_ASSIGN_OR_RETURN(*out, Get(key)->Bool());
  return absl::OkStatus();
}

absl::Status YamlMap::Optional(absl::string_view key, std::vector<std::string>* out) const {
  if (!Has(key)) return absl::OkStatus();
  HP_ASSIGN_OR_RETURN(*out, Get(key)->Texts());
  return absl::OkStatus();
}

absl::Status YamlMap::Optional(absl::string_view key, uint32_t low, uint32_t high, uint32_t* out) const {
  if (!Has(key)) return absl::OkStatus();
  HP_ASSIGN_OR_RETURN(*out, Get(key)->Integer(low, high));
  return absl::OkStatus();
}

absl::Status YamlMap::Error(absl::string_view message) const {
  return YamlError(name_, node_->line, node_->column, key_, message);
}

}  // namespace holdpoint
