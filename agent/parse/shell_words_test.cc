#include "agent/parse/shell_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace holdpoint {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// One command per "; ": words in brackets, assignments before, redirections and standard input behind.
std::string Describe(const absl::StatusOr<ShellScript>& script) {
  if (!script.ok()) return std::string(script.status().message());
  std::vector<std::string> lines;
  for (const ShellCommand& command : script->commands) {
    std::string line = std::string(command.depth, '+');
    if (command.piped_input) line += "|";
    for (const std::string& assignment : command.assignments) absl::StrAppend(&line, assignment, " ");
    absl::StrAppend(&line, "[", absl::StrJoin(command.argv, "]["), "]");
    for (const ShellRedirection& r : command.redirections) {
      absl::StrAppend(&line, " ", r.fd < 0 ? "" : absl::StrCat(r.fd), r.op, r.target);
    }
    for (const std::string& text : command.standard_input) absl::StrAppend(&line, " <<{", text, "}");
    lines.push_back(std::move(line));
  }
  return absl::StrJoin(lines, "; ");
}

struct Case {
  const char* name;
  const char* text;
  const char* want;
};

class ShellTest : public ::testing::TestWithParam<Case> {};

TEST_P(ShellTest, GivesTheCommandsThatWouldRun) { EXPECT_EQ(Describe(SplitShell(GetParam().text)), GetParam().want); }

INSTANTIATE_TEST_SUITE_P(
    Words, ShellTest,
    ::testing::Values(Case{"Plain", "rm -rf build/", "[rm][-rf][build/]"}, Case{"Empty", "  \n # nothing\n", ""},
                      Case{"SingleQuotes", "echo 'a  b;c' d", "[echo][a  b;c][d]"},
                      Case{"DoubleQuotes", R"(echo "a \"b\" \c \\ 'd'")", R"([echo][a "b" \c \ 'd'])"},
                      Case{"QuotesInsideAWord", R"(r'm' -"r"f '' "")", "[rm][-rf][][]"},
                      Case{"Escapes", R"(rm a\ b \; \$X)", "[rm][a b][;][$X]"},
                      Case{"LineContinuation", "rm \\\n -rf a\\\nb", "[rm][-rf][ab]"},
                      Case{"AnsiC", R"($'\x72\155' $'a\tb\'' $'\u00e9')", "[rm][a\tb'][\xc3\xa9]"},
                      Case{"Braces", "rm -rf {build,dist/{a,b}} x{1,2}y", "[rm][-rf][build][dist/a][dist/b][x1y][x2y]"},
                      Case{"QuotedBracesStay", "echo '{a,b}' {a\\,b} {} {a}", "[echo][{a,b}][{a,b}][{}][{a}]"},
                      Case{"HashInsideAWord", "echo a#b # comment ; rm x", "[echo][a#b]"},
                      Case{"VariablesStay", "rm -rf \"$HOME/x\" ${A:-b} $1", "[rm][-rf][$HOME/x][${A:-b}][$1]"},
                      Case{"DollarAlone", "echo $ \"$\" 5$", "[echo][$][$][5$]"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Lists, ShellTest,
    ::testing::Values(
        Case{"Separators", "a; b && c || d & e\nf", "[a]; [b]; [c]; [d]; [e]; [f]"},
        Case{"Pipes", "a | b |& c", "[a]; |[b]; |[c]"}, Case{"PipeOverALine", "a |\n b", "[a]; |[b]"},
        Case{"Assignments", "A=1 B='x y' rm C=2", "A=1 B=x y [rm][C=2]"},
        Case{"AssignmentAlone", "PATH=/tmp; ls", "PATH=/tmp []; [ls]"},
        Case{"QuotedNameIsACommand", "'A'=1 x", "[A=1][x]"}, Case{"Array", "a=(b 'c d' $(rm x)) e", "+[rm][x]; [e]"},
        Case{"Subshell", "(cd a && rm b); (c)", "[cd][a]; [rm][b]; [c]"},
        Case{"Group", "{ a; b; } > c", "[a]; [b]; [] >c"},
        Case{"If", "if test -f a; then rm a; elif b; then c; else d; fi", "[test][-f][a]; [rm][a]; [b]; [c]; [d]"},
        Case{"Loops", "for f in a {b,c} $(ls); do rm $f; done; while ! x; do y; done", "+[ls]; [rm][$f]; [x]; [y]"},
        Case{"ArithmeticFor", "for ((i=0;i<3;i++)); do a; done", "[a]"},
        Case{"PipedLoop", "ls | while read f; do rm $f; done", "[ls]; |[read][f]; [rm][$f]"},
        Case{"CaseWords", "case $x in a|b) rm a;; (c) d ;& *) e; esac; f", "[rm][a]; [d]; [e]; [f]"},
        Case{"CaseInSubstitution", "echo $(case x in a) rm b;; esac)", "+[rm][b]; [echo][$(case x in a) rm b;; esac)]"},
        Case{"Functions", "f() { rm a; }; function g { b; }; f", "[rm][a]; [b]; [f]"},
        Case{"Test", "[[ -f a && b < c || (d > e) ]] && rm f",
             "[[[][-f][a][&][&][b][<][c][|][|][(][d][>][e][)][]]]; [rm][f]"},
        Case{"ArithmeticCommand", "((a = b > 2 ? $(rm x) : 1)) && c", "+[rm][x]; [c]"},
        Case{"ReservedWordsAsArguments", "echo if then { }", "[echo][if][then][{][}]"},
        Case{"QuotedReservedWord", "'if' x", "[if][x]"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Inner, ShellTest,
    ::testing::Values(
        Case{"Substitution", "echo $(rm -rf a) b", "+[rm][-rf][a]; [echo][$(rm -rf a)][b]"},
        Case{"Backticks", "echo `rm a; b`", "+[rm][a]; +[b]; [echo][`rm a; b`]"},
        Case{"NestedBackticks", "echo `a \\`rm b\\``", "++[rm][b]; +[a][`rm b`]; [echo][`a \\`rm b\\``]"},
        Case{"InsideDoubleQuotes", "echo \"x $(rm \"a b\") y\"", "+[rm][a b]; [echo][x $(rm \"a b\") y]"},
        Case{"NotInsideSingleQuotes", "echo '$(rm a)'", "[echo][$(rm a)]"},
        Case{"Nested", "a $(b $(c))", "++[c]; +[b][$(c)]; [a][$(b $(c))]"},
        Case{"ProcessSubstitution", "diff <(rm a) >(b)", "+[rm][a]; +[b]; [diff][<(rm a)][>(b)]"},
        Case{"Arithmetic", "echo $((1 + (2) + $(rm a)))", "+[rm][a]; [echo][$((1 + (2) + $(rm a)))]"},
        Case{"SubshellThatLooksLikeArithmetic", "echo $((rm a); (b))", "+[rm][a]; +[b]; [echo][$((rm a); (b))]"},
        Case{"InsideParameter", "echo ${a:-$(rm b)}", "+[rm][b]; [echo][${a:-$(rm b)}]"},
        Case{"QuoteInsideQuotedParameter", "echo \"${a:-it's} $(rm b) '\"", "+[rm][b]; [echo][${a:-it's} $(rm b) ']"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Redirections, ShellTest,
    ::testing::Values(
        Case{"Several", "a <in >out 2>>err >|x 3<>y &>z", "[a] <in >out 2>>err >|x 3<>y &>z"},
        Case{"Descriptors", "a 2>&1 >&- b", "[a][b] 2>&1 >&-"}, Case{"DigitsOfAWord", "echo a2>b", "[echo][a2] >b"},
        Case{"Alone", "> precious", "[] >precious"},
        Case{"InsideSubstitution", "x=$(<file)", "+[] <file; x=$(<file) []"},
        Case{"QuotedIsNoRedirection", "echo '>' \\> \">x\"", "[echo][>][>][>x]"},
        Case{"HereString", "psql <<< 'DROP TABLE a'", "[psql] <<{DROP TABLE a}"},
        Case{"HereDocument", "psql -q <<EOF | cat\nDROP TABLE a;\nEOF\nls",
             "[psql][-q] <<{DROP TABLE a;\n}; |[cat]; [ls]"},
        Case{"TwoHereDocuments", "a <<A; b <<-'B'\n1\nA\n\t2 $(rm x)\n\tB\nc", "[a] <<{1\n}; [b] <<{2 $(rm x)\n}; [c]"},
        Case{"SubstitutionInHereDocument", "cat <<A\n$(rm x) \\$(y)\nA", "[cat] <<{$(rm x) \\$(y)\n}; +[rm][x]"},
        Case{"HereDocumentWithoutEnd", "sh <<A\nrm x", "[sh] <<{rm x\n}"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(Errors, ShellTest,
                         ::testing::Values(Case{"OpenSingle", "rm 'a", "shell: a single quote is not closed"},
                                           Case{"OpenDouble", "rm \"a", "shell: a double quote is not closed"},
                                           Case{"OpenSubstitution", "rm $(a", "shell: a '(' is not closed"},
                                           Case{"OpenBacktick", "rm `a", "shell: a backtick is not closed"},
                                           Case{"OpenParameter", "rm ${a", "shell: a '${' is not closed"},
                                           Case{"StrayParenthesis", "rm a)", "shell: a ')' closes nothing"},
                                           Case{"ParenthesisBehindWords", "mongosh --eval db.a.drop()", "shell: a '(' behind the words of a command"}),
                         [](const auto& test) { return test.param.name; });

TEST(ShellTest, WhatNoShellTakesIsReadRoughly) {
  using Commands = std::vector<std::vector<std::string>>;
  EXPECT_EQ(SplitShellRoughly("rm -rf '/a b' 'open"), (Commands{{"rm", "-rf", "/a b", "open"}}));
  EXPECT_EQ(SplitShellRoughly("cd a && drop(x) | (b \\\"c; d $(e f)) \n"),
            (Commands{{"cd", "a"}, {"drop(x)"}, {"b", "\"c"}, {"d"}, {"e", "f"}}));
  EXPECT_EQ(SplitShellRoughly("a '' \\\n b\\"), (Commands{{"a", "", "b\\"}}));
  EXPECT_THAT(SplitShellRoughly(" ;; )) ' "), IsEmpty());
  EXPECT_EQ(SplitShellRoughly(std::string(100'000, ';') + "a").size(), 1u);
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "a;";
  EXPECT_EQ(SplitShellRoughly(many).size(), 256u);
}

TEST(ShellTest, ExpansionsAreBlindSpotsOfTheirCommand) {
  const auto script = SplitShell("rm -rf $A/* `b` {1..9}; echo '$C'");
  ASSERT_TRUE(script.ok());
  ASSERT_EQ(script->commands.size(), 3u);
  EXPECT_THAT(script->commands[1].blind_spots,
              ElementsAre("expansion unseen: $A", "expansion unseen: `b`", "expansion unseen: braces"));
  EXPECT_THAT(script->commands[2].blind_spots, IsEmpty());
}

std::string Repeat(absl::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) absl::StrAppend(&out, text);
  return out;
}

TEST(ShellTest, LimitsHold) {
  for (const std::string& text :
       {Repeat("$(", 100'000), Repeat("(", 200'000), Repeat("$((", 60'000),
        "echo " + Repeat("$((1+", 40'000) + Repeat("))", 40'000), Repeat("${", 100'000), Repeat("a;", 100'000),
        Repeat(" ", 300'000), Repeat("a ", 120'000), Repeat("\"$(", 60'000), Repeat("a<<b ", 40'000)}) {
    const auto script = SplitShell(text);
    EXPECT_EQ(script.status().code(), absl::StatusCode::kResourceExhausted) << text.substr(0, 8) << script.status();
  }
  const auto braces = SplitShell("rm " + Repeat("{a,b}", 20));
  ASSERT_TRUE(braces.ok());
  EXPECT_LE(braces->commands[0].argv.size(), 66u);
  EXPECT_THAT(braces->commands[0].blind_spots, ElementsAre("expansion unseen: braces"));
}

}  // namespace
}  // namespace holdpoint
