#include "agent/parse/graphql_request.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/parse/http_internal.h"
#include "agent/parse/json_body.h"
#include "agent/parse/uri.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxDocuments = 64;

// Looks in every place where a server would; what it finds goes into one result.
class Finder {
 public:
  explicit Finder(const HttpRequest& request) : request_(request) {
    const std::string path = absl::AsciiStrToLower(request.path);
    expected_ = absl::StrContains(path, "graphql") || absl::StrContains(path, "/gql") ||
                absl::StrContains(request.content_type, "graphql");
  }

  GraphqlRequest Run() {
    LookInPairs(DecodeForm(request_.query));
    if (request_.multipart) {
      for (const HttpBodyPart& part : request_.parts) {
        if (absl::EqualsIgnoreCase(part.field, "operations")) LookInText(part.bytes);
      }
      std::vector<std::pair<std::string, std::string>> fields;
      for (const HttpBodyPart& part : request_.parts) fields.emplace_back(part.field, part.bytes);
      LookInPairs(fields);
    } else if (!request_.body.empty()) {
      LookInText(request_.body);
      if (!result_.found) LookInPairs(DecodeForm(request_.body));
    }
    if (!request_.body_seen && expected_) {
      result_.found = true;
      BlindSpot("GraphQL unseen: not all of the body is known");
    } else if (!problem_.empty() && expected_) {
      result_.found = true;
      BlindSpot(absl::StrCat("GraphQL unseen: ", problem_));
    }
    return std::move(result_);
  }

 private:
  void BlindSpot(std::string text) { http_internal::AddBlindSpot(std::move(text), &result_.blind_spots); }

  // A body that is JSON, or the document itself.
  void LookInText(absl::string_view text) {
    const absl::string_view trimmed = absl::StripLeadingAsciiWhitespace(text);
    const auto json = ParseJson(trimmed);
    if (json.ok()) {
      if (json->root.kind == JsonValue::Kind::kObject || json->root.kind == JsonValue::Kind::kArray) {
        const bool found_before = result_.found;
        LookInJson(json->root);
        if (result_.found && !found_before) {
          for (const std::string& key : json->duplicate_keys) {
            BlindSpot(absl::StrCat("the key \"", key, "\" is there twice: servers differ in which one they take"));
          }
        }
        return;
      }
      return;
    }
    // "{ a }" is a document and no JSON; a form starts with a name and "=".
    if (!LookInDocument(text, "", "")) {
      problem_ = absl::StartsWith(trimmed, "{\"") || absl::StartsWith(trimmed, "[") ||
                         absl::StrContains(request_.content_type, "json")
                     ? std::string(json.status().message())
                     : problem_;
    }
  }

  void LookInJson(const JsonValue& root) {
    std::vector<const JsonValue*> objects;
    if (root.kind == JsonValue::Kind::kObject) objects.push_back(&root);
    for (const JsonValue& item : root.items) {
      if (item.kind == JsonValue::Kind::kObject) objects.push_back(&item);
    }
    for (const JsonValue* object : objects) LookInObject(*object);
  }

  // {query, variables, operationName}; keys in any case and each of those that are there twice.
  void LookInObject(const JsonValue& object) {
    std::string variables, name;
    for (const JsonValue* value : object.FindAnyCase("variables")) {
      variables = value->kind == JsonValue::Kind::kString ? value->text : WriteJson(*value);
    }
    const std::vector<const JsonValue*> names = object.FindAnyCase("operationName");
    for (const JsonValue* value : names) {
      if (value->kind == JsonValue::Kind::kString) name = value->text;
    }
    if (names.size() > 1) name.clear();  // Which one a server takes is not known: all operations count.
    bool document = false;
    for (absl::string_view key : {"query", "mutation", "document"}) {
      for (const JsonValue* value : object.FindAnyCase(key)) {
        if (value->kind == JsonValue::Kind::kString) document |= LookInDocument(value->text, variables, name);
      }
    }
    if (document) return;
    for (absl::string_view key : {"extensions", "documentId", "doc_id", "queryId", "id"}) {
      for (const JsonValue* value : object.FindAnyCase(key)) {
        const bool persisted = key == "extensions" && !value->FindAnyCase("persistedQuery").empty();
        if (persisted || (key != "extensions" && expected_)) {
          result_.found = true;
          BlindSpot("GraphQL unseen: a persisted query, of which only the hash or number is sent");
          return;
        }
      }
    }
  }

  void LookInPairs(const std::vector<std::pair<std::string, std::string>>& pairs) {
    std::string variables, name, extensions;
    for (const auto& [key, value] : pairs) {
      if (absl::EqualsIgnoreCase(key, "variables")) variables = value;
      if (absl::EqualsIgnoreCase(key, "operationName")) name = value;
      if (absl::EqualsIgnoreCase(key, "extensions")) extensions = value;
    }
    bool document = false;
    for (const auto& [key, value] : pairs) {
      if (absl::EqualsIgnoreCase(key, "query") || absl::EqualsIgnoreCase(key, "mutation")) {
        document |= LookInDocument(value, variables, name);
      }
    }
    if (!document && absl::StrContains(extensions, "persistedQuery")) {
      result_.found = true;
      BlindSpot("GraphQL unseen: a persisted query, of which only the hash or number is sent");
    }
  }

  bool LookInDocument(absl::string_view text, absl::string_view variables, absl::string_view name) {
    // Without a brace there is no operation; this keeps ?query=shoes and long plain bodies cheap.
    if (!absl::StrContains(text, "{")) {
      problem_ = "the query is no GraphQL";
      return false;
    }
    if (++documents_ > kMaxDocuments) {
      result_.found = true;
      BlindSpot(absl::StrCat("GraphQL unseen: more than ", kMaxDocuments, " documents"));
      return true;
    }
    auto parsed = ParseGraphql(text, variables, name);
    if (!parsed.ok()) {
      problem_ = std::string(parsed.status().message());
      // It was GraphQL as far as the limits went.
      if (parsed.status().code() == absl::StatusCode::kResourceExhausted) {
        result_.found = true;
        BlindSpot(absl::StrCat("GraphQL unseen: ", problem_));
      }
      return false;
    }
    result_.found = true;
    for (std::string& blind_spot : parsed->blind_spots) BlindSpot(std::move(blind_spot));
    for (GraphqlOperation& operation : parsed->operations) {
      if (operation.chosen) result_.operations.push_back(std::move(operation));
    }
    return true;
  }

  const HttpRequest& request_;
  GraphqlRequest result_;
  std::string problem_;    // why a text that might have been GraphQL is none
  bool expected_ = false;  // the path or the content type says GraphQL
  size_t documents_ = 0;
};

}  // namespace

GraphqlRequest FindGraphql(const HttpRequest& request) { return Finder(request).Run(); }

}  // namespace holdpoint
