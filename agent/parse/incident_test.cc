// The reference incident: one curl POST with a GraphQL mutation deleted a volume and its backups. Every way to write
// it must come out as the same act, and what only mentions it must not.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "agent/parse/graphql_request.h"
#include "agent/parse/http_request.h"

namespace holdpoint {
namespace {

using Words = std::vector<std::string>;

constexpr char kUrl[] = "https://backboard.railway.app/graphql/v2";
constexpr char kToken[] = "Authorization: Bearer 11111111-2222-3333-4444-555555555555";
constexpr char kBody[] = R"({"query":"mutation { volumeDelete(volumeId: \"3d2c42fb-0000\") }"})";

// "METHOD host path: mutation volumeDelete(volumeId=...)" for each request that deletes; "" for the others.
std::string Act(const HttpCommand& command) {
  std::string text;
  for (const HttpRequest& request : command.requests) {
    for (const GraphqlOperation& operation : FindGraphql(request).operations) {
      for (const GraphqlField& field : operation.fields) {
        if (operation.type != GraphqlOperation::Type::kMutation || field.name != "volumeDelete") continue;
        absl::StrAppend(&text, text.empty() ? "" : "; ", request.EffectiveMethod(), " ", request.host, request.path);
        for (const GraphqlArgument& argument : field.arguments) {
          absl::StrAppend(&text, " ", argument.path, "=", argument.value);
        }
      }
    }
  }
  return text;
}

HttpCommand Parse(const Words& words, const AttachedFiles& files = {}) {
  return words.at(0) == "wget" ? ParseWget(words, files) : ParseCurl(words, files);
}

const AttachedFiles& Files() {
  static const AttachedFiles files = {
      {"body.json", {kBody, false, ""}},
      {"-", {kBody, false, ""}},
      {"body.graphql", {"mutation\n{\n  volumeDelete(volumeId: \"3d2c42fb-0000\")\n}\n", false, ""}},
      {"curl.conf", {absl::StrCat("url = ", kUrl, "\ndata-binary = @body.json\n"), false, ""}},
      {"volumeDelete.txt", {"hello", false, ""}}};
  return files;
}

struct Case {
  const char* name;
  Words words;
  const char* want = "POST backboard.railway.app/graphql/v2 volumeId=3d2c42fb-0000";
};

class IncidentTest : public ::testing::TestWithParam<Case> {};

TEST_P(IncidentTest, IsSeenAsWhatItIs) { EXPECT_EQ(Act(Parse(GetParam().words, Files())), GetParam().want); }

INSTANTIATE_TEST_SUITE_P(
    Forms, IncidentTest,
    ::testing::Values(
        Case{"Published", {"curl", "-X", "POST", kUrl, "-H", kToken, "-d", kBody}},
        Case{"ImpliedPost", {"curl", kUrl, "-H", kToken, "-d", kBody}},
        Case{"LongOptions", {"curl", "--request", "POST", "--url", kUrl, "--header", kToken, "--data", kBody}},
        Case{"Bundled", {"curl", "-sSLXPOST", kUrl, absl::StrCat("-H", kToken), absl::StrCat("-d", kBody)}},
        Case{"JsonType", {"curl", kUrl, "-H", "Content-Type: application/json", "-d", kBody}},
        Case{"JsonOption", {"curl", "--json", kBody, kUrl}}, Case{"DataRaw", {"curl", "--data-raw", kBody, kUrl}},
        Case{"DataBinary", {"curl", "--data-binary", kBody, kUrl}},
        Case{"DataAscii", {"curl", "--data-ascii", kBody, kUrl}},
        Case{"DataInTwoParts",
             {"curl", "--json", R"({"query":"mutation { volumeDelete(volumeId: \"3d2c)", "--json",
              R"(42fb-0000\") }"})", kUrl}},
        Case{"DataFile", {"curl", "--data", "@body.json", kUrl}},
        Case{"DataBinaryFile", {"curl", "--data-binary", "@body.json", kUrl}},
        Case{"JsonFile", {"curl", "--json", "@body.json", kUrl}}, Case{"StandardInput", {"curl", "-d", "@-", kUrl}},
        Case{"Upload", {"curl", "-X", "POST", "-T", "body.json", kUrl}},
        Case{"ConfigFile", {"curl", "-K", "curl.conf"}},
        Case{"RawDocument",
             {"curl", kUrl, "-H", "Content-Type: application/graphql", "--data-binary", "@body.graphql"}},
        Case{"RawDocumentWithoutItsLineEnds", {"curl", kUrl, "-d", "@body.graphql"}},
        Case{"FormField", {"curl", kUrl, "--data-urlencode", "query@body.graphql"}},
        Case{"MultipartField", {"curl", kUrl, "-F", "query=<body.graphql"}},
        Case{"MultipartOperations", {"curl", kUrl, "-F", "operations=<body.json", "-F", "map={}"}},
        Case{"UrlQuery",
             {"curl", "-G", kUrl, "--data-urlencode", "query@body.graphql"},
             "GET backboard.railway.app/graphql/v2 volumeId=3d2c42fb-0000"},
        Case{"Batch", {"curl", kUrl, "-d", absl::StrCat("[{\"query\":\"{a}\"},", kBody, "]")}},
        Case{
            "Variables",
            {"curl", kUrl, "-d",
             R"({"query":"mutation D($id: String!) { volumeDelete(volumeId: $id) }","variables":{"id":"3d2c42fb-0000"}})"}},
        Case{"VariablesAsText",
             {"curl", kUrl, "-d",
              R"({"query":"mutation($id:ID!){volumeDelete(volumeId:$id)}","variables":"{\"id\":\"3d2c42fb-0000\"}"})"}},
        Case{"OperationName",
             {"curl", kUrl, "-d",
              R"({"query":"query A{a} mutation B{volumeDelete(volumeId:\"3d2c42fb-0000\")}","operationName":"B"})"}},
        Case{
            "AliasAndFragment",
            {"curl", kUrl, "-d",
             R"({"query":"mutation{...F} fragment F on Mutation{volumes:volumeDelete(volumeId:\"3d2c42fb-0000\")}"})"}},
        Case{"Comments",
             {"curl", kUrl, "-d", R"({"query":"#{\nmutation#}\n{volumeDelete#(\n(volumeId:\"3d2c42fb-0000\")}"})"}},
        Case{"EscapedJson",
             {"curl", kUrl, "-d", R"({"\u0071uery":"mut\u0061tion{volume\u0044elete(volumeId:\"3d2c42fb-0000\")}"})"}},
        Case{"KeyInAnotherCase",
             {"curl", kUrl, "-d", R"({"Query":"mutation{volumeDelete(volumeId:\"3d2c42fb-0000\")}"})"}},
        Case{"SecondOfTwoKeys",
             {"curl", kUrl, "-d", R"({"query":"{a}","query":"mutation{volumeDelete(volumeId:\"3d2c42fb-0000\")}"})"}},
        Case{"BytesThatAreNoUtf8",
             {"curl", kUrl, "-d",
              "{\"x\":\"\xff\",\"query\":\"mutation{volumeDelete(volumeId:\\\"3d2c42fb-0000\\\")}\"}"}},
        Case{"NewHost",
             {"curl", "-H", "Project-Access-Token: 1111", "https://backboard.railway.com/graphql/v2", "-d", kBody},
             "POST backboard.railway.com/graphql/v2 volumeId=3d2c42fb-0000"},
        Case{"HostSpelledOddly", {"curl", "HTTPS://x@BackBoard.Railway.App.:443/a/../%67raphql//v2?z#f", "-d", kBody}},
        Case{"Wget", {"wget", "-qO-", "--header", kToken, absl::StrCat("--post-data=", kBody), kUrl}},
        Case{"WgetFile", {"wget", "--post-file=body.json", kUrl}},
        Case{"WgetMethod", {"wget", "--method=POST", "--body-data", kBody, kUrl}},
        Case{"WgetBodyFile", {"wget", "--method", "post", "--body-file", "body.json", kUrl}},
        Case{"WgetAbbreviated", {"wget", "--post-d", kBody, kUrl}},
        Case{"WgetCommand", {"wget", "-e", absl::StrCat("post_data=", kBody), kUrl}}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Neighbours, IncidentTest,
    ::testing::Values(
        Case{"ListsVolumes", {"curl", kUrl, "-H", kToken, "-d", R"({"query":"query { volumes { id } }"})"}, ""},
        Case{"NameInAString",
             {"curl", kUrl, "-d", R"({"query":"{ docs(search: \"mutation { volumeDelete }\") { id } }"})"},
             ""},
        Case{"NameInAComment", {"curl", kUrl, "-d", R"({"query":"{ a } # mutation { volumeDelete }"})"}, ""},
        Case{"NameInAVariable",
             {"curl", kUrl, "-d",
              R"({"query":"query($q:String){docs(q:$q)}","variables":{"q":"mutation{volumeDelete}"}})"},
             ""},
        Case{"NameInTheUrl", {"curl", "https://docs.example/graphql/volumeDelete?x=mutation"}, ""},
        Case{"NameInAHeader", {"curl", "-H", absl::StrCat("X-Note: ", kBody), kUrl}, ""},
        Case{"NameOfAFile", {"curl", kUrl, "-d", "@volumeDelete.txt"}, ""},
        Case{"OutputFile", {"curl", "-o", kBody, kUrl}, ""},
        Case{"SentAsText", {"curl", kUrl, "-d", R"({"text":"mutation { volumeDelete(volumeId: 1) }"})"}, ""},
        Case{"OtherOperationChosen",
             {"curl", kUrl, "-d", R"({"query":"query A{a} mutation B{volumeDelete}","operationName":"A"})"},
             ""},
        Case{"VolumeCreate",
             {"curl", kUrl, "-d", R"({"query":"mutation{volumeCreate(input:{projectId:\"p\"}){id}}"})"},
             ""},
        Case{"WgetOutput", {"wget", "-O", kBody, kUrl}, ""}),
    [](const auto& test) { return test.param.name; });

TEST(IncidentTest, TheTokenIsFoundInEitherHeader) {
  EXPECT_EQ(Parse({"curl", kUrl, "-H", kToken}).requests.at(0).credentials.at(0).value,
            "11111111-2222-3333-4444-555555555555");
  EXPECT_EQ(Parse({"curl", kUrl, "-H", "Project-Access-Token: 1111"}).requests.at(0).credentials.at(0).value, "1111");
  EXPECT_EQ(Parse({"wget", kUrl, "--header", kToken}).requests.at(0).credentials.at(0).value,
            "11111111-2222-3333-4444-555555555555");
}

struct UnseenCase {
  const char* name;
  Words words;
  bool found;
  const char* blind_spot;  // of FindGraphql; "" for none
};

class UnseenTest : public ::testing::TestWithParam<UnseenCase> {};

TEST_P(UnseenTest, IsSaid) {
  const GraphqlRequest graphql = FindGraphql(Parse(GetParam().words).requests.at(0));
  EXPECT_EQ(graphql.found, GetParam().found);
  const std::string all = ::testing::PrintToString(graphql.blind_spots);
  EXPECT_THAT(all, ::testing::HasSubstr(GetParam().blind_spot));
  if (*GetParam().blind_spot == '\0') {
    EXPECT_EQ(all, "{}");
  }
}

INSTANTIATE_TEST_SUITE_P(
    BlindSpots, UnseenTest,
    ::testing::Values(
        UnseenCase{"BodyFile", {"curl", kUrl, "-d", "@body.json"}, true, "not all of the body is known"},
        UnseenCase{"BodyFileElsewhere", {"curl", "https://h/upload", "-d", "@body.json"}, false, ""},
        UnseenCase{"Persisted",
                   {"curl", kUrl, "-d", R"({"extensions":{"persistedQuery":{"version":1,"sha256Hash":"ab"}}})"},
                   true,
                   "persisted query"},
        UnseenCase{"PersistedInUrl",
                   {"curl", "https://h/graphql?extensions={%22persistedQuery%22:{}}", "-g"},
                   true,
                   "persisted query"},
        UnseenCase{"PersistedById", {"curl", kUrl, "-d", R"({"documentId":"ab"})"}, true, "persisted query"},
        UnseenCase{"AnotherApisId", {"curl", "https://h/users", "-d", R"({"id":"ab"})"}, false, ""},
        UnseenCase{"Broken", {"curl", kUrl, "-d", R"({"query":"mutation { volumeDelete( "})"}, true, "GraphQL 1:"},
        UnseenCase{"BrokenJson", {"curl", kUrl, "-d", R"({"query":"mutation { volumeDelete }")"}, true, "JSON 1:"},
        UnseenCase{"DuplicateKey", {"curl", kUrl, "-d", R"({"query":"{a}","query":"{b}"})"}, true, "is there twice"},
        UnseenCase{
            "Compressed", {"curl", kUrl, "-H", "Content-Encoding: gzip", "-d", "x"}, true, "not all of the body"},
        UnseenCase{"SearchForShoes", {"curl", "https://shop.example/search?query=shoes"}, false, ""},
        UnseenCase{"SearchWithBraces", {"curl", "-g", "https://shop.example/search?query={shoes;}"}, false, ""},
        UnseenCase{"PlainJson", {"curl", "https://h/api", "--json", R"({"name":"x"})"}, false, ""},
        UnseenCase{"Get", {"curl", kUrl}, false, ""}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace holdpoint
