// The eight coding agents that were measured, as each was seen running, with one signal after the other taken away; and
// beside each a program that has all but what counts.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/environment/load.h"
#include "agent/environment/session_verdict.h"

namespace holdpoint {
namespace {

const std::string kKey(32, 'k');
using Words = std::vector<std::string>;

// What is on a disk: links, files, and what a program holds.
struct Disk {
  std::map<std::string, std::string> links;
  std::map<std::string, std::string> files;
  Words texts;
};

struct Shape {
  const char* what;
  const char* executable;
  Words argv;
  Disk disk;
  bool large = true;
  bool named = false;  // the kernel knew the name
};

// Reads until nothing more is wanted, as the gate and the judge do.
v1::SessionVerdict Judge(const Shape& shape, int* rounds = nullptr) {
  v1::ConsultSession consult;
  consult.set_raw_executable(shape.executable);
  consult.set_raw_working_directory("/home/u/p");
  consult.set_raw_argv(absl::StrJoin(shape.argv, std::string(1, '\0')));
  consult.set_executable_size(shape.large ? uint64_t{200} << 20 : 100'000);
  consult.set_unnamed(!shape.named);
  v1::Facts facts;
  for (int round = 0; round < 4; ++round) {
    const auto wanted = SessionFactsWanted(consult, BuiltInCodingAgents(), round == 0 ? nullptr : &facts);
    if (!wanted) break;
    if (rounds != nullptr) *rounds = round + 1;
    for (const std::string& path : wanted->paths()) {
      v1::PathFact* fact = facts.add_paths();
      fact->set_path(path);
      const auto link = shape.disk.links.find(path);
      fact->set_target(link == shape.disk.links.end() ? path : link->second);
    }
    for (const std::string& path : wanted->content_of()) {
      v1::ContentFact* fact = facts.add_contents();
      fact->set_path(path);
      const auto link = shape.disk.links.find(path);
      const auto file = shape.disk.files.find(link == shape.disk.links.end() ? path : link->second);
      if (file == shape.disk.files.end()) {
        fact->set_problem("not there");
      } else {
        fact->set_content(file->second);
      }
    }
    for (const std::string& text : wanted->executable_texts()) {
      if (std::find(shape.disk.texts.begin(), shape.disk.texts.end(), text) != shape.disk.texts.end()) {
        facts.add_executable_texts(text);
      }
    }
    if (wanted->executable_texts_size() > 0) facts.set_executable_searched(true);
  }
  return HandleConsultSession(consult, &facts, BuiltInConfiguration(), BuiltInCodingAgents(), kKey);
}

void Expect(const std::string& agent, const std::vector<Shape>& shapes) {
  for (const Shape& shape : shapes) {
    for (const bool named : {false, true}) {
      Shape one = shape;
      if (shape.named && !named) continue;  // Only its name brings it here.
      one.named = named;
      // A wrapper of another name is looked into only where nobody knows its name.
      if (named && absl::StrContains(shape.what, "script renamed")) continue;
      EXPECT_EQ(Judge(one).coding_agent(), agent) << shape.what << (named ? ", named" : "");
    }
  }
}

const Words kClaudeTexts = {"@anthropic-ai/claude-code", "CLAUDE_CODE_EXECPATH", "shell-snapshots"};
const Words kCodexTexts = {"codex-linux-sandbox", "CODEX_THREAD_ID", "CODEX_SANDBOX_NETWORK_DISABLED"};

std::string Package(const std::string& name) { return absl::StrCat("{\n  \"name\": \"", name, "\",\n  \"version\": \"1\"\n}"); }

TEST(EachSignalAloneTest, ClaudeCode) {
  Expect("claude-code",
         {{"npm", "/n/node_modules/@anthropic-ai/claude-code/bin/claude.exe", {"claude", "-p", "x"}, {}},
          {"npm, another argv[0]", "/n/node_modules/@anthropic-ai/claude-code/bin/claude.exe", {"x"}, {}},
          {"version manager", "/home/u/.nvm/versions/node/v20.1.0/lib/node_modules/@anthropic-ai/claude-code/bin/claude.exe",
           {"claude"}, {}},
          {"renamed and moved", "/home/u/bin/foo", {"foo"}, {.links = {}, .files = {}, .texts = kClaudeTexts}},
          {"native installer", "/home/u/.local/share/claude/versions/2.1.330", {"claude"}, {}}});
  Expect("", {{"a large program that speaks of it", "/usr/bin/ide", {"ide"}, {.links = {}, .files = {}, .texts = {"@anthropic-ai/claude-code", "CODEX_THREAD_ID"}}},
              {"a small one of all its texts", "/home/u/bin/foo", {"foo"}, {.links = {}, .files = {}, .texts = kClaudeTexts}, false}});
}

TEST(EachSignalAloneTest, Codex) {
  const Disk npm{.links = {{"/n/node_modules/.bin/codex", "/n/node_modules/@openai/codex/bin/codex.js"}},
                 .files = {{"/n/node_modules/@openai/codex/bin/codex.js", "#!/usr/bin/env node\n"},
                           {"/n/node_modules/@openai/codex/package.json", Package("@openai/codex")}},
                 .texts = {}};
  Disk moved{.links = {}, .files = {{"/opt/x/bin/start.js", "#!/usr/bin/env node\n"}, {"/opt/x/package.json", Package("@openai/codex")}}, .texts = {}};
  Expect("codex",
         {{"launcher", "/usr/bin/node", {"node", "/n/node_modules/.bin/codex", "exec"}, npm},
          {"launcher by its path", "/usr/bin/node", {"node", "/n/node_modules/@openai/codex/bin/codex.js"}, npm},
          {"script renamed", "/usr/bin/node", {"node", "/opt/x/bin/start.js"}, moved},
          {"native", "/n/node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex", {"codex"}, {}},
          {"daemon", "/home/u/.codex/packages/app-server-daemon/releases/0.169.0/bin/codex", {"codex", "app-server"}, {}},
          {"renamed and moved", "/home/u/bin/foo", {"foo", "exec"}, {.links = {}, .files = {}, .texts = kCodexTexts}}});
  moved.files["/opt/x/package.json"] = Package("@openai/codex-like");
  Expect("", {{"another package", "/usr/bin/node", {"node", "/opt/x/bin/start.js"}, moved}});
}

TEST(EachSignalAloneTest, ProgramWithTheTextsOfSeveralIsNoneOfThem) {
  Words texts = kClaudeTexts;
  texts.insert(texts.end(), kCodexTexts.begin(), kCodexTexts.end());
  Expect("", {{"Holdpoint's own command", "/usr/bin/holdpoint", {"holdpoint", "run"}, {.links = {}, .files = {}, .texts = texts}}});
  Expect("codex", {{"one of them, by its path", "/n/@openai/codex-linux-x64/vendor/musl/bin/codex", {"codex"}, {.links = {}, .files = {}, .texts = texts}}});
}

TEST(EachSignalAloneTest, MiniSweAgent) {
  const std::string text = "#!/v/bin/python3\nfrom minisweagent.run.mini import app\n";
  const Disk disk{.links = {}, .files = {{"/v/bin/mini", text}, {"/v/bin/foo", text}, {"/v/bin/own", "print('mini')\n"}}, .texts = {}};
  Expect("mini-swe-agent", {{"pip", "/usr/bin/python3.11", {"python3", "/v/bin/mini", "-t"}, disk, false},
                            {"uvx", "/home/u/.local/share/uv/python/bin/python3.12", {"python", "/v/bin/mini"}, disk, false},
                            {"script renamed", "/usr/bin/python3.11", {"python3", "/v/bin/foo"}, disk, false},
                            {"module", "/usr/bin/python3.11", {"python3", "-m", "minisweagent"}, disk, false}});
  Expect("", {{"own script", "/usr/bin/python3.11", {"python3", "/v/bin/own"}, disk, false},
              {"own module", "/usr/bin/python3.11", {"python3", "-m", "http.server", "minisweagent"}, disk, false},
              {"inline", "/usr/bin/python3.11", {"python3", "-c", "from minisweagent.run import x"}, disk, false}});
}

TEST(EachSignalAloneTest, OpenCode) {
  Expect("opencode", {{"npm", "/n/node_modules/opencode-ai/bin/opencode.exe", {"opencode", "run"}, {}},
                      {"renamed and moved", "/home/u/foo", {"foo"}, {.links = {}, .files = {}, .texts = {"OPENCODE_PID", "OPENCODE_DISABLE_AUTOUPDATE"}}}});
  Expect("", {{"one text only", "/home/u/foo", {"foo"}, {.links = {}, .files = {}, .texts = {"OPENCODE_PID"}}}});
}

// Two that are scripts of node alone.
TEST(EachSignalAloneTest, GeminiAndQwen) {
  struct Node {
    const char *agent, *name, *package, *script;
  };
  for (const Node& node : {Node{"gemini-cli", "gemini", "@google/gemini-cli", "bundle/gemini.js"},
                           Node{"qwen-code", "qwen", "@qwen-code/qwen-code", "cli.js"}}) {
    const std::string home = absl::StrCat("/n/node_modules/", node.package, "/"), real = home + node.script;
    const std::string bin = absl::StrCat("/n/node_modules/.bin/", node.name);
    const Disk npm{.links = {{bin, real}, {"/home/u/bin/foo", real}},
                   .files = {{real, "x"}, {home + "package.json", Package(node.package)}},
                   .texts = {}};
    const Disk moved{.links = {}, .files = {{"/opt/x/a/b.js", "x"}, {"/opt/x/package.json", Package(node.package)}}, .texts = {}};
    Disk nested = moved;
    nested.files["/opt/x/a/package.json"] = Package("own");
    Expect(node.agent, {{"npm", "/usr/bin/node", {"node", bin, "-p", "x"}, npm},
                        {"child", "/usr/bin/node", {"node", "--max-old-space-size=4096", bin}, npm},
                        {"pnpm's wrapper", "/usr/bin/node", {"node", real}, npm},
                        {"version manager", "/home/u/.nvm/versions/node/v20.1.0/bin/node", {"node", bin}, npm},
                        {"bun", "/home/u/.bun/bin/bun", {"bun", bin}, npm, true, false},
                        {"script renamed by a link", "/usr/bin/node", {"node", "/home/u/bin/foo"}, npm},
                        {"script renamed and moved", "/usr/bin/node", {"node", "/opt/x/a/b.js"}, moved}});
    Expect("", {{"a package of its own in between", "/usr/bin/node", {"node", "/opt/x/a/b.js"}, nested}});
  }
}

TEST(EachSignalAloneTest, Copilot) {
  const Disk npm{.links = {{"/n/node_modules/.bin/copilot", "/n/node_modules/@github/copilot/npm-loader.js"}},
                 .files = {{"/n/node_modules/@github/copilot/npm-loader.js", "x"}}, .texts = {}};
  const Disk moved{.links = {}, .files = {{"/x/l.js", "x"}, {"/x/package.json", Package("@github/copilot")}}, .texts = {}};
  Expect("copilot-cli", {{"launcher", "/usr/bin/node", {"node", "/n/node_modules/.bin/copilot"}, npm},
                         {"script renamed", "/usr/bin/node", {"node", "/x/l.js"}, moved},
                         {"native", "/n/node_modules/@github/copilot-linux-x64/copilot", {"copilot", "-p"}, {}},
                         {"renamed and moved", "/home/u/foo", {"foo"}, {.links = {}, .files = {}, .texts = {"COPILOT_CLI_BINARY_VERSION"}}}});
  Expect("", {{"the editor's", "/usr/share/code/code", {"code"}, {.links = {}, .files = {}, .texts = {"COPILOT_CLI"}}}});
}

TEST(EachSignalAloneTest, Cline) {
  // It speaks of Claude Code and Codex in passing, as measured.
  const Words texts = {"--cline-hub-daemon", "CLINE_CONNECTOR_CLI_LAUNCH", "@anthropic-ai/claude-code", "CODEX_THREAD_ID"};
  Expect("cline", {{"npm", "/n/node_modules/@cline/cli-linux-x64/bin/cline", {"cline"}, {}},
                   {"renamed and moved", "/home/u/foo", {"foo"}, {.links = {}, .files = {}, .texts = texts}}});
}

// What the gate may remember: only what does not depend on what was not looked at.
TEST(ProgramClassTest, FilesInterpretersAndScripts) {
  const Disk own{.links = {}, .files = {{"/w/own.py", "x"}}, .texts = {}};
  v1::SessionVerdict verdict = Judge({"small", "/usr/bin/ls", {"ls", "-l"}, {}, false});
  EXPECT_EQ(verdict.file_class(), v1::PROGRAM_CLASS_OTHER);
  verdict = Judge({"python", "/usr/bin/python3.11", {"python3", "/w/own.py"}, own, false});
  EXPECT_EQ(verdict.file_class(), v1::PROGRAM_CLASS_INTERPRETER);
  EXPECT_EQ(verdict.script_class(), v1::PROGRAM_CLASS_OTHER);
  verdict = Judge({"python", "/usr/bin/python3.11", {"python3", "/w/hidden.py"}, own, false});
  EXPECT_EQ(verdict.script_class(), v1::PROGRAM_CLASS_UNKNOWN);
  verdict = Judge({"env", "/usr/bin/env", {"env", "node", "/x"}, own, false});
  EXPECT_EQ(verdict.file_class(), v1::PROGRAM_CLASS_OTHER);
  verdict = Judge({"claude", "/n/@anthropic-ai/claude-code/bin/claude.exe", {"claude"}, {}});
  EXPECT_EQ(verdict.file_class(), v1::PROGRAM_CLASS_AGENT);
  verdict = Judge({"goose without a session", "/home/u/.local/bin/goose", {"goose", "--version"}, {}});
  EXPECT_EQ(verdict.file_class(), v1::PROGRAM_CLASS_UNKNOWN);
  v1::ConsultSession unsearched;
  unsearched.set_raw_executable("/usr/bin/large");
  unsearched.set_raw_argv("large");
  unsearched.set_executable_size(uint64_t{100} << 20);
  unsearched.set_unnamed(true);
  verdict = HandleConsultSession(unsearched, nullptr, BuiltInConfiguration(), BuiltInCodingAgents(), kKey);
  EXPECT_EQ(verdict.file_class(), v1::PROGRAM_CLASS_UNKNOWN);
}

TEST(ProgramClassTest, SmallProgramsAreDecidedWithoutReadingAnything) {
  int rounds = 0;
  Judge({"ls", "/usr/bin/ls", {"ls"}, {}, false}, &rounds);
  Judge({"cc", "/usr/bin/cc", {"cc", "-c", "x.c"}, {}, false}, &rounds);
  EXPECT_EQ(rounds, 0);
}

TEST(GuardsOffTest, FlagsOfTheCodingAgentItself) {
  const CodingAgents& agents = BuiltInCodingAgents();
  const auto off = [&](const char* agent, const Words& argv) { return GuardsOff(*FindAgent(agents, agent), argv); };
  EXPECT_EQ(off("claude-code", {"claude", "-p", "x", "--dangerously-skip-permissions"}), Words{"--dangerously-skip-permissions"});
  EXPECT_EQ(off("claude-code", {"claude", "--permission-mode", "bypassPermissions"}), Words{"--permission-mode bypassPermissions"});
  EXPECT_EQ(off("claude-code", {"claude", "--permission-mode", "plan"}), Words{});
  EXPECT_EQ(off("claude-code", {"claude", "--", "--dangerously-skip-permissions"}), Words{});
  EXPECT_EQ(off("codex", {"codex", "exec", "--yolo"}), Words{"--yolo"});
  EXPECT_EQ(off("copilot-cli", {"copilot", "--allow-all-tools"}), Words{"--allow-all-tools"});
  EXPECT_EQ(off("qwen-code", {"qwen", "--approval-mode=yolo"}), Words{"--approval-mode=yolo"});
}

TEST(ServerTest, KindsByWhatWasBoundAndByTheProgram) {
  const CodingAgents& agents = BuiltInCodingAgents();
  const auto kind = [&](const std::string& socket, const std::string& executable) {
    const ServerKind* server = ServerOfSocket(agents, socket, executable);
    return server == nullptr ? "" : server->name;
  };
  EXPECT_EQ(kind("/tmp/tmux-1000/default", "/usr/bin/tmux"), "tmux");
  EXPECT_EQ(kind("/home/u/elsewhere", "/usr/bin/tmux"), "tmux");
  EXPECT_EQ(kind("/run/docker.sock", "/usr/lib/systemd/systemd"), "docker");
  EXPECT_EQ(kind("/run/systemd/private", "/usr/lib/systemd/systemd"), "systemd");
  EXPECT_EQ(kind("/run/user/1000/bus", ""), "dbus");
  EXPECT_EQ(kind(std::string(1, '\0') + "/tmp/dbus-abc", ""), "dbus");
  EXPECT_EQ(kind("/home/u/p/dev.sock", "/usr/bin/node"), "");
  EXPECT_EQ(kind("", ""), "");
  EXPECT_EQ(ServerOfPort(agents, 22)->name, "ssh");
  EXPECT_EQ(ServerOfPort(agents, 2222), nullptr);
  EXPECT_EQ(ServerOfCommand(agents, "crontab")->name, "cron");
  EXPECT_EQ(ServerOfCommand(agents, "cronta"), nullptr);
}

}  // namespace
}  // namespace holdpoint
