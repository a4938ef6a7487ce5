#include "agent/policy/test_reader.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

constexpr int kMaxDepth = 8;

absl::Status ReadMatcher(const YamlMap& map, absl::string_view key, std::optional<Matcher>* out, int* count) {
  if (!map.Has(key)) return absl::OkStatus();
  HP_ASSIGN_OR_RETURN(const YamlValue value, map.Get(key));
  HP_ASSIGN_OR_RETURN(*out, Matcher::Read(value));
  ++*count;
  return absl::OkStatus();
}

absl::Status ReadNamed(const YamlMap& map, absl::string_view key, std::vector<NamedTest>* out, int* count) {
  if (!map.Has(key)) return absl::OkStatus();
  HP_ASSIGN_OR_RETURN(const YamlValue value, map.Get(key));
  HP_ASSIGN_OR_RETURN(const auto entries, value.FreeMap());
  if (entries.empty()) return value.Wrong("at least one name with a test");
  for (const auto& [name, test] : entries) {
    HP_ASSIGN_OR_RETURN(Matcher matcher, Matcher::Read(test));
    out->push_back({name, std::move(matcher)});
    ++*count;
  }
  return absl::OkStatus();
}

// Each item: a name, or a map of names with a test of the value.
absl::Status ReadOptionTests(const YamlMap& map, absl::string_view key, std::vector<OptionTest>* out, int* count) {
  if (!map.Has(key)) return absl::OkStatus();
  HP_ASSIGN_OR_RETURN(const YamlValue value, map.Get(key));
  HP_ASSIGN_OR_RETURN(const std::vector<YamlValue> items, value.List());
  if (items.empty()) return value.Wrong("at least one option");
  ++*count;
  for (const YamlValue& item : items) {
    if (item.node().kind != YamlNode::Kind::kMap) {
      HP_ASSIGN_OR_RETURN(std::string name, item.Scalar());
      out->push_back({std::move(name), std::nullopt});
      continue;
    }
    HP_ASSIGN_OR_RETURN(const auto entries, item.FreeMap());
    for (const auto& [name, test] : entries) {
      HP_ASSIGN_OR_RETURN(Matcher matcher, Matcher::Read(test));
      out->push_back({name, std::move(matcher)});
    }
  }
  return absl::OkStatus();
}

absl::Status ReadOptions(const YamlMap& map, CallTest* test, int* count) {
  if (!map.Has("options")) return absl::OkStatus();
  HP_ASSIGN_OR_RETURN(const YamlValue value, map.Get("options"));
  HP_ASSIGN_OR_RETURN(const YamlMap options, value.Map({"any", "all", "none"}));
  HP_RETURN_IF_ERROR(ReadOptionTests(options, "any", &test->options_any, count));
  HP_RETURN_IF_ERROR(ReadOptionTests(options, "all", &test->options_all, count));
  return ReadOptionTests(options, "none", &test->options_none, count);
}

// Places are counted from 1 in the file.
absl::Status ReadOperandsAt(const YamlMap& map, CallTest* test, int* count) {
  if (!map.Has("at")) return absl::OkStatus();
  HP_ASSIGN_OR_RETURN(const YamlValue value, map.Get("at"));
  HP_ASSIGN_OR_RETURN(const auto entries, value.FreeMap());
  if (entries.empty()) return value.Wrong("at least one place with a test");
  for (const auto& [place, item] : entries) {
    uint32_t number = 0;
    if (!absl::SimpleAtoi(place, &number) || number < 1 || number > 1000) {
      return item.Error(absl::StrCat("wanted the place of an operand, from 1 to 1000, got \"", place, "\""));
    }
    HP_ASSIGN_OR_RETURN(Matcher matcher, Matcher::Read(item));
    test->operands_at.emplace_back(number - 1, std::move(matcher));
    ++*count;
  }
  return absl::OkStatus();
}

absl::Status ReadOperands(const YamlMap& map, CallTest* test, int* count) {
  if (!map.Has("operands")) return absl::OkStatus();
  HP_ASSIGN_OR_RETURN(const YamlValue value, map.Get("operands"));
  HP_ASSIGN_OR_RETURN(const YamlMap operands, value.Map({"min", "max", "at", "any", "all", "none"}));
  uint32_t low = 0, high = UINT32_MAX;
  HP_RETURN_IF_ERROR(operands.Optional("min", 0, 1000, &low));
  HP_RETURN_IF_ERROR(operands.Optional("max", 0, 1000, &high));
  test->min_operands = low;
  test->max_operands = high == UINT32_MAX ? SIZE_MAX : high;
  *count += (low > 0) + (high != UINT32_MAX);
  HP_RETURN_IF_ERROR(ReadOperandsAt(operands, test, count));
  HP_RETURN_IF_ERROR(ReadMatcher(operands, "any", &test->operand_any, count));
  HP_RETURN_IF_ERROR(ReadMatcher(operands, "all", &test->operand_all, count));
  return ReadMatcher(operands, "none", &test->operand_none, count);
}

absl::Status ReadRequest(const YamlValue& value, int depth, RequestTest* test, int* count);

absl::Status ReadRequests(const YamlMap& map, absl::string_view key, int depth, std::vector<RequestTest>* out,
                          int* count) {
  if (!map.Has(key)) return absl::OkStatus();
  HP_ASSIGN_OR_RETURN(const YamlValue value, map.Get(key));
  if (depth >= kMaxDepth) return value.Error("wanted at most eight levels of any_of and none_of");
  HP_ASSIGN_OR_RETURN(const std::vector<YamlValue> items, value.List());
  if (items.empty()) return value.Wrong("at least one test");
  ++*count;
  for (const YamlValue& item : items) {
    int ignored = 0;
    out->emplace_back();
    HP_RETURN_IF_ERROR(ReadRequest(item, depth + 1, &out->back(), &ignored));
  }
  return absl::OkStatus();
}

absl::Status ReadGraphql(const YamlValue& value, GraphqlTest* test, int* count) {
  HP_ASSIGN_OR_RETURN(const YamlMap map, value.Map({"operation", "field", "arguments"}));
  if (map.Has("operation")) {
    HP_ASSIGN_OR_RETURN(const YamlValue operation, map.Get("operation"));
    HP_ASSIGN_OR_RETURN(const size_t index, operation.OneOf({"query", "mutation", "subscription"}));
    test->operation = static_cast<GraphqlOperation::Type>(index);
    ++*count;
  }
  HP_RETURN_IF_ERROR(ReadMatcher(map, "field", &test->field, count));
  return ReadNamed(map, "arguments", &test->arguments, count);
}

absl::Status ReadRequest(const YamlValue& value, int depth, RequestTest* test, int* count) {
  HP_ASSIGN_OR_RETURN(const YamlMap map,
                      value.Map({"method", "scheme", "host", "only_host", "port", "unix_socket", "path", "headers",
                                 "query", "json", "body", "graphql", "any_of", "none_of"}));
  HP_RETURN_IF_ERROR(ReadMatcher(map, "method", &test->method, count));
  HP_RETURN_IF_ERROR(ReadMatcher(map, "scheme", &test->scheme, count));
  HP_RETURN_IF_ERROR(ReadMatcher(map, "host", &test->host, count));
  HP_RETURN_IF_ERROR(ReadMatcher(map, "only_host", &test->only_host, count));
  HP_RETURN_IF_ERROR(ReadMatcher(map, "port", &test->port, count));
  HP_RETURN_IF_ERROR(ReadMatcher(map, "unix_socket", &test->unix_socket, count));
  HP_RETURN_IF_ERROR(ReadMatcher(map, "path", &test->path, count));
  HP_RETURN_IF_ERROR(ReadNamed(map, "headers", &test->headers, count));
  HP_RETURN_IF_ERROR(ReadNamed(map, "query", &test->query, count));
  HP_RETURN_IF_ERROR(ReadNamed(map, "json", &test->json, count));
  if (map.Has("body")) {
    HP_ASSIGN_OR_RETURN(const YamlValue body, map.Get("body"));
    HP_ASSIGN_OR_RETURN(const size_t index, body.OneOf({"any", "seen", "unseen", "present", "none"}));
    test->body = static_cast<RequestTest::Body>(index);
    ++*count;
  }
  if (map.Has("graphql")) {
    HP_ASSIGN_OR_RETURN(const YamlValue graphql, map.Get("graphql"));
    HP_RETURN_IF_ERROR(ReadGraphql(graphql, &test->graphql.emplace(), count));
  }
  HP_RETURN_IF_ERROR(ReadRequests(map, "any_of", depth, &test->any_of, count));
  return ReadRequests(map, "none_of", depth, &test->none_of, count);
}

absl::Status ReadStatement(const YamlValue& value, StatementTest* test, int* count) {
  HP_ASSIGN_OR_RETURN(const YamlMap map,
                      value.Map({"effect", "verb", "kind", "name", "database", "source", "where"}));
  HP_RETURN_IF_ERROR(ReadMatcher(map, "effect", &test->effect, count));
  HP_RETURN_IF_ERROR(ReadMatcher(map, "verb", &test->verb, count));
  HP_RETURN_IF_ERROR(ReadMatcher(map, "kind", &test->kind, count));
  HP_RETURN_IF_ERROR(ReadMatcher(map, "name", &test->name, count));
  HP_RETURN_IF_ERROR(ReadMatcher(map, "database", &test->database, count));
  HP_RETURN_IF_ERROR(ReadMatcher(map, "source", &test->source, count));
  if (map.Has("where")) {
    bool where = false;
    HP_RETURN_IF_ERROR(map.Optional("where", &where));
    test->where = where;
    ++*count;
  }
  return absl::OkStatus();
}

absl::Status ReadCall(const YamlMap& map, int depth, CallTest* test, int* count);

absl::Status ReadCalls(const YamlMap& map, absl::string_view key, int depth, std::vector<CallTest>* out, int* count) {
  if (!map.Has(key)) return absl::OkStatus();
  HP_ASSIGN_OR_RETURN(const YamlValue value, map.Get(key));
  if (depth >= kMaxDepth) return value.Error("wanted at most eight levels of any_of and none_of");
  HP_ASSIGN_OR_RETURN(const std::vector<YamlValue> items, value.List());
  if (items.empty()) return value.Wrong("at least one test");
  ++*count;
  for (const YamlValue& item : items) {
    HP_ASSIGN_OR_RETURN(const YamlMap inner,
                        item.Map({"command", "options", "operands", "environment", "cwd", "any_of", "none_of"}));
    int ignored = 0;
    out->emplace_back();
    HP_RETURN_IF_ERROR(ReadCall(inner, depth + 1, &out->back(), &ignored));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> TextOrTexts(const YamlValue& value) {
  if (value.node().kind == YamlNode::Kind::kList) return value.Texts();
  HP_ASSIGN_OR_RETURN(std::string text, value.Text());
  return std::vector<std::string>{std::move(text)};
}

absl::Status ReadCall(const YamlMap& map, int depth, CallTest* test, int* count) {
  if (map.Has("command")) {
    HP_ASSIGN_OR_RETURN(const YamlValue command, map.Get("command"));
    HP_ASSIGN_OR_RETURN(test->commands, TextOrTexts(command));
    ++*count;
  }
  HP_RETURN_IF_ERROR(ReadOptions(map, test, count));
  HP_RETURN_IF_ERROR(ReadOperands(map, test, count));
  HP_RETURN_IF_ERROR(ReadNamed(map, "environment", &test->environment, count));
  HP_RETURN_IF_ERROR(ReadMatcher(map, "cwd", &test->cwd, count));
  HP_RETURN_IF_ERROR(ReadCalls(map, "any_of", depth, &test->any_of, count));
  return ReadCalls(map, "none_of", depth, &test->none_of, count);
}

absl::Status ReadUnlisted(const YamlValue& value, UnlistedTest* test, int* count) {
  HP_ASSIGN_OR_RETURN(const YamlMap map, value.Map({"verb", "noun", "options"}));
  HP_ASSIGN_OR_RETURN(const YamlValue verb, map.Get("verb"));
  HP_ASSIGN_OR_RETURN(test->verbs, TextOrTexts(verb));
  for (const std::string& word : test->verbs) {
    if (!std::all_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'z'; })) {
      return verb.Error(absl::StrCat("wanted verbs in lower-case letters, got \"", word, "\""));
    }
  }
  HP_RETURN_IF_ERROR(map.Optional("noun", &test->noun));
  HP_RETURN_IF_ERROR(map.Optional("options", &test->options));
  *count += test->noun ? 2 : 1;
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadWhen(const YamlValue& value, Rule* rule) {
  HP_ASSIGN_OR_RETURN(const YamlMap map, value.Map({"tool", "request", "unlisted", "sql", "program", "program_text", "command", "options", "operands",
                                                    "environment", "cwd", "any_of", "none_of"}));
  if (!map.Has("tool") && !map.Has("request") && !map.Has("unlisted")) {
    return value.Wrong("a tool or a request, or unlisted for what no pack describes");
  }
  if (map.Has("unlisted")) {
    if (map.Has("tool") || map.Has("request") || map.Has("command")) {
      return value.Error("unlisted is about what no pack describes: no tool, request or command stands beside it");
    }
    HP_ASSIGN_OR_RETURN(const YamlValue unlisted, map.Get("unlisted"));
    HP_RETURN_IF_ERROR(ReadUnlisted(unlisted, &rule->unlisted.emplace(), &rule->conditions));
  }
  if (map.Has("tool")) {
    HP_ASSIGN_OR_RETURN(const YamlValue tool, map.Get("tool"));
    HP_ASSIGN_OR_RETURN(rule->tools, TextOrTexts(tool));
  }
  HP_RETURN_IF_ERROR(ReadCall(map, 0, &rule->call, &rule->conditions));
  if (map.Has("request")) {
    HP_ASSIGN_OR_RETURN(const YamlValue request, map.Get("request"));
    HP_RETURN_IF_ERROR(ReadRequest(request, 0, &rule->request.emplace(), &rule->conditions));
    if (rule->conditions == 0) return request.Wrong("at least one condition: this fits every request of every tool");
  }
  HP_RETURN_IF_ERROR(ReadMatcher(map, "program", &rule->program, &rule->conditions));
  HP_RETURN_IF_ERROR(ReadMatcher(map, "program_text", &rule->program_text, &rule->conditions));
  if (map.Has("sql")) {
    HP_ASSIGN_OR_RETURN(const YamlValue sql, map.Get("sql"));
    if (!map.Has("tool")) return sql.Error("sql belongs to a tool");
    HP_RETURN_IF_ERROR(ReadStatement(sql, &rule->statement.emplace(), &rule->conditions));
  }
  return absl::OkStatus();
}

}  // namespace holdpoint
