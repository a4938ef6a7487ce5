#include "agent/parse/graphql.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// One line: operations, root fields with alias and arguments.
std::string Describe(const absl::StatusOr<GraphqlDocument>& document) {
  if (!document.ok()) return std::string(document.status().message());
  std::string text;
  for (const GraphqlOperation& operation : document->operations) {
    if (!operation.chosen) continue;
    static constexpr const char* kTypes[] = {"query", "mutation", "subscription"};
    absl::StrAppend(&text, text.empty() ? "" : " ", kTypes[static_cast<int>(operation.type)],
                    operation.name.empty() ? "" : " ", operation.name, "{");
    const char* separator = "";
    for (const GraphqlField& field : operation.fields) {
      absl::StrAppend(&text, separator, field.response_name == field.name ? "" : field.response_name + ":", field.name,
                      field.arguments_json == "{}" ? "" : field.arguments_json, field.conditional ? "?" : "");
      separator = " ";
    }
    absl::StrAppend(&text, "}");
  }
  return text;
}

struct Case {
  const char* name;
  const char* document;
  const char* want;
  const char* variables = "";
  const char* operation = "";
};

class GraphqlTest : public ::testing::TestWithParam<Case> {};

TEST_P(GraphqlTest, MeansWhatAServerWouldDo) {
  EXPECT_EQ(Describe(ParseGraphql(GetParam().document, GetParam().variables, GetParam().operation)), GetParam().want);
}

// The reference incident, in the forms it could have been written in.
INSTANTIATE_TEST_SUITE_P(
    Incident, GraphqlTest,
    ::testing::Values(
        Case{"Published", R"(mutation { volumeDelete(volumeId: "3d2c42fb") })",
             R"(mutation{volumeDelete{"volumeId":"3d2c42fb"}})"},
        Case{"NoSpaces", R"(mutation{volumeDelete(volumeId:"3d2c42fb")})",
             R"(mutation{volumeDelete{"volumeId":"3d2c42fb"}})"},
        Case{"Named", R"(mutation Fix { volumeDelete(volumeId: "v") })",
             R"(mutation Fix{volumeDelete{"volumeId":"v"}})"},
        Case{"Alias", R"(mutation { ok: volumeDelete(volumeId: "v") })",
             R"(mutation{ok:volumeDelete{"volumeId":"v"}})"},
        Case{"Variables", "mutation ($id: String!) { volumeDelete(volumeId: $id) }",
             R"(mutation{volumeDelete{"volumeId":"v"}})", R"({"id":"v"})"},
        Case{"DefaultOfVariable", R"(mutation ($id: String! = "v") { volumeDelete(volumeId: $id) })",
             R"(mutation{volumeDelete{"volumeId":"v"}})"},
        Case{"VariableWinsOverDefault", R"(mutation ($id: [String!]! = ["a"]) { volumeDelete(volumeId: $id) })",
             R"(mutation{volumeDelete{"volumeId":["v"]}})", R"({"id":["v"]})"},
        Case{"VariableWithoutValue", "mutation ($id: String!) { volumeDelete(volumeId: $id) }",
             R"(mutation{volumeDelete{"volumeId":"$id"}})"},
        Case{"Fragment", "mutation { ...F } fragment F on Mutation { volumeDelete(volumeId: \"v\") }",
             R"(mutation{volumeDelete{"volumeId":"v"}})"},
        Case{"FragmentFirst", "fragment F on Mutation { volumeDelete(volumeId: \"v\") } mutation { ...F }",
             R"(mutation{volumeDelete{"volumeId":"v"}})"},
        Case{"FragmentInFragment", "mutation{...A} fragment A on M{...B} fragment B on M{volumeDelete}",
             "mutation{volumeDelete}"},
        Case{"InlineFragment", "mutation { ... on Mutation { ... { volumeDelete } } }", "mutation{volumeDelete}"},
        Case{"CommentsAndCommas", "#query\nmutation,#{\n,{volumeDelete#(\n(volumeId:,\"v\",),},",
             R"(mutation{volumeDelete{"volumeId":"v"}})"},
        Case{"CommentEndsAtCarriageReturn", "query{a}# \rmutation{volumeDelete}", "query{a} mutation{volumeDelete}"},
        Case{"ByteOrderMark", "\xef\xbb\xbfmutation\xef\xbb\xbf{volumeDelete}", "mutation{volumeDelete}"},
        Case{"BlockString", "mutation{volumeDelete(volumeId:\"\"\"\n   v\n     w\n  \"\"\")}",
             R"(mutation{volumeDelete{"volumeId":"v\u000a  w"}})"},
        Case{"EscapedId", R"(mutation{volumeDelete(volumeId:"\u0033d2c\u{34}2fb")})",
             R"(mutation{volumeDelete{"volumeId":"3d2c42fb"}})"},
        Case{"Skipped", "mutation($x:Boolean=true){volumeDelete @skip(if:$x) a}", "mutation{volumeDelete? a}"},
        Case{"IncludedFragment", "mutation{...F @include(if:false)} fragment F on M{volumeDelete}",
             "mutation{volumeDelete?}"},
        Case{"BehindAnotherField", "mutation { a b(x: 1) c { d } volumeDelete }",
             "mutation{a b{\"x\":1} c volumeDelete}"},
        Case{"ChosenByName", "query A { a } mutation B { volumeDelete }", "mutation B{volumeDelete}", "", "B"},
        Case{"NotChosenByName", "query A { a } mutation B { volumeDelete }", "query A{a}", "", "A"},
        Case{"NothingToChooseBy", "query A { a } mutation B { volumeDelete }", "query A{a} mutation B{volumeDelete}"},
        Case{"UnknownNameCountsAll", "query A { a } mutation B { volumeDelete }", "query A{a} mutation B{volumeDelete}",
             "", "C"},
        Case{"InputObject", "mutation{f(input:{ids:[\"a\",B,$c],n:-1.5e3,t:true,z:null})}",
             R"(mutation{f{"input":{"ids":["a","B",{"x":[1]}],"n":-1.5e3,"t":true,"z":null}}})", R"({"c":{"x":[1]}})"}),
    [](const auto& test) { return test.param.name; });

// Their neighbours: the word is there, the act is not.
INSTANTIATE_TEST_SUITE_P(
    NotTheIncident, GraphqlTest,
    ::testing::Values(Case{"InString", R"({ search(text: "mutation { volumeDelete }") })",
                           R"(query{search{"text":"mutation { volumeDelete }"}})"},
                      Case{"InBlockString", "{a(t:\"\"\"}mutation{volumeDelete}\\\"\"\"\"\"\")}",
                           R"(query{a{"t":"}mutation{volumeDelete}\"\"\""}})"},
                      Case{"InComment", "{ a # } mutation { volumeDelete }\n }", "query{a}"},
                      Case{"Nested", "query { docs { volumeDelete } }", "query{docs}"},
                      Case{"OnlyAnAlias", "{ volumeDelete: volume(id: 1) }", R"(query{volumeDelete:volume{"id":1}})"},
                      Case{"QueryNamedMutation", "query mutation { volumes }", "query mutation{volumes}"},
                      Case{"FieldNamedMutation", "{ mutation { volumeDelete } }", "query{mutation}"},
                      Case{"UnusedFragment", "{ a } fragment F on Mutation { volumeDelete }", "query{a}"},
                      Case{"Subscription", "subscription { volumeDeleted }", "subscription{volumeDeleted}"},
                      Case{"LongerName", "mutation { volumeDeleteNot }", "mutation{volumeDeleteNot}"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Errors, GraphqlTest,
    ::testing::Values(
        Case{"Empty", " ", "GraphQL 1:2: expected an operation, found the end"},
        Case{"OpenBrace", "{ a\n", "GraphQL 2:1: expected a name, found the end"},
        Case{"NoName", "mutation {\n  }}",
             "GraphQL 2:4: expected 'query', 'mutation', 'subscription', 'fragment' or '{', found '}'"},
        Case{"OpenString", "{ a(b: \"x\n\") }", "GraphQL 1:10: the string does not end on its line"},
        Case{"Stray", "{ a ; }", "GraphQL 1:5: ';' is no part of the language"},
        Case{"Words", "red shoes",
             "GraphQL 1:1: expected 'query', 'mutation', 'subscription', 'fragment' or '{', found 'red'"},
        Case{"Schema", "type A { a: Int }",
             "GraphQL 1:1: expected 'query', 'mutation', 'subscription', 'fragment' or '{', found 'type'"}),
    [](const auto& test) { return test.param.name; });

TEST(GraphqlDocumentTest, ArgumentsAreListedByPath) {
  const auto document =
      ParseGraphql("mutation($i:I){f(input:{ids:[\"a\",\"b\"],deep:$i},n:3){id vol{id ...V}} } fragment V on V{name}",
                   R"({"i":{"volumeId":"v","x":[{"y":null}]}})");
  ASSERT_TRUE(document.ok()) << document.status();
  const GraphqlField& field = document->operations.at(0).fields.at(0);
  std::vector<std::string> arguments;
  for (const GraphqlArgument& argument : field.arguments) arguments.push_back(argument.path + "=" + argument.value);
  EXPECT_THAT(arguments,
              ElementsAre("input.ids=a", "input.ids=b", "input.deep.volumeId=v", "input.deep.x.y=null", "n=3"));
  EXPECT_THAT(field.selections, ::testing::UnorderedElementsAre("id", "vol", "vol.id", "vol.name"));
  EXPECT_THAT(document->blind_spots, IsEmpty());
}

TEST(GraphqlDocumentTest, WhatIsNotThereIsABlindSpot) {
  const auto document = ParseGraphql("mutation A($id:ID!){...Gone volumeDelete(volumeId:$id)} query B{b}", "{oops");
  ASSERT_TRUE(document.ok());
  EXPECT_TRUE(document->operations[0].fields[0].arguments.at(0).unknown);
  EXPECT_THAT(document->blind_spots,
              ElementsAre("several operations and no name to choose by: all count", "fragment Gone is not defined",
                          "variable $id has no value", HasSubstr("variables unseen: JSON 1:2")));
}

TEST(GraphqlDocumentTest, FragmentsThatContainThemselvesEnd) {
  EXPECT_EQ(
      Describe(ParseGraphql("mutation{...A} fragment A on M{...B volumeDelete{...A}} fragment B on M{...A ...B}")),
      "mutation{volumeDelete}");
}

TEST(GraphqlDocumentTest, DefaultThatNamesItselfEnds) {
  EXPECT_EQ(Describe(ParseGraphql("mutation($a:X=$a){f(x:$a)}")), R"(mutation{f{"x":"$a"}})");
}

TEST(GraphqlDocumentTest, LongChainOfFragmentsHidesNothing) {
  std::string text = "mutation{...F0}";
  for (int i = 0; i < 2000; ++i) absl::StrAppend(&text, "fragment F", i, " on M{...F", i + 1, "}");
  absl::StrAppend(&text, "fragment F2000 on M{volumeDelete}");
  EXPECT_EQ(Describe(ParseGraphql(text)), "mutation{volumeDelete}");
}

std::string Repeat(absl::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) absl::StrAppend(&out, text);
  return out;
}

TEST(GraphqlDocumentTest, LimitsHold) {
  EXPECT_TRUE(ParseGraphql(Repeat("{a", 60) + Repeat("}", 60)).ok());
  for (const std::string& text :
       {Repeat("{a", 70) + Repeat("}", 70), "{a(b:" + Repeat("[", 100'000) + ")}", Repeat("{a", 100'000),
        "{" + Repeat("a ", 30'000) + "}", Repeat(" ", 300'000), "{" + Repeat("a ", 5'000) + "}"}) {
    EXPECT_EQ(ParseGraphql(text).status().code(), absl::StatusCode::kResourceExhausted) << text.substr(0, 20);
  }
}

TEST(GraphqlDocumentTest, AVariableUsedAThousandTimesStaysSmall) {
  const std::string document = "mutation{volumeDelete " + Repeat("f(a:$v b:$v) ", 1000) + "}";
  const auto parsed = ParseGraphql(document, "{\"v\":\"" + std::string(500'000, 'x') + "\"}");
  ASSERT_TRUE(parsed.ok());
  size_t bytes = 0;
  for (const GraphqlField& field : parsed->operations[0].fields) bytes += field.arguments_json.size();
  EXPECT_LT(bytes, 2u << 20);
  EXPECT_EQ(parsed->operations[0].fields.size(), 1001u);
  EXPECT_THAT(parsed->blind_spots, ElementsAre("arguments too large: some are missing"));
}

}  // namespace
}  // namespace holdpoint
