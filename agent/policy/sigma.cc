#include "agent/policy/sigma.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "agent/base/status.h"
#include "agent/policy/sigma_value.h"

namespace holdpoint {

struct SigmaRule::Test {
  std::string field;
  bool all = false;  // every value, else one
  std::vector<SigmaValue> values;
};

// A tree; of a selection the leaves are tests.
struct SigmaRule::Node {
  enum class Kind { kAnd, kOr, kNot, kTest };
  Kind kind = Kind::kAnd;
  std::vector<std::shared_ptr<const Node>> parts;
  Test test;
};

namespace {

using Node = SigmaRule::Node;
using NodePtr = std::shared_ptr<const Node>;
using Selections = std::map<std::string, NodePtr, std::less<>>;

constexpr size_t kMaxConditionWords = 256;
constexpr int kMaxDepth = 32;
constexpr std::array<absl::string_view, 3> kProcessFields = {"Image", "CommandLine", "CurrentDirectory"};
constexpr std::array<absl::string_view, 5> kConnectionFields = {"Image", "DestinationIp", "DestinationPort", "Protocol",
                                                                "Initiated"};

NodePtr Join(Node::Kind kind, std::vector<NodePtr> parts) {
  if (parts.size() == 1 && kind != Node::Kind::kNot) return parts[0];
  auto node = std::make_shared<Node>();
  node->kind = kind;
  node->parts = std::move(parts);
  return node;
}

class Reader {
 public:
  Reader(const YamlValue& document, SigmaRule* rule) : document_(document), rule_(*rule) {}

  absl::StatusOr<NodePtr> Read() {
    HP_ASSIGN_OR_RETURN(const auto entries, document_.FreeMap());
    std::optional<YamlValue> detection, source;
    for (const auto& [name, value] : entries) {
      if (name == "title") {
        HP_ASSIGN_OR_RETURN(rule_.title, value.Text());
      }
      if (name == "id") {
        HP_ASSIGN_OR_RETURN(rule_.id, value.Text());
      }
      if (name == "description") {
        HP_ASSIGN_OR_RETURN(rule_.description, value.Text());
      }
      if (name == "level") {
        HP_ASSIGN_OR_RETURN(rule_.level, value.Text());
      }
      if (name == "tags") {
        HP_ASSIGN_OR_RETURN(rule_.tags, value.Texts());
      }
      if (name == "references") {
        HP_ASSIGN_OR_RETURN(rule_.references, value.Texts());
      }
      if (name == "detection") detection = value;
      if (name == "logsource") source = value;
      if (name == "correlation" || name == "action") return Unsupported(value, absl::StrCat("\"", name, "\""));
    }
    if (rule_.title.empty()) return document_.Error("a Sigma rule wants a title");
    if (!source.has_value() || !detection.has_value()) return Unsupported(document_, "a rule without logsource or detection");
    HP_RETURN_IF_ERROR(ReadSource(*source));
    return ReadDetection(*detection);
  }

 private:
  absl::Status Unsupported(const YamlValue& at, absl::string_view what) const {
    return at.Error(absl::StrCat("Sigma rule \"", rule_.title, "\": ", what, " is not supported"));
  }

  absl::Status ReadSource(const YamlValue& source) {
    HP_ASSIGN_OR_RETURN(const auto entries, source.FreeMap());
    std::string product, category;
    for (const auto& [name, value] : entries) {
      if (name == "definition") continue;
      HP_ASSIGN_OR_RETURN(const std::string text, value.Text());
      if (name == "product") product = text;
      if (name == "category") category = text;
      if (name == "service") return Unsupported(value, absl::StrCat("the log of the service ", text));
    }
    if (!product.empty() && product != "linux") return Unsupported(source, absl::StrCat("the product ", product));
    if (category != "process_creation" && category != "network_connection") {
      return Unsupported(source, absl::StrCat("the category \"", category, "\""));
    }
    rule_.category = category == "process_creation" ? SigmaRule::Category::kProcess : SigmaRule::Category::kConnection;
    return absl::OkStatus();
  }

  absl::StatusOr<NodePtr> ReadDetection(const YamlValue& detection) {
    HP_ASSIGN_OR_RETURN(const auto entries, detection.FreeMap());
    Selections selections;
    std::optional<YamlValue> condition;
    for (const auto& [name, value] : entries) {
      if (name == "condition") {
        condition = value;
      } else if (name == "timeframe") {
        return Unsupported(value, "a timeframe");
      } else {
        HP_ASSIGN_OR_RETURN(selections[name], ReadSelection(value));
      }
    }
    if (!condition.has_value()) return detection.Error("a Sigma rule wants a condition");
    std::vector<NodePtr> any;
    if (condition->node().kind == YamlNode::Kind::kList) {  // One of several conditions.
      HP_ASSIGN_OR_RETURN(const std::vector<YamlValue> list, condition->List());
      for (const YamlValue& each : list) {
        HP_ASSIGN_OR_RETURN(NodePtr node, ReadCondition(each, selections));
        any.push_back(std::move(node));
      }
      if (any.empty()) return condition->Error("a Sigma rule wants a condition");
      return Join(Node::Kind::kOr, std::move(any));
    }
    return ReadCondition(*condition, selections);
  }

  // A map: all of it. A list of maps: one of them.
  absl::StatusOr<NodePtr> ReadSelection(const YamlValue& value) {
    std::vector<NodePtr> parts;
    if (value.node().kind == YamlNode::Kind::kList) {
      HP_ASSIGN_OR_RETURN(const std::vector<YamlValue> items, value.List());
      for (const YamlValue& item : items) {
        if (item.node().kind != YamlNode::Kind::kMap) return Unsupported(item, "a keyword without a field");
        HP_ASSIGN_OR_RETURN(NodePtr part, ReadSelection(item));
        parts.push_back(std::move(part));
      }
      if (parts.empty()) return value.Error("wanted at least one map of fields");
      return Join(Node::Kind::kOr, std::move(parts));
    }
    if (value.node().kind != YamlNode::Kind::kMap) return Unsupported(value, "a keyword without a field");
    HP_ASSIGN_OR_RETURN(const auto fields, value.FreeMap());
    for (const auto& [key, values] : fields) {
      HP_ASSIGN_OR_RETURN(NodePtr part, ReadField(key, values));
      parts.push_back(std::move(part));
    }
    if (parts.empty()) return value.Error("wanted at least one field");
    return Join(Node::Kind::kAnd, std::move(parts));
  }

  bool IsField(absl::string_view name) const {
    if (rule_.category == SigmaRule::Category::kProcess) {
      return std::find(kProcessFields.begin(), kProcessFields.end(), name) != kProcessFields.end();
    }
    return std::find(kConnectionFields.begin(), kConnectionFields.end(), name) != kConnectionFields.end();
  }

  absl::StatusOr<NodePtr> ReadField(const std::string& key, const YamlValue& value) {
    const std::vector<std::string> words = absl::StrSplit(key, '|');
    auto node = std::make_shared<Node>();
    node->kind = Node::Kind::kTest;
    node->test.field = words[0];
    if (!IsField(words[0])) return Unsupported(value, absl::StrCat("the field ", words[0]));
    bool before = false, behind = false, regex = false, cidr = false, windash = false;
    for (size_t i = 1; i < words.size(); ++i) {
      const std::string& modifier = words[i];
      if (modifier == "contains") {
        before = behind = true;
      } else if (modifier == "startswith") {
        behind = true;
      } else if (modifier == "endswith") {
        before = true;
      } else if (modifier == "all") {
        node->test.all = true;
      } else if (modifier == "re") {
        regex = true;
      } else if (modifier == "cidr") {
        cidr = true;
      } else if (modifier == "windash") {
        windash = true;
      } else {
        return Unsupported(value, absl::StrCat("the modifier ", modifier, " of the field ", words[0]));
      }
    }
    std::vector<YamlValue> items = {value};
    if (value.node().kind == YamlNode::Kind::kList) {
      HP_ASSIGN_OR_RETURN(items, value.List());
    }
    if (items.empty()) return value.Error(absl::StrCat("wanted at least one value of ", words[0]));
    std::vector<NodePtr> each;  // with windash: one of the forms of each
    for (const YamlValue& item : items) {
      if (item.node().kind == YamlNode::Kind::kNull) {
        node->test.values.push_back(SigmaValue::Null());
        continue;
      }
      const bool empty = item.node().kind == YamlNode::Kind::kText && item.node().text.empty();
      std::string text;
      if (!empty) {
        HP_ASSIGN_OR_RETURN(text, item.Scalar());
      }
      if (regex || cidr) {
        absl::StatusOr<SigmaValue> made = regex ? SigmaValue::Regex(text) : SigmaValue::Cidr(text);
        if (!made.ok()) {
          return item.Error(absl::StrCat("Sigma rule \"", rule_.title, "\": ", words[0], ": ", made.status().message()));
        }
        node->test.values.push_back(*std::move(made));
      } else if (windash) {
        auto one = std::make_shared<Node>();
        one->kind = Node::Kind::kTest;
        one->test.field = words[0];
        const std::vector<std::string> forms = WindashForms(text);
        if (forms.empty()) return Unsupported(item, absl::StrCat("windash with more than four dashes in the field ", words[0]));
        for (const std::string& form : forms) {
          one->test.values.push_back(SigmaValue::Text(form, before, behind));
        }
        each.push_back(std::move(one));
      } else {
        node->test.values.push_back(SigmaValue::Text(text, before, behind));
      }
    }
    if (each.empty()) return NodePtr(std::move(node));
    const Node::Kind kind = node->test.all ? Node::Kind::kAnd : Node::Kind::kOr;
    if (!node->test.values.empty()) each.push_back(std::move(node));
    return Join(kind, std::move(each));
  }

  // or, and, not, parentheses; "1 of NAME*", "all of NAME*", "1 of them".
  absl::StatusOr<NodePtr> ReadCondition(const YamlValue& value, const Selections& selections) {
    HP_ASSIGN_OR_RETURN(const std::string text, value.Text());
    words_.clear();
    at_ = 0;
    std::string spaced;
    for (const char c : text) {
      if (c == '(' || c == ')' || c == '|') {
        absl::StrAppend(&spaced, " ", std::string(1, c), " ");
      } else {
        spaced.push_back(c);
      }
    }
    words_ = absl::StrSplit(spaced, absl::ByAnyChar(" \t\n"), absl::SkipEmpty());
    if (words_.size() > kMaxConditionWords) return Unsupported(value, "a condition of more than 256 words");
    HP_ASSIGN_OR_RETURN(NodePtr node, ReadOr(value, selections, 0));
    if (at_ < words_.size()) return Unsupported(value, absl::StrCat("\"", words_[at_], "\" in the condition"));
    return node;
  }

  bool Take(absl::string_view word) {
    if (at_ >= words_.size() || !absl::EqualsIgnoreCase(words_[at_], word)) return false;
    ++at_;
    return true;
  }

  absl::StatusOr<NodePtr> ReadOr(const YamlValue& value, const Selections& selections, int depth) {
    std::vector<NodePtr> parts;
    do {
      HP_ASSIGN_OR_RETURN(NodePtr part, ReadAnd(value, selections, depth));
      parts.push_back(std::move(part));
    } while (Take("or"));
    return Join(Node::Kind::kOr, std::move(parts));
  }
  absl::StatusOr<NodePtr> ReadAnd(const YamlValue& value, const Selections& selections, int depth) {
    std::vector<NodePtr> parts;
    do {
      HP_ASSIGN_OR_RETURN(NodePtr part, ReadOne(value, selections, depth));
      parts.push_back(std::move(part));
    } while (Take("and"));
    return Join(Node::Kind::kAnd, std::move(parts));
  }
  absl::StatusOr<NodePtr> ReadOne(const YamlValue& value, const Selections& selections, int depth) {
    if (depth > kMaxDepth) return Unsupported(value, "a condition nested so deep");
    if (Take("not")) {
      HP_ASSIGN_OR_RETURN(NodePtr inner, ReadOne(value, selections, depth + 1));
      return Join(Node::Kind::kNot, {std::move(inner)});
    }
    if (Take("(")) {
      HP_ASSIGN_OR_RETURN(NodePtr inner, ReadOr(value, selections, depth + 1));
      if (!Take(")")) return value.Error(absl::StrCat("Sigma rule \"", rule_.title, "\": wanted a ) in the condition"));
      return inner;
    }
    if (at_ >= words_.size()) return value.Error(absl::StrCat("Sigma rule \"", rule_.title, "\": the condition ends early"));
    const std::string word = words_[at_++];
    const bool all = absl::EqualsIgnoreCase(word, "all");
    if ((all || word == "1" || absl::EqualsIgnoreCase(word, "any")) && Take("of")) {
      if (at_ >= words_.size()) return value.Error(absl::StrCat("Sigma rule \"", rule_.title, "\": the condition ends early"));
      const std::string pattern = words_[at_++];
      std::vector<NodePtr> parts;
      for (const auto& [name, node] : selections) {
        const bool them = absl::EqualsIgnoreCase(pattern, "them") && !absl::StartsWith(name, "_");
        if (them || SigmaValue::Text(pattern, false, false).Matches(name)) parts.push_back(node);
      }
      if (parts.empty()) return NoSelection(value, pattern);
      return Join(all ? Node::Kind::kAnd : Node::Kind::kOr, std::move(parts));
    }
    const auto found = selections.find(word);
    if (found == selections.end()) return NoSelection(value, word);
    return found->second;
  }
  absl::Status NoSelection(const YamlValue& value, absl::string_view name) const {
    return value.Error(absl::StrCat("Sigma rule \"", rule_.title, "\": the condition names \"", name, "\", and no selection is called so"));
  }

  const YamlValue& document_;
  SigmaRule& rule_;
  std::vector<std::string> words_;
  size_t at_ = 0;
};

bool Holds(const Node& node, const SigmaEvent& event) {
  const auto holds = [&event](const NodePtr& part) { return Holds(*part, event); };
  switch (node.kind) {
    case Node::Kind::kAnd:
      return std::all_of(node.parts.begin(), node.parts.end(), holds);
    case Node::Kind::kOr:
      return std::any_of(node.parts.begin(), node.parts.end(), holds);
    case Node::Kind::kNot:
      return !Holds(*node.parts[0], event);
    case Node::Kind::kTest:
      break;
  }
  const auto field = event.find(node.test.field);
  const absl::string_view text = field == event.end() ? absl::string_view() : absl::string_view(field->second);
  const auto fits = [text](const SigmaValue& value) { return value.Matches(text); };
  return node.test.all ? std::all_of(node.test.values.begin(), node.test.values.end(), fits)
                       : std::any_of(node.test.values.begin(), node.test.values.end(), fits);
}

using Needed = SigmaRule::Needed;

void Add(const Needed& more, Needed* to) {
  to->names.insert(more.names.begin(), more.names.end());
  to->patterns.Add(more.patterns);
}

// Of several that are all there the one of fewest texts.
void Better(std::optional<Needed> one, std::optional<Needed>* best) {
  if (!one.has_value()) return;
  const auto weight = [](const Needed& needed) { return needed.names.size() + 4 * needed.patterns.size(); };
  if (!best->has_value() || weight(*one) < weight(**best)) *best = std::move(one);
}

std::optional<Needed> NeedOf(const std::string& field, const SigmaValue& value) {
  Needed needed;
  if (field == "Image") {
    const std::string name = value.BaseNameOnly();
    if (name.empty()) return std::nullopt;
    needed.names.insert(name);
    return needed;
  }
  const std::string literal = value.kind() == SigmaValue::Kind::kText && field == "CommandLine" ? value.Literal() : "";
  if (literal.empty()) return std::nullopt;
  needed.patterns.parts.insert(literal);
  return needed;
}

std::optional<Needed> NeedOf(const Node& node) {
  std::optional<Needed> all;
  Needed any;
  bool each = true;
  const auto take = [&](std::optional<Needed> one) {
    each = each && one.has_value();
    if (one.has_value()) Add(*one, &any);
    Better(std::move(one), &all);
  };
  if (node.kind == Node::Kind::kNot) return std::nullopt;
  for (const NodePtr& part : node.parts) take(NeedOf(*part));
  for (const SigmaValue& value : node.test.values) take(NeedOf(node.test.field, value));
  const bool conjunction = node.kind == Node::Kind::kAnd || (node.kind == Node::Kind::kTest && node.test.all);
  if (conjunction) return all;
  if (!each) return std::nullopt;
  return any;
}

}  // namespace

SigmaRule::~SigmaRule() = default;

bool SigmaRule::Is(const YamlNode& document) {
  return std::any_of(document.entries.begin(), document.entries.end(),
                     [](const YamlEntry& entry) { return entry.key == "detection"; });
}

absl::StatusOr<std::shared_ptr<const SigmaRule>> SigmaRule::Read(const YamlValue& document) {
  std::shared_ptr<SigmaRule> rule(new SigmaRule());
  HP_ASSIGN_OR_RETURN(rule->condition_, Reader(document, rule.get()).Read());
  return std::shared_ptr<const SigmaRule>(std::move(rule));
}

bool SigmaRule::Matches(const SigmaEvent& event) const { return Holds(*condition_, event); }

std::optional<Needed> SigmaRule::NeededFor() const {
  return category == Category::kProcess ? NeedOf(*condition_) : std::make_optional<Needed>();
}

}  // namespace holdpoint
