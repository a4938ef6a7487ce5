#include "agent/policy/requests.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/policy/paths.h"

namespace holdpoint {
namespace {

constexpr int kRounds = 3;

HttpCommand Parse(ToolModel::Requests kind, const std::vector<std::string>& argv, const AttachedFiles& files) {
  return kind == ToolModel::Requests::kCurl ? ParseCurl(argv, files) : ParseWget(argv, files);
}

}  // namespace

RequestsOfAct ReadRequests(ToolModel::Requests kind, const std::vector<std::string>& argv, const ExecAct& act,
                           FactBook* facts) {
  AttachedFiles files;
  HttpCommand command;
  for (int round = 0; round < kRounds; ++round) {
    command = Parse(kind, argv, files);
    bool more = false;
    for (const NeededFile& needed : command.needed_files) {
      if (needed.path == "-" || needed.path.empty()) continue;
      const v1::ContentFact* fact = facts->Content(AbsolutePath(act, needed.path));
      if (fact == nullptr) continue;
      AttachedFile file{.bytes = fact->content(), .cut = fact->cut(), .problem = fact->problem()};
      // An implied file that is not there is one that says nothing.
      if (needed.implied && !file.problem.empty() && file.bytes.empty()) file.problem.clear();
      more |= files.emplace(needed.path, std::move(file)).second;
    }
    if (!more) break;
  }
  RequestsOfAct result;
  result.blind_spots = std::move(command.blind_spots);
  for (HttpRequest& http : command.requests) {
    RequestView view;
    view.graphql = FindGraphql(http);
    if (!http.body.empty()) {
      if (absl::StatusOr<ParsedJson> json = ParseJson(http.body); json.ok()) view.json = std::move(json->root);
    }
    view.http = std::move(http);
    result.requests.push_back(std::move(view));
  }
  return result;
}

const JsonValue* FindInJson(const JsonValue& root, absl::string_view dotted) {
  const JsonValue* at = &root;
  for (const absl::string_view part : absl::StrSplit(dotted, '.')) {
    if (at->kind == JsonValue::Kind::kArray) {
      size_t index = 0;
      if (!absl::SimpleAtoi(part, &index) || index >= at->items.size()) return nullptr;
      at = &at->items[index];
    } else {
      at = at->Find(part);
      if (at == nullptr) return nullptr;
    }
  }
  return at;
}

}  // namespace holdpoint
