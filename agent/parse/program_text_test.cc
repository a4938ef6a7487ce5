#include "agent/parse/program_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace holdpoint {
namespace {

using L = ProgramLanguage;
using testing::Contains;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

std::vector<std::string> Calls(absl::string_view text, L language) {
  std::vector<std::string> shown;
  for (const ProgramCall& call : CallsOfProgram(text, language)) {
    shown.push_back(absl::StrCat(call.name, "(", absl::StrJoin(call.texts, ","), ")"));
  }
  return shown;
}

TEST(ProgramTextTest, CallsWithTheirTexts) {
  EXPECT_THAT(Calls("import shutil; shutil.rmtree('/srv/data')", L::kPython), Contains("shutil.rmtree(/srv/data)"));
  EXPECT_THAT(Calls("os.remove(r\"/srv/x\")", L::kPython), Contains("os.remove(/srv/x)"));
  EXPECT_THAT(Calls("from pathlib import Path; Path('/srv/x').unlink()", L::kPython), Contains("Path.unlink(/srv/x)"));
  EXPECT_THAT(Calls("shutil.rmtree(os.path.expanduser('~/x'))", L::kPython), Contains("shutil.rmtree(~/x)"));
  EXPECT_THAT(Calls("require('fs').rmSync('/srv/data', {recursive: true})", L::kJavascript), Contains("require.rmSync(/srv/data)"));
  EXPECT_THAT(Calls("fs.promises.rm(`/srv/data`)", L::kJavascript), Contains("fs.promises.rm(/srv/data)"));
  EXPECT_THAT(Calls("FileUtils.rm_rf('/srv/data')", L::kRuby), Contains("FileUtils.rm_rf(/srv/data)"));
  EXPECT_THAT(Calls("FileUtils.rm_rf '/srv/data'", L::kRuby), Contains("FileUtils.rm_rf(/srv/data)"));
  EXPECT_THAT(Calls("unlink glob('/srv/data/*')", L::kPerl), Contains("unlink(/srv/data/*)"));
  EXPECT_THAT(Calls("unlink '/srv/a', '/srv/b';", L::kPerl), Contains("unlink(/srv/a,/srv/b)"));
  EXPECT_THAT(Calls("unlink('/srv/users.db');", L::kPhp), Contains("unlink(/srv/users.db)"));
  EXPECT_THAT(Calls("cur.execute(\"\"\"DROP TABLE t\"\"\")", L::kPython), Contains("cur.execute(DROP TABLE t)"));
}

TEST(ProgramTextTest, WhatIsNoCallOrNoTextOfIts) {
  EXPECT_THAT(Calls("# shutil.rmtree('/srv')", L::kPython), IsEmpty());
  EXPECT_THAT(Calls("// fs.rmSync('/srv')\n/* fs.rmSync('/srv') */", L::kJavascript), IsEmpty());
  EXPECT_THAT(Calls("x = \"shutil.rmtree('/srv')\"", L::kPython), IsEmpty());
  EXPECT_THAT(Calls("shutil.rmtree(base + '/build')", L::kPython), Contains("shutil.rmtree()"));
  EXPECT_THAT(Calls("print('/srv'); shutil.rmtree(x)", L::kPython), Contains("shutil.rmtree()"));
}

TEST(ProgramTextTest, NoInputIsTooDeepOrTooLong) {
  for (const L language : {L::kPython, L::kJavascript, L::kRuby, L::kPerl}) {
    EXPECT_LE(CallsOfProgram(std::string(10'000'000, '('), language).size(), 4096u);
    std::string deep;
    while (deep.size() < 1'000'000) deep += "f('x',";
    EXPECT_LE(CallsOfProgram(deep, language).size(), 4096u);
    std::string chain = "a";
    while (chain.size() < 1'000'000) chain += ".b('x')";
    EXPECT_LE(CallsOfProgram(chain, language).size(), 4096u);
  }
}

}  // namespace
}  // namespace holdpoint
