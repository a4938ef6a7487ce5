// holdpoint test-alert: a harmless, marked event through everything, and where it arrived.
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/base/status.h"
#include "agent/cli/ask.h"
#include "agent/cli/context.h"
#include "agent/cli/terminal.h"
#include "agent/event/recorder.h"
#include "agent/spool/cursor.h"
#include "agent/spool/reader.h"

namespace holdpoint {
namespace {

constexpr int kUndecided = 75;
constexpr absl::Duration kLookAgain = absl::Milliseconds(100);

struct TestAlertOptions {
  std::string collector_db;
  int timeout_s = 30;
};

// One station on the way.
struct Station {
  std::string name;
  bool arrived = false;
  std::string detail = {};
};

struct SentAlert {
  std::string id, run_id, state;
  uint64_t sequence = 0;
  bool kafka = false;
};

std::string Caller() {
  const char* sudo = getenv("SUDO_USER");
  if (sudo != nullptr && *sudo != '\0') return sudo;
  const passwd* entry = getpwuid(getuid());
  return entry == nullptr ? absl::StrCat("uid ", getuid()) : entry->pw_name;
}

absl::StatusOr<SentAlert> Send(const Context& context, absl::StatusOr<int>* refused) {
  ControlRequest request{.command = ControlCommand::kTestAlert};
  HP_RETURN_IF_ERROR(SetControlText(request.text1, Caller(), "who calls"));
  HP_ASSIGN_OR_RETURN(const ControlAnswer answer, Ask(context, request));
  if (answer.exit_code != 0) {
    *refused = Tell(answer);
    return SentAlert{};
  }
  HP_ASSIGN_OR_RETURN(const Json sent, ObjectOf(answer));
  return SentAlert{.id = TextOf(sent, "id"),
                   .run_id = TextOf(sent, "run_id"),
                   .state = context.state.empty() ? TextOf(sent, "state") : context.state,
                   .sequence = static_cast<uint64_t>(NumberOf(sent, "sequence")),
                   .kafka = FlagOf(sent, "kafka")};
}

// Looks until `there` is true or the time is over.
absl::StatusOr<bool> Await(absl::Time deadline, const std::function<absl::StatusOr<bool>()>& there) {
  for (;;) {
    HP_ASSIGN_OR_RETURN(const bool found, there());
    if (found || absl::Now() >= deadline) return found;
    poll(nullptr, 0, static_cast<int>(absl::ToInt64Milliseconds(kLookAgain)));
  }
}

absl::StatusOr<Station> InSpool(const SentAlert& sent) {
  const std::string where = absl::StrCat(sent.state, "/spool");
  HP_ASSIGN_OR_RETURN(const auto reader,
                      SpoolReader::Open(where, {.from = {.next_sequence = {{sent.run_id, sent.sequence}}}}));
  Station station{.name = "spool", .detail = absl::StrCat("not found in ", where)};
  SpoolReader::Record record;
  for (;;) {
    HP_ASSIGN_OR_RETURN(const bool more, reader->Next(&record));
    if (!more) return station;
    v1::Envelope event;
    if (record.run_id != sent.run_id || record.sequence != sent.sequence || !ParseRecord(record.bytes, &event)) continue;
    station.arrived = event.test_alert().id() == sent.id;
    station.detail = absl::StrCat("record ", sent.sequence, " of run ", sent.run_id, " in ", where);
    return station;
  }
}

absl::StatusOr<Station> AtBrokers(const SentAlert& sent, absl::Time deadline) {
  Station station{.name = "brokers"};
  if (!sent.kafka) {
    station.arrived = true;
    station.detail = "none are configured: the spool is the store";
    return station;
  }
  const absl::Time begin = absl::Now();
  const std::string cursor = CursorPath(sent.state);
  const auto delivered = [&]() -> absl::StatusOr<bool> {
    HP_ASSIGN_OR_RETURN(const Cursor now, ReadCursor(cursor));
    return now.Next(sent.run_id) > sent.sequence;
  };
  HP_ASSIGN_OR_RETURN(station.arrived, Await(deadline, delivered));
  const std::string took = absl::FormatDuration(absl::Trunc(absl::Now() - begin, absl::Milliseconds(1)));
  station.detail = station.arrived ? absl::StrCat("delivered to them within ", took)
                                   : "no delivery report: holdpoint status and the log of holdpoint-stream say why";
  return station;
}

// The collector's own program reads its database: it may be another version's.
absl::StatusOr<bool> CollectorHas(const std::string& db, const std::string& id) {
  std::error_code ignored;
  const std::filesystem::path own = std::filesystem::read_symlink("/proc/self/exe", ignored);
  int out[2];
  if (pipe2(out, O_CLOEXEC) != 0) return ErrnoStatus("pipe");
  const pid_t child = fork();
  if (child < 0) return ErrnoStatus("fork");
  if (child == 0) {
    dup2(out[1], STDOUT_FILENO);
    const std::string program = own.parent_path() / "holdpoint-collector";
    execl(program.c_str(), program.c_str(), "events", "--db", db.c_str(), "--type", "test_alert", "--limit", "100",
          "--json", nullptr);
    _exit(127);
  }
  close(out[1]);
  std::string text;
  char buffer[8192];
  for (ssize_t n; (n = read(out[0], buffer, sizeof(buffer))) > 0;) text.append(buffer, static_cast<size_t>(n));
  close(out[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return absl::UnavailableError(absl::StrCat("holdpoint-collector cannot read ", db));
  }
  return text.find(absl::StrCat("\"", id, "\"")) != std::string::npos;
}

absl::StatusOr<Station> InCollector(const SentAlert& sent, const std::string& db, absl::Time deadline) {
  Station station{.name = "collector"};
  HP_ASSIGN_OR_RETURN(station.arrived, Await(deadline, [&] { return CollectorHas(db, sent.id); }));
  station.detail = station.arrived ? absl::StrCat("in ", db) : absl::StrCat("not in ", db, " yet");
  return station;
}

absl::StatusOr<int> TestAlert(const Context& context, const TestAlertOptions& options) {
  absl::StatusOr<int> refused = 0;
  HP_ASSIGN_OR_RETURN(const SentAlert sent, Send(context, &refused));
  if (sent.id.empty()) return refused;
  const absl::Time deadline = absl::Now() + absl::Seconds(options.timeout_s);
  std::vector<Station> stations;
  HP_ASSIGN_OR_RETURN(Station spool, InSpool(sent));
  stations.push_back(std::move(spool));
  HP_ASSIGN_OR_RETURN(Station brokers, AtBrokers(sent, deadline));
  stations.push_back(std::move(brokers));
  if (!options.collector_db.empty()) {
    HP_ASSIGN_OR_RETURN(Station collector, InCollector(sent, options.collector_db, deadline));
    stations.push_back(std::move(collector));
  }
  bool all = true;
  if (!context.json) Print(absl::StrCat("test alert ", sent.id, ": nothing happened, it is only looked for\n"));
  for (const Station& station : stations) {
    all = all && station.arrived;
    if (context.json) {
      Print(JsonLine({{"id", sent.id},
                      {"station", station.name},
                      {"arrived", station.arrived},
                      {"detail", station.detail}}));
      continue;
    }
    const Tone tone = station.arrived ? Tone::kGood : Tone::kBad;
    Print(absl::StrCat("  ", Painted(station.arrived ? "arrived " : "MISSING ", tone, context.Colored()), station.name,
                       ": ", Safe(station.detail), "\n"));
  }
  if (!context.json && options.collector_db.empty()) {
    Print(absl::StrCat("at the SOC: holdpoint-collector events --type test_alert, and look for ", sent.id, "\n"));
  }
  return all ? 0 : kUndecided;
}

}  // namespace

void AddTestAlert(CLI::App& app, Context& context) {
  auto options = std::make_shared<TestAlertOptions>();
  CLI::App* alert = app.add_subcommand("test-alert", "A harmless, marked event through everything, and where it arrived (root)");
  alert->add_option("--collector-db", options->collector_db, "a collector's database on this host: look there as well");
  alert->add_option("--timeout", options->timeout_s, "seconds to wait for it at most")
      ->check(CLI::Range(0, 3600))
      ->capture_default_str();
  alert->callback([&context, options] {
    context.command = [&context, options] { return TestAlert(context, *options); };
  });
}

}  // namespace holdpoint
