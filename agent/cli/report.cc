// holdpoint report: what was stopped and what would have been.
#include <CLI/CLI.hpp>

#include "absl/time/clock.h"
#include "agent/base/status.h"
#include "agent/cli/context.h"
#include "agent/cli/read_record.h"
#include "agent/cli/terminal.h"
#include "agent/report/render.h"

namespace holdpoint {
namespace {

constexpr size_t kUsualWidth = 80;  // where there is no terminal

absl::StatusOr<int> Report(const Context& context, const std::string& since) {
  HP_ASSIGN_OR_RETURN(const absl::Duration span, ParseSpan(since));
  Tally tally(absl::Now() - span);
  HP_RETURN_IF_ERROR(ReadRecord(context, [&tally](const v1::Envelope& event) { tally.Add(event); }));
  const size_t width = TerminalWidth() == 0 ? kUsualWidth : TerminalWidth();
  Print(context.json ? ReportJson(tally) + "\n" : RenderReport(tally, span, context.Colored(), width));
  return 0;
}

}  // namespace

void AddReport(CLI::App& app, Context& context) {
  auto since = std::make_shared<std::string>("24h");
  CLI::App* report = app.add_subcommand("report", "What was stopped, and what observed rules would have stopped (root)");
  report->add_option("--since", *since, "how far back: 90m, 24h, 7d")->capture_default_str();
  report->callback([&context, since] { context.command = [&context, since] { return Report(context, *since); }; });
}

}  // namespace holdpoint
