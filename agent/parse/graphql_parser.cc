#include <iterator>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/escape.h"
#include "agent/base/status.h"
#include "agent/parse/graphql_ast.h"
#include "agent/parse/graphql_lexer.h"

namespace holdpoint::graphql {
namespace {

// Recursive descent over one token of look-ahead. Every function that nests takes a Level first.
class Parser {
 public:
  Parser(absl::string_view text, const GraphqlLimits& limits) : lexer_(text), limits_(limits) {}

  absl::StatusOr<Document> Run() {
    HP_RETURN_IF_ERROR(Advance());
    Document document;
    while (token_.kind != GraphqlToken::Kind::kEnd) HP_RETURN_IF_ERROR(TakeDefinition(&document));
    if (document.operations.empty() && document.fragments.empty()) return Unexpected("an operation");
    return document;
  }

 private:
  using Arguments = std::vector<Argument>;

  class Level {
   public:
    explicit Level(int* depth) : depth_(depth) { ++*depth_; }
    ~Level() { --*depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    int* depth_;
  };

  absl::Status CheckDepth() const {
    if (depth_ <= limits_.max_depth) return absl::OkStatus();
    return absl::ResourceExhaustedError(absl::StrCat("GraphQL ", token_.position.line, ":", token_.position.column,
                                                     ": nested more than ", limits_.max_depth, " levels"));
  }

  absl::Status Advance() {
    if (++tokens_ > limits_.max_tokens) {
      return absl::ResourceExhaustedError(absl::StrCat("GraphQL ", token_.position.line, ":", token_.position.column,
                                                       ": more than ", limits_.max_tokens, " tokens"));
    }
    HP_ASSIGN_OR_RETURN(token_, lexer_.Next());
    return absl::OkStatus();
  }

  absl::Status Unexpected(absl::string_view wanted) const {
    return absl::InvalidArgumentError(
        absl::StrCat("GraphQL ", token_.position.line, ":", token_.position.column, ": expected ", wanted, ", found ",
                     token_.kind == GraphqlToken::Kind::kEnd ? std::string("the end")
                                                             : absl::StrCat("'", EscapeAndClip(token_.text, 32), "'")));
  }

  bool At(absl::string_view punctuator) const {
    return token_.kind == GraphqlToken::Kind::kPunctuator && token_.text == punctuator;
  }
  bool AtName(absl::string_view name) const { return token_.kind == GraphqlToken::Kind::kName && token_.text == name; }

  absl::Status Expect(absl::string_view punctuator) {
    if (!At(punctuator)) return Unexpected(absl::StrCat("'", punctuator, "'"));
    return Advance();
  }

  absl::StatusOr<std::string> TakeName() {
    if (token_.kind != GraphqlToken::Kind::kName) return Unexpected("a name");
    std::string name = std::move(token_.text);
    HP_RETURN_IF_ERROR(Advance());
    return name;
  }

  absl::Status TakeDefinition(Document* document) {
    if (token_.kind == GraphqlToken::Kind::kString) HP_RETURN_IF_ERROR(Advance());  // A description (later drafts).
    if (AtName("fragment")) return TakeFragment(document);
    Operation operation;
    if (!At("{")) {
      if (AtName("mutation")) {
        operation.type = GraphqlOperation::Type::kMutation;
      } else if (AtName("subscription")) {
        operation.type = GraphqlOperation::Type::kSubscription;
      } else if (!AtName("query")) {
        return Unexpected("'query', 'mutation', 'subscription', 'fragment' or '{'");
      }
      HP_RETURN_IF_ERROR(Advance());
      if (token_.kind == GraphqlToken::Kind::kName) {
        HP_ASSIGN_OR_RETURN(operation.name, TakeName());
      }
      HP_RETURN_IF_ERROR(TakeVariableDefinitions(&operation.defaults));
      bool conditional = false;
      HP_RETURN_IF_ERROR(TakeDirectives(&conditional));
    }
    HP_RETURN_IF_ERROR(TakeSelections(&operation.selections));
    document->operations.push_back(std::move(operation));
    return absl::OkStatus();
  }

  absl::Status TakeFragment(Document* document) {
    HP_RETURN_IF_ERROR(Advance());
    HP_ASSIGN_OR_RETURN(const std::string name, TakeName());
    Arguments defaults;  // Variables of fragments: an extension that some servers have.
    HP_RETURN_IF_ERROR(TakeVariableDefinitions(&defaults));
    if (!AtName("on")) return Unexpected("'on'");
    HP_RETURN_IF_ERROR(Advance());
    HP_RETURN_IF_ERROR(TakeName().status());
    bool conditional = false;
    HP_RETURN_IF_ERROR(TakeDirectives(&conditional));
    std::vector<Selection> selections;
    HP_RETURN_IF_ERROR(TakeSelections(&selections));
    std::vector<Selection>& all = document->fragments[name];
    all.insert(all.end(), std::make_move_iterator(selections.begin()), std::make_move_iterator(selections.end()));
    return absl::OkStatus();
  }

  // ($id: String! = "x" @directive, ...)
  absl::Status TakeVariableDefinitions(Arguments* defaults) {
    if (!At("(")) return absl::OkStatus();
    HP_RETURN_IF_ERROR(Advance());
    while (!At(")")) {
      HP_RETURN_IF_ERROR(Expect("$"));
      HP_ASSIGN_OR_RETURN(std::string name, TakeName());
      HP_RETURN_IF_ERROR(Expect(":"));
      HP_RETURN_IF_ERROR(TakeType());
      if (At("=")) {
        HP_RETURN_IF_ERROR(Advance());
        Value value;
        HP_RETURN_IF_ERROR(TakeValue(&value));
        defaults->push_back({std::move(name), std::move(value)});
      }
      bool conditional = false;
      HP_RETURN_IF_ERROR(TakeDirectives(&conditional));
    }
    return Advance();
  }

  absl::Status TakeType() {
    int open = 0;
    for (; At("["); ++open) HP_RETURN_IF_ERROR(Advance());
    HP_RETURN_IF_ERROR(TakeName().status());
    while (true) {
      if (At("!")) {
        HP_RETURN_IF_ERROR(Advance());
      } else if (open > 0) {
        HP_RETURN_IF_ERROR(Expect("]"));
        --open;
      } else {
        return absl::OkStatus();
      }
    }
  }

  absl::Status TakeDirectives(bool* conditional) {
    while (At("@")) {
      HP_RETURN_IF_ERROR(Advance());
      HP_ASSIGN_OR_RETURN(const std::string name, TakeName());
      if (name == "skip" || name == "include") *conditional = true;
      Arguments arguments;
      HP_RETURN_IF_ERROR(TakeArguments(&arguments));
    }
    return absl::OkStatus();
  }

  absl::Status TakeArguments(Arguments* arguments) {
    if (!At("(")) return absl::OkStatus();
    HP_RETURN_IF_ERROR(Advance());
    return TakeMembers(")", arguments);
  }

  // name: value ... up to `close`.
  absl::Status TakeMembers(absl::string_view close, Arguments* members) {
    while (!At(close)) {
      HP_ASSIGN_OR_RETURN(std::string name, TakeName());
      HP_RETURN_IF_ERROR(Expect(":"));
      Value value;
      HP_RETURN_IF_ERROR(TakeValue(&value));
      members->push_back({std::move(name), std::move(value)});
    }
    return Advance();
  }

  absl::Status TakeValue(Value* value) {
    Level level(&depth_);
    HP_RETURN_IF_ERROR(CheckDepth());
    switch (token_.kind) {
      case GraphqlToken::Kind::kString:
        value->scalar.kind = JsonValue::Kind::kString;
        break;
      case GraphqlToken::Kind::kNumber:
        value->scalar.kind = JsonValue::Kind::kNumber;
        break;
      case GraphqlToken::Kind::kName:
        value->scalar.kind = token_.text == "null"                             ? JsonValue::Kind::kNull
                             : token_.text == "true" || token_.text == "false" ? JsonValue::Kind::kBool
                                                                               : JsonValue::Kind::kString;
        break;
      default:
        return TakeNestedValue(value);
    }
    value->scalar.text = std::move(token_.text);
    return Advance();
  }

  absl::Status TakeNestedValue(Value* value) {
    if (At("$")) {
      HP_RETURN_IF_ERROR(Advance());
      value->kind = Value::Kind::kVariable;
      HP_ASSIGN_OR_RETURN(value->variable, TakeName());
      return absl::OkStatus();
    }
    if (At("{")) {
      HP_RETURN_IF_ERROR(Advance());
      value->kind = Value::Kind::kObject;
      return TakeMembers("}", &value->members);
    }
    if (!At("[")) return Unexpected("a value");
    HP_RETURN_IF_ERROR(Advance());
    value->kind = Value::Kind::kList;
    while (!At("]")) {
      value->members.emplace_back();
      HP_RETURN_IF_ERROR(TakeValue(&value->members.back().value));
    }
    return Advance();
  }

  absl::Status TakeSelections(std::vector<Selection>* selections) {
    Level level(&depth_);
    HP_RETURN_IF_ERROR(CheckDepth());
    HP_RETURN_IF_ERROR(Expect("{"));
    while (!At("}")) {
      selections->emplace_back();
      HP_RETURN_IF_ERROR(At("...") ? TakeFragmentSelection(&selections->back()) : TakeField(&selections->back()));
    }
    return Advance();
  }

  absl::Status TakeField(Selection* field) {
    HP_ASSIGN_OR_RETURN(field->name, TakeName());
    if (At(":")) {
      HP_RETURN_IF_ERROR(Advance());
      field->alias = std::move(field->name);
      HP_ASSIGN_OR_RETURN(field->name, TakeName());
    }
    HP_RETURN_IF_ERROR(TakeArguments(&field->arguments));
    HP_RETURN_IF_ERROR(TakeDirectives(&field->conditional));
    return At("{") ? TakeSelections(&field->selections) : absl::OkStatus();
  }

  // ...Name, ... on Type { }, ... @include(if: $x) { }
  absl::Status TakeFragmentSelection(Selection* selection) {
    HP_RETURN_IF_ERROR(Advance());
    selection->kind = Selection::Kind::kInlineFragment;
    if (token_.kind == GraphqlToken::Kind::kName) {
      if (AtName("on")) {
        HP_RETURN_IF_ERROR(Advance());
        HP_RETURN_IF_ERROR(TakeName().status());
      } else {
        selection->kind = Selection::Kind::kSpread;
        HP_ASSIGN_OR_RETURN(selection->name, TakeName());
        Arguments arguments;
        HP_RETURN_IF_ERROR(TakeArguments(&arguments));
      }
    }
    HP_RETURN_IF_ERROR(TakeDirectives(&selection->conditional));
    return selection->kind == Selection::Kind::kSpread ? absl::OkStatus() : TakeSelections(&selection->selections);
  }

  GraphqlLexer lexer_;
  const GraphqlLimits limits_;
  GraphqlToken token_;
  size_t tokens_ = 0;
  int depth_ = 0;
};

}  // namespace

absl::StatusOr<Document> ParseDocument(absl::string_view text, const GraphqlLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("GraphQL: want at most ", limits.max_bytes, " bytes, got ", text.size()));
  }
  return Parser(text, limits).Run();
}

}  // namespace holdpoint::graphql
