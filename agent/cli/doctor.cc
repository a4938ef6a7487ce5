// holdpoint doctor: what the host gives, what the daemon makes of it. Works without a daemon, too.
#include <CLI/CLI.hpp>
#include <memory>
#include <set>

#include "absl/strings/str_cat.h"
#include "agent/base/status.h"
#include "agent/cli/ask.h"
#include "agent/cli/context.h"
#include "agent/cli/probe.h"
#include "agent/cli/terminal.h"

namespace holdpoint {
namespace {

using Level = ProbeResult::Level;

// The daemon's own rows, or one that says that there is none.
void AskTheDaemon(const Context& context, std::vector<ProbeResult>& rows) {
  ControlRequest request{.command = ControlCommand::kDoctor};
  const absl::StatusOr<ControlAnswer> answer = Ask(context, request);
  if (!answer.ok()) {
    rows.push_back({"daemon", Level::kBad, std::string(answer.status().message())});
    return;
  }
  const absl::StatusOr<std::vector<Json>> said = RowsOf(*answer, "doctor");
  if (answer->exit_code != 0 || !said.ok()) {
    rows.push_back(
        {"daemon", Level::kBad, answer->exit_code != 0 ? answer->message : std::string(said.status().message())});
    return;
  }
  rows.push_back({"daemon", Level::kOk, absl::StrCat("answers at ", context.SocketPath())});
  for (const Json& row : *said) {
    const Level level = !FlagOf(row, "ok")                  ? Level::kBad
                        : TextOf(row, "level") == "warning" ? Level::kWarning
                                                            : Level::kOk;
    rows.push_back({TextOf(row, "check"), level, TextOf(row, "detail"), TextOf(row, "advice")});
  }
}

// The users who run coding agents now; none without a daemon.
std::vector<std::string> UsersOfSessions(const Context& context) {
  ControlRequest request{.command = ControlCommand::kSessions};
  const absl::StatusOr<ControlAnswer> answer = Ask(context, request);
  if (!answer.ok() || answer->exit_code != 0) return {};
  const absl::StatusOr<std::vector<Json>> rows = RowsOf(*answer, "sessions");
  std::set<std::string> users;
  if (rows.ok()) {
    for (const Json& row : *rows) users.insert(TextOf(row, "user"));
  }
  users.erase("");
  users.erase("root");
  return {users.begin(), users.end()};
}

absl::StatusOr<int> Doctor(const Context& context, const ProbeHost& host) {
  std::vector<ProbeResult> rows = ProbeAll(host);
  for (ProbeResult& row : ProbeSudoOf(UsersOfSessions(context))) rows.push_back(std::move(row));
  for (ProbeResult& row : ProbeKafka(host)) rows.push_back(std::move(row));
  for (ProbeResult& row : ProbeSinks(host)) rows.push_back(std::move(row));
  AskTheDaemon(context, rows);
  Table table({"CHECK", "", "DETAIL"});
  bool bad = false;
  for (const ProbeResult& row : rows) {
    bad = bad || row.level == Level::kBad;
    const char* level = row.level == Level::kOk ? "ok" : row.level == Level::kWarning ? "warning" : "BAD";
    if (context.json) {
      Print(JsonLine({{"check", row.check},
                      {"ok", row.level != Level::kBad},
                      {"level", row.level == Level::kBad ? "bad" : level},
                      {"detail", row.detail},
                      {"advice", row.advice}}));
      continue;
    }
    const Tone tone = row.level == Level::kOk ? Tone::kGood : row.level == Level::kWarning ? Tone::kWarn : Tone::kBad;
    table.Add({{row.check}, {level, tone}, {row.detail}},
              row.level == Level::kOk || row.advice.empty() ? "" : absl::StrCat("-> ", row.advice));
  }
  if (!context.json) Print(table.Render(context.Colored(), 0));
  return bad ? 1 : 0;
}

}  // namespace

void AddDoctor(CLI::App& app, Context& context) {
  CLI::App* const command =
      app.add_subcommand("doctor", "What this host gives and what is missing, with advice; 1 where something is bad");
  auto host = std::make_shared<ProbeHost>(ThisHost());
  command->add_option("--config", host->configuration, "of a daemon that was started with another than the usual one")
      ->capture_default_str();
  command->callback([&context, host] { context.command = [&context, host] { return Doctor(context, *host); }; });
}

}  // namespace holdpoint
