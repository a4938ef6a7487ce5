#include "agent/parse/argv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdpoint {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Operands and options as one line, so that a case reads as what getopt_long would say.
std::string Describe(const ParsedArgv& parsed) {
  std::string text;
  for (const ParsedOption& option : parsed.options) {
    text += option.name;
    if (option.value) text += "=" + *option.value;
    text += " ";
  }
  text += "|";
  for (const ParsedOperand& operand : parsed.operands) text += " " + operand.value;
  return text;
}

const OptionTable& Rm() {
  static const OptionTable table = OptionTable::FromText(
      "recursive,r,R force,f interactive=? i I verbose,v preserve-root=? no-preserve-root one-file-system dir,d "
      "output,o=");
  return table;
}

struct Case {
  const char* name;
  std::vector<std::string> argv;
  const char* want;
};

class GnuArgvTest : public ::testing::TestWithParam<Case> {};

TEST_P(GnuArgvTest, DividesAsGetoptLong) { EXPECT_EQ(Describe(ParseArgv(Rm(), GetParam().argv)), GetParam().want); }

INSTANTIATE_TEST_SUITE_P(
    Argv, GnuArgvTest,
    ::testing::Values(Case{"Bundle", {"rm", "-rf", "x"}, "recursive force | x"},
                      Case{"BundleOtherOrder", {"rm", "-fR", "x"}, "force recursive | x"},
                      Case{"Apart", {"rm", "-r", "-f", "x"}, "recursive force | x"},
                      Case{"Permuted", {"rm", "x", "-r", "y", "--force"}, "recursive force | x y"},
                      Case{"Abbreviated", {"rm", "--recu", "--fo", "x"}, "recursive force | x"},
                      Case{"AmbiguousIsUnknown", {"rm", "--o", "x"}, "| x"},
                      Case{"DashdashEndsOptions", {"rm", "-f", "--", "-r"}, "force | -r"},
                      Case{"DashAloneIsOperand", {"rm", "-", "-r"}, "recursive | -"},
                      Case{"EmptyWordIsOperand", {"rm", "", "-r"}, "recursive | "},
                      Case{"OptionalOnlyAttached",
                           {"rm", "--interactive", "never", "--interactive=never"},
                           "interactive interactive=never | never"},
                      Case{"ShortValueAttached", {"rm", "-vofile", "x"}, "verbose output=file | x"},
                      Case{"ShortValueApart", {"rm", "-vo", "file", "x"}, "verbose output=file | x"},
                      Case{"ValueMayLookLikeAnOption", {"rm", "-o", "-r", "x"}, "output=-r | x"},
                      Case{"ValueMayBeDashdash", {"rm", "--output", "--", "-r"}, "output=-- recursive |"},
                      Case{"LongValueAttached", {"rm", "--output=a=b"}, "output=a=b |"},
                      Case{"LongValueEmpty", {"rm", "--output=", "x"}, "output= | x"}, Case{"NoArguments", {"rm"}, "|"},
                      Case{"NoArgvAtAll", {}, "|"}),
    [](const auto& test) { return test.param.name; });

TEST(ArgvTest, UnknownOptionsAreNamedAndTheBundleGoesOn) {
  const ParsedArgv parsed = ParseArgv(Rm(), std::vector<std::string>{"rm", "-zr", "--frobnicate=1", "x"});
  EXPECT_TRUE(parsed.Has("recursive"));
  EXPECT_THAT(parsed.unknown, ElementsAre("-z", "--frobnicate=1"));
  EXPECT_THAT(parsed.OperandWords(), ElementsAre("x"));
}

TEST(ArgvTest, MissingValueIsSaidAndNothingIsReadBehindArgv) {
  const ParsedArgv parsed = ParseArgv(Rm(), std::vector<std::string>{"rm", "-o"});
  EXPECT_TRUE(parsed.missing_value);
  EXPECT_EQ(parsed.Value("output"), nullptr);
}

TEST(ArgvTest, LastValueCountsAndAllAreKept) {
  const ParsedArgv parsed = ParseArgv(Rm(), std::vector<std::string>{"rm", "-oa", "x", "--output=b"});
  EXPECT_EQ(*parsed.Value("output"), "b");
  EXPECT_THAT(parsed.Values("output"), ElementsAre("a", "b"));
  EXPECT_EQ(parsed.options[1].index, 3u);
  EXPECT_EQ(parsed.operands[0].index, 2u);
}

TEST(ArgvTest, WrapperStopsAtTheCommandItStarts) {
  const OptionTable env =
      OptionTable::FromText("ignore-environment,i unset,u= chdir,C= split-string,S=", {.stop_at_first_operand = true});
  const ParsedArgv parsed = ParseArgv(env, std::vector<std::string>{"env", "-iu", "HOME", "A=1", "rm", "-u", "x"});
  EXPECT_EQ(Describe(parsed), "ignore-environment unset=HOME | A=1 rm -u x");
  const ParsedArgv dashed = ParseArgv(env, std::vector<std::string>{"env", "--", "rm", "-i"});
  EXPECT_EQ(Describe(dashed), "| rm -i");
}

TEST(ArgvTest, SingleDashLongOptionsDoNotBundle) {
  const OptionTable terraform =
      OptionTable::FromText("auto-approve target= var= h", {.abbreviations = false, .single_dash_long = true});
  EXPECT_EQ(Describe(ParseArgv(terraform, std::vector<std::string>{"terraform", "destroy", "-auto-approve",
                                                                   "-target=a.b", "-var", "x=1", "--auto-approve"})),
            "auto-approve target=a.b var=x=1 auto-approve | destroy");
  EXPECT_THAT(ParseArgv(terraform, std::vector<std::string>{"terraform", "-auto"}).unknown, ElementsAre("-auto"));
}

TEST(ArgvTest, CaseOfLongNamesMattersUnlessTheToolIgnoresIt) {
  const std::vector<std::string> argv = {"curl", "--REQUEST", "PUT"};
  EXPECT_EQ(Describe(ParseArgv(OptionTable::FromText("request,X=", {.ignore_case = true}), argv)), "request=PUT |");
  EXPECT_EQ(Describe(ParseArgv(OptionTable::FromText("request,X="), argv)), "| PUT");
}

TEST(OptionSpecTest, ReadsTheTextForm) {
  const auto spec = ParseOptionSpec("output,o=");
  ASSERT_TRUE(spec.ok());
  EXPECT_THAT(spec->names, ElementsAre("output", "o"));
  EXPECT_EQ(spec->value, OptionValue::kRequired);
  EXPECT_EQ(ParseOptionSpec("color=?")->value, OptionValue::kOptional);
  EXPECT_EQ(ParseOptionSpec("r")->value, OptionValue::kNone);
}

TEST(OptionSpecTest, RejectsWhatIsNoName) {
  for (const char* text : {"", "a,,b", "--force", "a b", "=", "caf\xc3\xa9"}) {
    EXPECT_FALSE(ParseOptionSpec(text).ok()) << text;
  }
}

TEST(ArgvTest, SixtyFiveThousandArgumentsAreLinear) {
  std::vector<std::string> argv(1 << 16, "-r");
  EXPECT_EQ(ParseArgv(Rm(), argv).options.size(), argv.size() - 1);
  EXPECT_THAT(ParseArgv(Rm(), argv).unknown, IsEmpty());
}

}  // namespace
}  // namespace holdpoint
