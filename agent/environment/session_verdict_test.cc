#include "agent/environment/session_verdict.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "agent/environment/load.h"

namespace holdpoint {
namespace {

const std::string kKey(32, 'k');

v1::ConsultSession Consult(const std::string& executable, const std::vector<std::string>& argv,
                           const std::vector<std::string>& environment = {}) {
  v1::ConsultSession consult;
  consult.mutable_process()->set_executable(executable);
  consult.mutable_process()->set_working_directory("/home/u/p");
  consult.set_raw_argv(absl::StrJoin(argv, std::string(1, '\0')));
  consult.set_raw_environment(absl::StrJoin(environment, std::string(1, '\0')));
  return consult;
}

v1::SessionVerdict Judge(const v1::ConsultSession& consult, const v1::Facts* facts = nullptr) {
  return HandleConsultSession(consult, facts, BuiltInConfiguration(), BuiltInCodingAgents(), kKey);
}

struct Case {
  const char* name;
  const char* executable;
  std::vector<std::string> argv;
  const char* target;  // what the script resolves to
  const char* head;    // what the script holds
  const char* agent;   // "" for none
};

// Real installations as they were seen, and for each a program of somebody's own with the same name.
TEST(RecogniseAgentTest, InstallationsAndTheirNeighbours) {
  const char* const node = "/usr/bin/node";
  const char* const python = "/home/u/venv/bin/python3.11";
  for (const Case& c : {
           Case{"ClaudeNpm",
                "/opt/n/node_modules/@anthropic-ai/claude-code/bin/claude.exe",
                {"claude", "-p", "x"},
                "",
                "",
                "claude-code"},
           Case{"ClaudeNative", "/home/u/.local/share/claude/versions/2.1.197", {"claude"}, "", "", "claude-code"},
           Case{"OldClaudeByLink",
                node,
                {"node", "/usr/local/bin/claude"},
                "/usr/local/lib/node_modules/@anthropic-ai/claude-code/cli.js",
                "#!/usr/bin/env node",
                "claude-code"},
           Case{"OwnClaudeProgram", "/home/u/bin/claude", {"claude"}, "", "", ""},
           Case{
               "OwnClaudeScript", "/bin/bash", {"bash", "/home/u/bin/claude"}, "/home/u/bin/claude", "#!/bin/bash", ""},
           Case{"OwnClaudeNodeScript", node, {"node", "/home/u/bin/claude"}, "/home/u/bin/claude.js", "x", ""},
           Case{"CodexLauncher",
                node,
                {"node", "/opt/n/node_modules/.bin/codex", "exec", "x"},
                "/opt/n/node_modules/@openai/codex/bin/codex.js",
                "#!/usr/bin/env node",
                "codex"},
           Case{"CodexLauncherByPath",
                node,
                {"node", "/opt/n/node_modules/@openai/codex/bin/codex.js"},
                "",
                "",
                "codex"},
           Case{"CodexNative",
                "/opt/n/node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex",
                {"codex", "exec", "x"},
                "",
                "",
                "codex"},
           Case{"CodexDaemon",
                "/home/u/.codex/packages/app-server-daemon/releases/0.169.0/bin/codex",
                {"codex", "app-server", "--listen", "unix:///x"},
                "",
                "",
                "codex"},
           Case{"OwnCodexProgram", "/usr/bin/codex", {"codex", "exec"}, "", "", ""},
           Case{"OtherCodexPackage",
                node,
                {"node", "/opt/n/node_modules/.bin/codex"},
                "/opt/n/node_modules/codex/bin/codex.js",
                "#!/usr/bin/env node",
                ""},
           Case{"Mini",
                python,
                {"/home/u/venv/bin/python3", "/home/u/venv/bin/mini", "-t", "x"},
                "/home/u/venv/bin/mini",
                "#!/x\nfrom minisweagent.run.mini import app\n",
                "mini-swe-agent"},
           Case{"MiniWithInterpreterOptions",
                python,
                {"python3", "-E", "/home/u/venv/bin/mini"},
                "/home/u/venv/bin/mini",
                "from minisweagent",
                "mini-swe-agent"},
           Case{"OwnMiniProgram", "/usr/bin/mini", {"mini"}, "", "", ""},
           Case{"OwnMiniPythonScript",
                python,
                {"python3", "/home/u/bin/mini"},
                "/home/u/bin/mini",
                "print('small')",
                ""},
           Case{"OwnMiniShellScript",
                "/bin/dash",
                {"sh", "/home/u/bin/mini"},
                "/home/u/bin/mini",
                "# not minisweagent",
                ""},
           Case{"MiniBehindAShell",
                "/bin/dash",
                {"/bin/sh", "/a/long/venv/bin/mini"},
                "/a/long/venv/bin/mini",
                "#!/bin/sh\n'''exec' /a/python3 \"$0\" \"$@\"\n' '''\nfrom minisweagent.run.mini import app\n",
                "mini-swe-agent"},
           Case{"CodexLauncherWhileEnvRuns",
                "/usr/bin/env",
                {"/usr/bin/env", "node", "/opt/n/node_modules/.bin/codex"},
                "/opt/n/node_modules/@openai/codex/bin/codex.js",
                "#!/usr/bin/env node",
                "codex"},
           Case{
               "OpenCode", "/opt/n/node_modules/opencode-ai/bin/opencode.exe", {"opencode", "run"}, "", "", "opencode"},
           Case{"Gemini",
                node,
                {"node", "--max-old-space-size=4096", "/opt/n/node_modules/.bin/gemini", "-p", "x"},
                "/opt/n/node_modules/@google/gemini-cli/dist/index.js",
                "x",
                "gemini-cli"},
           Case{"Copilot",
                "/opt/n/node_modules/@github/copilot-linux-x64/copilot",
                {"copilot", "-p"},
                "",
                "",
                "copilot-cli"},
           Case{"PlainNode", node, {"node", "server.js"}, "", "", ""},
           Case{"PlainShell", "/bin/bash", {"bash"}, "", "", ""},
       }) {
    v1::ConsultSession consult = Consult(c.executable, c.argv);
    // As the kernel says it: the file that was executed, where an interpreter runs it.
    if (absl::StrContains(c.name, "WhileEnvRuns")) consult.mutable_process()->set_script(c.argv.back());
    v1::Facts facts;
    const auto wanted = SessionFactsWanted(consult, BuiltInCodingAgents());
    if (wanted) {
      for (const std::string& path : wanted->paths()) {
        facts.add_paths()->set_path(path);
        facts.mutable_paths()->rbegin()->set_target(c.target);
      }
      for (const std::string& path : wanted->content_of()) {
        facts.add_contents()->set_path(path);
        facts.mutable_contents()->rbegin()->set_content(c.head);
      }
    }
    const v1::SessionVerdict verdict = Judge(consult, wanted ? &facts : nullptr);
    EXPECT_EQ(verdict.coding_agent(), c.agent) << c.name;
    EXPECT_EQ(verdict.is_session(), *c.agent != '\0') << c.name;
    EXPECT_EQ(verdict.recognised_by().empty(), *c.agent == '\0') << c.name;
  }
}

// A candidate by its second argument, say: nothing of it is read.
TEST(RecogniseAgentTest, ScriptOfAnotherNameIsNotRead) {
  EXPECT_FALSE(SessionFactsWanted(Consult("/usr/bin/python3", {"python3", "/home/u/x.py"}), BuiltInCodingAgents()));
  EXPECT_FALSE(SessionFactsWanted(Consult("/usr/bin/node", {"node", "server.js", "codex"}), BuiltInCodingAgents()));
}

TEST(RecogniseAgentTest, MarkerAloneStartsNoSession) {
  const auto consult = Consult("/usr/bin/mini", {"mini"}, {"CLAUDECODE=1", "CODEX_CI=1", "CODEX_THREAD_ID=a"});
  EXPECT_FALSE(SessionFactsWanted(consult, BuiltInCodingAgents()));
  EXPECT_FALSE(Judge(consult).is_session());
}

TEST(RecogniseAgentTest, HiddenScriptDoesNotLeaveTheSession) {
  const auto consult = Consult("/usr/bin/python3", {"python3", "/home/u/bin/mini"});
  ASSERT_TRUE(SessionFactsWanted(consult, BuiltInCodingAgents()));
  v1::Facts facts;
  facts.add_contents()->set_path("/home/u/bin/mini");
  facts.mutable_contents(0)->set_problem("no permission");
  const v1::SessionVerdict verdict = Judge(consult, &facts);
  EXPECT_EQ(verdict.coding_agent(), "mini-swe-agent");
  EXPECT_TRUE(absl::StrContains(verdict.recognised_by(), "script unread"));
}

TEST(RecogniseAgentTest, EveryNameIsAskedForOnce) {
  const std::vector<std::string> names = CandidateNames(BuiltInCodingAgents());
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  for (const char* name : {"claude", "claude.exe", "codex", "mini", "opencode", "gemini"}) {
    EXPECT_EQ(std::count(names.begin(), names.end(), name), 1) << name;
  }
  for (const char* name : {"node", "python3", "bash", "sh"}) {
    EXPECT_EQ(std::count(names.begin(), names.end(), name), 0) << name;
  }
}

TEST(LoadCodingAgentsTest, BaseNameAloneIsRefused) {
  const auto loaded =
      LoadCodingAgents("a.yaml", "agents:\n  - name: x\n    names: [x]\n    programs:\n      - executable: [x]\n");
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.status().message().substr(0, 12), "a.yaml:5:9: ");
  EXPECT_TRUE(absl::StrContains(loaded.status().message(), "a base name alone proves nothing"));
  EXPECT_FALSE(LoadCodingAgents("a.yaml", "agents: [{name: x, names: [x], programs: [], extra: 1}]").ok());
  EXPECT_EQ(LoadCodingAgents("a.yaml", "")->agents.size(), BuiltInCodingAgents().agents.size());
}

TEST(ConsultSessionTest, GitDecidesWorkspaceAndBranch) {
  const Configuration configuration = *LoadConfiguration("t", R"(
sessions:
  branches: [{glob: main, environment: production}]
  workspaces: [{glob: "~/src/*", environment: staging}]
)");
  v1::ConsultSession consult = Consult("/x/@anthropic-ai/claude-code/bin/claude.exe", {"claude"},
                                       {"HOME=/home/u", "CI=1", "CLAUDE_CODE_SESSION_ID=ab-12", "CLAUDECODE=1"});
  v1::Facts facts;
  facts.mutable_git()->set_root("/home/u/src/shop");
  facts.mutable_git()->set_branch("fix");
  v1::SessionVerdict verdict = HandleConsultSession(consult, &facts, configuration, BuiltInCodingAgents(), kKey);
  EXPECT_TRUE(verdict.is_session());
  EXPECT_EQ(verdict.workspace(), "/home/u/src/shop");
  EXPECT_EQ(verdict.home(), "/home/u");
  EXPECT_EQ(verdict.git_branch(), "fix");
  EXPECT_EQ(verdict.environment().environment(), "staging");
  EXPECT_TRUE(verdict.unattended());
  EXPECT_EQ(verdict.hold_ms(), 100'000u);
  EXPECT_EQ(verdict.join_keys().at("CLAUDE_CODE_SESSION_ID"), "ab-12");
  EXPECT_TRUE(absl::StrContains(verdict.recognised_by(), "marker CLAUDECODE=1"));
  facts.mutable_git()->set_branch("main");
  verdict = HandleConsultSession(consult, &facts, configuration, BuiltInCodingAgents(), kKey);
  EXPECT_EQ(verdict.environment().environment(), "production");
  EXPECT_TRUE(verdict.environment().protected_());
  verdict = HandleConsultSession(consult, nullptr, configuration, BuiltInCodingAgents(), kKey);
  EXPECT_EQ(verdict.workspace(), "/home/u/p");
}

TEST(ConsultSessionTest, SaysWhichCodingAgentsHaveNoIds) {
  const v1::SessionVerdict claude = Judge(Consult("/x/@anthropic-ai/claude-code/bin/claude.exe", {"claude"}));
  EXPECT_EQ(claude.coding_agent(), "claude-code");
  EXPECT_FALSE(claude.without_ids());
  const v1::SessionVerdict opencode = Judge(Consult("/x/opencode-ai/bin/opencode.exe", {"opencode"}));
  EXPECT_EQ(opencode.coding_agent(), "opencode");
  EXPECT_TRUE(opencode.without_ids());
}

TEST(ConsultSessionTest, LaunchedProgramIsASessionWhateverItIs) {
  v1::ConsultSession consult = Consult("/bin/true", {"true", "--token=abcdefgh"});
  consult.set_launched(true);
  consult.set_launch_environment("staging");
  v1::SessionVerdict verdict = Judge(consult);
  EXPECT_TRUE(verdict.is_session());
  EXPECT_EQ(verdict.coding_agent(), "run");
  EXPECT_EQ(verdict.environment().environment(), "staging");
  EXPECT_EQ(verdict.environment().source(), "flag");
  EXPECT_FALSE(absl::StrContains(verdict.argv(1), "abcdefgh"));

  consult.set_launch_environment("prod");
  verdict = Judge(consult);
  EXPECT_FALSE(verdict.is_session());
  EXPECT_EQ(verdict.problem(),
            "--env: wanted one of the environments production, staging, development, ci, got \"prod\"");

  consult.set_launch_environment("staging");
  consult.set_enclosing_environment("production");
  verdict = Judge(consult);
  EXPECT_FALSE(verdict.is_session());
  EXPECT_TRUE(absl::StrContains(verdict.problem(), "is in production, which is stricter than staging"));
}

TEST(JoinKeysTest, OnlyPlainShortValues) {
  CodingAgent agent;
  agent.join_keys = {"A", "B", "C"};
  const auto keys = JoinKeys(agent, {"A=ok-1.2:3_4", "B=with blank", "C=" + std::string(200, 'x')});
  ASSERT_EQ(keys.size(), 1u);
  EXPECT_EQ(keys[0].second, "ok-1.2:3_4");
}

}  // namespace
}  // namespace holdpoint
