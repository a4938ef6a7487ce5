// holdpoint sinks: how far each place beside the topic is.
#include "agent/cli/sinks.h"

#include <dirent.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "agent/base/status.h"
#include "agent/cli/context.h"
#include "agent/cli/rows.h"
#include "agent/cli/terminal.h"
#include "agent/sink/counters.h"

namespace holdpoint {
namespace {

absl::StatusOr<std::vector<std::string>> SinkNames(const std::string& folder) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(folder.c_str()), closedir);
  if (dir == nullptr) {
    if (errno == ENOENT) return names;
    return ErrnoStatus(folder);
  }
  while (const dirent* entry = readdir(dir.get())) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<int> Sinks(const Context& context) {
  const std::string state = context.StateDir();
  const absl::StatusOr<std::vector<std::string>> names = SinkNames(absl::StrCat(state, "/stream/sinks"));
  if (absl::IsPermissionDenied(names.status())) {
    return absl::PermissionDeniedError(absl::StrCat(names.status().message(), ": only root looks there, use sudo"));
  }
  HP_RETURN_IF_ERROR(names.status());
  Table table({"SINK", "FORMAT", "DELIVERED", "LEFT OUT", "MISSING", "FAILURES", "TARGET"});
  for (const std::string& name : *names) {
    const SinkCounters counters = ReadSinkCounters(SinkCountersPath(state, name));
    if (context.json) {
      Print(JsonLine({{"name", name},
                      {"format", counters.format},
                      {"target", counters.target},
                      {"delivered", counters.delivered},
                      {"below_minimum", counters.below_minimum},
                      {"missing", counters.missing},
                      {"unreadable", counters.unreadable},
                      {"cut", counters.cut},
                      {"failures", counters.failures},
                      {"last_failure", counters.last_failure},
                      {"last_delivery_unix_ns", counters.last_delivery_unix_ns},
                      {"last_failure_unix_ns", counters.last_failure_unix_ns}}));
      continue;
    }
    const bool away = IsAway(counters);
    table.Add({{name},
               {counters.format},
               {absl::StrCat(counters.delivered)},
               {absl::StrCat(counters.below_minimum)},
               {absl::StrCat(counters.missing), counters.missing == 0 ? Tone::kPlain : Tone::kBad},
               {absl::StrCat(counters.failures), away ? Tone::kBad : Tone::kPlain},
               {counters.target}},
              away ? absl::StrCat("away: ", counters.last_failure) : "");
  }
  if (context.json) return 0;
  Print(table.empty() ? "no sinks: the configuration names none (sinks), and holdpoint-sinks was never started\n"
                      : table.Render(context.Colored(), TerminalWidth()));
  return 0;
}

}  // namespace

void AddSinks(CLI::App& app, Context& context) {
  app.add_subcommand("sinks", "How far each sink is: what it has, what it missed, why it is away (root)")
      ->callback([&context] { context.command = [&context] { return Sinks(context); }; });
}

}  // namespace holdpoint
