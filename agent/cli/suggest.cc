// holdpoint suggest: tags for what was seen, as a change of the configuration file.
#include <stdio.h>

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/base/status.h"
#include "agent/cli/ask.h"
#include "agent/cli/context.h"
#include "agent/cli/files.h"
#include "agent/cli/read_record.h"
#include "agent/cli/terminal.h"
#include "agent/environment/load.h"
#include "agent/suggest/config_edit.h"
#include "agent/suggest/sightings.h"

namespace holdpoint {
namespace {

constexpr const char* kKinds[] = {"host", "address", "credential", "credential-file", "resource"};

std::string Shown(const Proposal& proposal) {
  return absl::StrCat(proposal.type.empty() ? kKinds[static_cast<size_t>(proposal.kind)] : proposal.type, " ",
                      proposal.name, proposal.port == 0 ? "" : absl::StrCat(" port ", proposal.port));
}

absl::StatusOr<int> Suggest(const Context& context, const std::string& file, const std::string& since) {
  HP_ASSIGN_OR_RETURN(const absl::Duration span, ParseSpan(since));
  absl::StatusOr<std::string> bytes = ReadWholeFile(file);
  if (!bytes.ok() && !absl::IsNotFound(bytes.status())) return bytes.status();
  const std::string text = bytes.ok() ? *bytes : "";
  HP_ASSIGN_OR_RETURN(const Configuration configuration, LoadConfiguration(file, text));
  Sightings sightings(configuration);
  const int64_t from = absl::ToUnixNanos(absl::Now() - span);
  HP_RETURN_IF_ERROR(ReadRecord(context, [&sightings, from](const v1::Envelope& event) {
    if (event.time_unix_ns() >= from) sightings.Add(event);
  }));
  const std::vector<Proposal> proposals = sightings.Proposals();
  HP_ASSIGN_OR_RETURN(const ConfigEdit edit, WriteProposals(file, text, proposals));
  if (context.json) {
    for (const Proposal& proposal : proposals) {
      Print(JsonLine({{"kind", kKinds[static_cast<size_t>(proposal.kind)]},
                      {"type", proposal.type},
                      {"name", proposal.name},
                      {"port", proposal.port},
                      {"environment", proposal.environment},
                      {"why", proposal.why}}));
    }
    return 0;
  }
  Print(edit.diff);
  for (const Proposal& proposal : proposals) {
    if (!proposal.environment.empty()) continue;
    fprintf(stderr, "holdpoint: left to you: %s (%s)\n", Safe(Shown(proposal)).c_str(), Safe(proposal.why).c_str());
  }
  if (proposals.empty()) fprintf(stderr, "holdpoint: nothing was seen that is not tagged\n");
  if (!configuration.record.allowed_in_full) {
    fprintf(stderr,
            "holdpoint: allowed commands were only counted; with `record: {allowed: full}` their hosts are seen, too\n");
  }
  return 0;
}

}  // namespace

void AddSuggest(CLI::App& app, Context& context) {
  auto file = std::make_shared<std::string>("/etc/holdpoint/holdpoint.yaml");
  auto since = std::make_shared<std::string>("30d");
  CLI::App* suggest = app.add_subcommand(
      "suggest", "Propose tags for what was seen, as a diff for patch(1): review it, apply it, config check (root)");
  suggest->add_option("--config", *file, "the configuration that is to be changed")->capture_default_str();
  suggest->add_option("--since", *since, "how far back: 24h, 30d")->capture_default_str();
  suggest->callback(
      [&context, file, since] { context.command = [&context, file, since] { return Suggest(context, *file, *since); }; });
}

}  // namespace holdpoint
