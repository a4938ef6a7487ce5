#include "agent/policy/match.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/parse/uri.h"

namespace holdpoint {
namespace {

bool HasOption(const OptionTest& test, const ToolCall& call) {
  for (const ParsedOption& option : call.options) {
    if (option.name != test.name) continue;
    if (!test.value.has_value() || test.value->Matches(option.value.value_or(""))) return true;
  }
  return false;
}

bool OptionsMatch(const CallTest& test, const ToolCall& call) {
  const auto has = [&](const OptionTest& option) { return HasOption(option, call); };
  return (test.options_any.empty() || std::any_of(test.options_any.begin(), test.options_any.end(), has)) &&
         std::all_of(test.options_all.begin(), test.options_all.end(), has) &&
         std::none_of(test.options_none.begin(), test.options_none.end(), has);
}

bool OperandsMatch(const CallTest& test, const ToolCall& call, const ExecAct& act) {
  const size_t least = call.operands.size();
  if (least > test.max_operands) return false;
  // More operands than were seen may follow.
  if (least < test.min_operands && !act.unseen_operands) return false;
  const auto matches = [&](const std::optional<Matcher>& matcher) {
    return [&](const ParsedOperand& operand) { return matcher->Matches(operand.value); };
  };
  const auto begin = call.operands.begin();
  const auto end = call.operands.end();
  for (const auto& [place, matcher] : test.operands_at) {
    if (place >= least || !matcher.Matches(call.operands[place].value)) return false;
  }
  if (test.operand_any.has_value() && !std::any_of(begin, end, matches(test.operand_any))) return false;
  if (test.operand_all.has_value() && !std::all_of(begin, end, matches(test.operand_all))) return false;
  return !test.operand_none.has_value() || std::none_of(begin, end, matches(test.operand_none));
}

bool EnvironmentMatches(const NamedTest& test, const ExecAct& act) {
  for (const std::string& word : act.environment) {
    const absl::string_view text = word;
    if (text.size() > test.name.size() && text[test.name.size()] == '=' && absl::StartsWith(text, test.name)) {
      return test.value.Matches(text.substr(test.name.size() + 1));
    }
  }
  return false;
}

bool RequestMatches(const RequestTest& test, const RequestView& request);

bool BodyMatches(RequestTest::Body wanted, const HttpRequest& http) {
  switch (wanted) {
    case RequestTest::Body::kAny:
      return true;
    case RequestTest::Body::kSeen:
      return http.has_body && http.body_seen;
    case RequestTest::Body::kUnseen:
      return http.has_body && !http.body_seen;
    case RequestTest::Body::kPresent:
      return http.has_body;
    case RequestTest::Body::kNone:
      return !http.has_body;
  }
  return false;
}

bool HeadersMatch(const NamedTest& test, const HttpRequest& http) {
  return std::any_of(http.headers.begin(), http.headers.end(), [&](const HttpHeader& header) {
    return header.name == test.name && test.value.Matches(header.value);
  });
}

bool JsonMatches(const NamedTest& test, const RequestView& request) {
  if (!request.json.has_value()) return false;
  const JsonValue* value = FindInJson(*request.json, test.name);
  return value != nullptr && test.value.Matches(value->text);
}

// Everything but the GraphQL field.
bool PlainMatches(const RequestTest& test, const RequestView& request) {
  const HttpRequest& http = request.http;
  // A server that does not know an override takes the method as sent.
  if (test.method.has_value() && !test.method->Matches(http.EffectiveMethod()) &&
      !test.method->Matches(absl::AsciiStrToUpper(http.method))) {
    return false;
  }
  if (test.scheme.has_value() && !test.scheme->Matches(http.scheme)) return false;
  if (test.host.has_value() || test.only_host.has_value()) {
    const std::vector<std::string> hosts = http.Hosts();
    const auto matches = [](const Matcher& matcher) {
      return [&](const std::string& host) { return matcher.Matches(host); };
    };
    if (test.host.has_value() && !std::any_of(hosts.begin(), hosts.end(), matches(*test.host))) return false;
    if (test.only_host.has_value() && !std::all_of(hosts.begin(), hosts.end(), matches(*test.only_host))) return false;
  }
  if (test.port.has_value() && !test.port->Matches(absl::StrCat(http.port))) return false;
  if (test.unix_socket.has_value() && (http.unix_socket.empty() || !test.unix_socket->Matches(http.unix_socket))) {
    return false;
  }
  if (test.path.has_value() && !test.path->Matches(http.path)) return false;
  if (!BodyMatches(test.body, http)) return false;
  for (const NamedTest& header : test.headers) {
    if (!HeadersMatch(header, http)) return false;
  }
  if (!test.query.empty()) {
    const auto parameters = DecodeForm(http.query);
    for (const NamedTest& wanted : test.query) {
      if (std::none_of(parameters.begin(), parameters.end(), [&](const auto& parameter) {
            return parameter.first == wanted.name && wanted.value.Matches(parameter.second);
          })) {
        return false;
      }
    }
  }
  for (const NamedTest& wanted : test.json) {
    if (!JsonMatches(wanted, request)) return false;
  }
  if (!test.any_of.empty() && std::none_of(test.any_of.begin(), test.any_of.end(),
                                           [&](const RequestTest& inner) { return RequestMatches(inner, request); })) {
    return false;
  }
  return std::none_of(test.none_of.begin(), test.none_of.end(),
                      [&](const RequestTest& inner) { return RequestMatches(inner, request); });
}

bool ArgumentMatches(const NamedTest& test, const GraphqlField& field) {
  return std::any_of(field.arguments.begin(), field.arguments.end(), [&](const GraphqlArgument& argument) {
    return argument.path == test.name && (argument.unknown || test.value.Matches(argument.value));
  });
}

std::vector<RequestHit> GraphqlHits(const GraphqlTest& test, const RequestView& request) {
  std::vector<RequestHit> hits;
  for (const GraphqlOperation& operation : request.graphql.operations) {
    if (!operation.chosen || (test.operation.has_value() && operation.type != *test.operation)) continue;
    for (const GraphqlField& field : operation.fields) {
      if (test.field.has_value() && !test.field->Matches(field.name)) continue;
      if (std::all_of(test.arguments.begin(), test.arguments.end(),
                      [&](const NamedTest& wanted) { return ArgumentMatches(wanted, field); })) {
        hits.push_back({&request, &operation, &field});
      }
    }
  }
  return hits;
}

bool RequestMatches(const RequestTest& test, const RequestView& request) {
  return PlainMatches(test, request) && (!test.graphql.has_value() || !GraphqlHits(*test.graphql, request).empty());
}

}  // namespace

bool Matches(const StatementTest& test, const StatementView& view) {
  const SqlStatement& statement = view.statement;
  const auto fits = [](const std::optional<Matcher>& matcher, absl::string_view text) {
    return !matcher.has_value() || matcher->Matches(text);
  };
  return fits(test.effect, SqlEffectName(statement.effect)) && fits(test.verb, statement.verb) &&
         fits(test.kind, statement.kind) && fits(test.name, statement.name) && fits(test.database, view.database) &&
         fits(test.source, view.source) && (!test.where.has_value() || *test.where == statement.has_where);
}

bool Matches(const CallTest& test, const ToolCall& call, const ExecAct& act) {
  if (!test.commands.empty() &&
      std::find(test.commands.begin(), test.commands.end(), call.command) == test.commands.end()) {
    return false;
  }
  if (!OptionsMatch(test, call) || !OperandsMatch(test, call, act)) return false;
  if (test.cwd.has_value() && !test.cwd->Matches(act.cwd)) return false;
  for (const NamedTest& variable : test.environment) {
    if (!EnvironmentMatches(variable, act)) return false;
  }
  if (!test.any_of.empty() && std::none_of(test.any_of.begin(), test.any_of.end(),
                                           [&](const CallTest& inner) { return Matches(inner, call, act); })) {
    return false;
  }
  return std::none_of(test.none_of.begin(), test.none_of.end(),
                      [&](const CallTest& inner) { return Matches(inner, call, act); });
}

std::vector<RequestHit> Hits(const RequestTest& test, const RequestView& request) {
  if (!PlainMatches(test, request)) return {};
  if (!test.graphql.has_value()) return {RequestHit{&request, nullptr, nullptr}};
  return GraphqlHits(*test.graphql, request);
}

}  // namespace holdpoint
