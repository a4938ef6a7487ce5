// The files of the real coding agents, as npm and pip put them in place: each is known, by each of its signals alone.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "agent/base/fd.h"
#include "agent/environment/load.h"
#include "agent/environment/session_verdict.h"
#include "agent/reader/search.h"

namespace holdpoint {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;
constexpr uint64_t kSearched = uint64_t{1} << 30;

// Where scripts/agents.sh has put them.
std::string Fetched(const std::string& set) {
  FILE* const script = popen(absl::StrCat(HP_SOURCE_DIR, "/scripts/agents.sh ", set).c_str(), "r");
  if (script == nullptr) return "";
  char line[4096] = "";
  const bool read = fgets(line, sizeof(line), script) != nullptr;
  return pclose(script) == 0 && read ? std::string(absl::StripTrailingAsciiWhitespace(line)) : "";
}

struct Start {
  const char* what;
  std::string executable;  // as the kernel would show it
  Words argv;
  std::string file = {};  // what it really is, where it goes by another name
};

v1::SessionVerdict Judge(const Start& start) {
  const std::string file = start.file.empty() ? start.executable : start.file;
  v1::ConsultSession consult;
  consult.set_raw_executable(start.executable);
  consult.set_raw_working_directory("/");
  consult.set_raw_argv(absl::StrJoin(start.argv, std::string(1, '\0')));
  std::error_code error;
  consult.set_executable_size(fs::file_size(file, error));
  consult.set_unnamed(true);
  v1::Facts facts;
  for (int round = 0; round < 4; ++round) {
    const auto wanted = SessionFactsWanted(consult, BuiltInCodingAgents(), round == 0 ? nullptr : &facts);
    if (!wanted) break;
    for (const std::string& path : wanted->paths()) {
      v1::PathFact* fact = facts.add_paths();
      fact->set_path(path);
      fact->set_target(fs::weakly_canonical(path, error).string());
    }
    for (const std::string& path : wanted->content_of()) {
      v1::ContentFact* fact = facts.add_contents();
      fact->set_path(path);
      std::ifstream in(path, std::ios::binary);
      std::string head(wanted->max_bytes(), '\0');
      in.read(head.data(), static_cast<std::streamsize>(head.size()));
      head.resize(static_cast<size_t>(std::max<std::streamsize>(in.gcount(), 0)));
      if (in.is_open()) fact->set_content(head);
      if (!in.is_open()) fact->set_problem("not there");
    }
    if (wanted->executable_texts().empty()) continue;
    const UniqueFd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
    const Words texts(wanted->executable_texts().begin(), wanted->executable_texts().end());
    const absl::StatusOr<Words> found = reader::TextsInFile(fd.get(), texts, kSearched);
    EXPECT_TRUE(found.ok()) << found.status();
    if (!found.ok()) break;
    for (const std::string& text : *found) facts.add_executable_texts(text);
    facts.set_executable_searched(true);
  }
  return HandleConsultSession(consult, &facts, BuiltInConfiguration(), BuiltInCodingAgents(), std::string(32, 'k'));
}

void Expect(const std::string& agent, const std::vector<Start>& starts) {
  for (const Start& start : starts) {
    const v1::SessionVerdict verdict = Judge(start);
    EXPECT_EQ(verdict.coding_agent(), agent) << start.what << ": " << start.executable;
    EXPECT_EQ(verdict.recognised_by().find("unverified"), std::string::npos) << start.what << ": " << verdict.recognised_by();
  }
}

std::string Real(const std::string& path) {
  std::error_code error;
  return fs::canonical(path, error).string();
}

std::vector<Start> OfProgram(const std::string& file) {
  return {{"its program", file, {"x"}}, {"its program, renamed and moved", "/home/u/bin/foo", {"foo", "-p"}, file}};
}

std::vector<Start> OfScript(const std::string& interpreter, const std::string& link) {
  return {{"the link in place", interpreter, {"x", link, "-p"}},
          {"the script itself", interpreter, {"x", Real(link)}}};
}

const std::string kNode = "/usr/bin/node";

TEST(InstalledAgentsTest, ClaudeCode) {
  const std::string bin = Fetched("npm") + "/npm/node_modules/.bin/claude";
  ASSERT_NE(Real(bin), "") << bin;
  Expect("claude-code", OfProgram(Real(bin)));
}

TEST(InstalledAgentsTest, Codex) {
  const std::string modules = Fetched("npm") + "/npm/node_modules";
  ASSERT_NE(Real(modules + "/.bin/codex"), "") << modules;
  Expect("codex", OfScript(kNode, modules + "/.bin/codex"));
  Expect("codex", OfProgram(modules + "/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex"));
}

TEST(InstalledAgentsTest, MiniSweAgent) {
  const std::string mini = Fetched("mini") + "/mini";
  ASSERT_NE(Real(mini + "/bin/mini"), "") << mini;
  const std::string python = Real(mini + "/bin/python3");
  Expect("mini-swe-agent", OfScript(python, mini + "/bin/mini"));
  Expect("mini-swe-agent", {{"its module", python, {"python3", "-m", "minisweagent"}}});
  Expect("", {{"pip of the same place", python, {"python3", mini + "/bin/pip", "list"}}});
}

// Those that only the slow tests fetch.
class SlowAgentsTest : public testing::Test {
 protected:
  void SetUp() override {
    modules_ = Fetched("npm") + "/slow/node_modules";
    if (!fs::exists(modules_ + "/../.complete")) GTEST_SKIP() << "not fetched; scripts/agents.sh slow does it";
  }
  std::string modules_;
};

TEST_F(SlowAgentsTest, OpenCode) { Expect("opencode", OfProgram(Real(modules_ + "/.bin/opencode"))); }
TEST_F(SlowAgentsTest, Cline) { Expect("cline", OfProgram(Real(modules_ + "/.bin/cline"))); }
TEST_F(SlowAgentsTest, GeminiCli) { Expect("gemini-cli", OfScript(kNode, modules_ + "/.bin/gemini")); }
TEST_F(SlowAgentsTest, QwenCode) { Expect("qwen-code", OfScript(kNode, modules_ + "/.bin/qwen")); }
TEST_F(SlowAgentsTest, CopilotCli) {
  Expect("copilot-cli", OfScript(kNode, modules_ + "/.bin/copilot"));
  Expect("copilot-cli", OfProgram(modules_ + "/@github/copilot-linux-x64/copilot"));
}

}  // namespace
}  // namespace holdpoint
