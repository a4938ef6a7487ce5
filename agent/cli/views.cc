// holdpoint status, sessions and holds: what the daemon shows.
#include <time.h>

#include <algorithm>

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/base/status.h"
#include "agent/cli/ask.h"
#include "agent/cli/context.h"
#include "agent/cli/terminal.h"
#include "agent/sink/counters.h"

namespace holdpoint {
namespace {

std::string RungTable(const Context& context, const Json& status) {
  Table table({"MECHANISM", "IN USE", "MISSING"});
  for (const Json& rung : status.value("rungs", Json::array())) {
    const std::string in_use = TextOf(rung, "in_use"), missing = TextOf(rung, "missing");
    const Tone tone = in_use == "none" ? Tone::kBad : missing.empty() ? Tone::kGood : Tone::kWarn;
    table.Add({{TextOf(rung, "capability")}, {in_use, tone}, {missing}});
  }
  return table.empty() ? "" : "\n" + table.Render(context.Colored(), TerminalWidth());
}

std::string CounterTable(const Context& context, const Json& status) {
  Table table({"SINCE START", "COUNT"});
  const Json kernel = status.value("kernel", Json::object());
  for (const auto& [name, value] : kernel.items()) {
    if (value.is_number_integer()) table.Add({{name}, {absl::StrCat(value.get<int64_t>())}});
  }
  return table.empty() ? "" : "\n" + table.Render(context.Colored(), TerminalWidth());
}

// What is lifted stands above everything else.
std::string LiftedLines(const Context& context, const Json& status) {
  std::string lines;
  for (const Json& lifted : status.value("lifted", Json::array())) {
    const std::string environment = TextOf(lifted, "environment");
    const std::string acts = environment.empty() ? "" : absl::StrCat(", ", NumberOf(lifted, "acts"), " acts passed");
    const std::string text =
        absl::StrCat(environment.empty() ? "OFF, nothing is stopped," : absl::StrCat("BREAK-GLASS in ", environment),
                     " until ", HumanTime(NumberOf(lifted, "ends")), ", by ", TextOf(lifted, "by"), acts, ": ",
                     TextOf(lifted, "reason"));
    absl::StrAppend(&lines, Painted(Safe(text), Tone::kBad, context.Colored()), "\n");
  }
  return lines;
}

std::string Ago(int64_t unix_seconds) {
  return HumanSeconds(std::max<int64_t>(0, time(nullptr) - unix_seconds)) + " ago";
}

std::string OldestText(const Json& spool) {
  const int64_t oldest = NumberOf(spool, "oldest");
  return oldest == 0 ? "" : absl::StrCat(", oldest ", Ago(oldest));
}

// How far the record is on its way, and what is in its way.
std::string DeliveryLines(const Context& context, const Json& spool) {
  std::string lines;
  const bool color = context.Colored();
  if (FlagOf(spool, "in_reserve")) {
    const char full[] = "THE DISK IS FULL: only refusals, holds and decisions are recorded";
    absl::StrAppend(&lines, "          ", Painted(full, Tone::kBad, color), "\n");
  }
  if (!FlagOf(spool, "kafka")) return lines + "delivery  no brokers configured: the spool is the store\n";
  const int64_t last = NumberOf(spool, "last_delivery"), record = NumberOf(spool, "last_delivered_record");
  const int64_t waiting = NumberOf(spool, "undelivered");
  absl::StrAppend(&lines, "delivery  ", waiting, " records wait, ",
                  last == 0 ? "none delivered yet" : absl::StrCat("last delivery ", Ago(last)));
  if (waiting > 0 && record > 0) absl::StrAppend(&lines, ", of a record made ", Ago(record));
  const std::string trouble = TextOf(spool, "trouble");
  if (!trouble.empty()) absl::StrAppend(&lines, "; ", Painted(Safe(trouble), Tone::kBad, color));
  return lines + "\n";
}

// How far the places beside the topic are: of these root alone can see more than that they are there.
std::string SinkLines(const Context& context, const Json& status) {
  const Json sinks = status.value("sinks", Json::object());
  std::vector<std::string> parts;
  for (const Json& name : sinks.value("names", Json::array())) {
    if (!name.is_string()) continue;
    const SinkCounters counters = ReadSinkCounters(SinkCountersPath(TextOf(status, "state"), name.get<std::string>()));
    std::string part = absl::StrCat(Safe(name.get<std::string>()), counters.delivered > 0 ? absl::StrCat(" ", counters.delivered) : "");
    if (counters.missing > 0) absl::StrAppend(&part, " (", counters.missing, " missing)");
    if (IsAway(counters)) part = Painted(absl::StrCat(part, " AWAY: ", Safe(counters.last_failure)), Tone::kBad, context.Colored());
    parts.push_back(std::move(part));
  }
  if (parts.empty()) return "";
  const std::string state = FlagOf(sinks, "alive") ? "alive" : Painted("NOT RUNNING", Tone::kBad, context.Colored());
  return absl::StrCat("sinks     ", state, ": ", absl::StrJoin(parts, ", "), "\n");
}

absl::StatusOr<int> Status(const Context& context) {
  ControlRequest request{.command = ControlCommand::kStatus};
  HP_ASSIGN_OR_RETURN(const ControlAnswer answer, Ask(context, request));
  if (answer.exit_code != 0) return Tell(answer);
  HP_ASSIGN_OR_RETURN(const Json status, ObjectOf(answer));
  if (context.json) {
    Print(JsonLine(status));
    return 0;
  }
  const Json judge = status.value("judge", Json::object()), spool = status.value("spool", Json::object());
  const bool alive = FlagOf(judge, "alive"), color = context.Colored();
  const int64_t lost = NumberOf(spool, "lost");
  const bool more_lost = NumberOf(spool, "losses_unknown") > 0;
  const std::string mode = TextOf(status, "mode");
  Print(LiftedLines(context, status));
  Print(absl::StrCat(
      "daemon    holdpointd ", Safe(TextOf(status, "daemon")), ", instance ", Safe(TextOf(status, "instance")), ", ",
      Painted(Safe(mode), mode == "enforce" ? Tone::kGood : Tone::kWarn, color), ", up ",
      HumanSeconds(NumberOf(status, "uptime_s")), "\n",   //
      "scope     ", Safe(TextOf(status, "scope")), "\n",  //
      "watching  ", NumberOf(status, "sessions"), " sessions, ", NumberOf(status, "holds"), " held, ",
      NumberOf(status, "tickets"), " tickets open\n",  //
      "judge     ", alive ? Painted("alive", Tone::kGood, color) : Painted("NOT RUNNING", Tone::kBad, color), ", ",
      NumberOf(judge, "rules"), " rules, policy ", Safe(TextOf(judge, "policy_hash")).substr(0, 12), ", restarted ",
      NumberOf(judge, "restarts"), " times\n",  //
      "record    ", HumanBytes(static_cast<uint64_t>(NumberOf(spool, "bytes"))), ", last event ",
      NumberOf(spool, "last_sequence"), ", ",
      Painted(absl::StrCat(lost, more_lost ? " and an unknown number more lost" : " lost"),
              lost == 0 && !more_lost ? Tone::kPlain : Tone::kBad, color),
      OldestText(spool), ", in ",
      Safe(TextOf(status, "state")), "\n"));
  Print(DeliveryLines(context, spool));
  Print(SinkLines(context, status));
  const Json notices = status.value("notices", Json::object());
  const std::string problem = TextOf(notices, "problem");
  Print(absl::StrCat("notices   ", Safe(TextOf(notices, "state")), ", ", NumberOf(notices, "told"), " told (",
                     NumberOf(notices, "terminals"), " terminals, webhook ", NumberOf(notices, "webhook_delivered"),
                     " delivered, ", NumberOf(notices, "webhook_failed"), " failed), ", NumberOf(notices, "lost"),
                     " lost, ", NumberOf(notices, "watching"), " watching",
                     problem.empty() ? "" : "; " + Painted(Safe(problem), Tone::kBad, color), "\n"));
  const Json consults = status.value("consults", Json::object());
  const Json verdict = consults.value("to_verdict", Json::object());
  const Json go_on = consults.value("to_continue", Json::object());
  if (NumberOf(verdict, "count") > 0) {
    Print(absl::StrCat("consults  ", NumberOf(verdict, "count"), ", verdict after ", NumberOf(verdict, "p50_us"),
                       " us (p50), ", NumberOf(verdict, "p99_us"), " us (p99); continued after ",
                       NumberOf(go_on, "p50_us"), " us, ", NumberOf(go_on, "p99_us"), " us\n"));
  }
  Print(RungTable(context, status));
  Print(CounterTable(context, status));
  return 0;
}

// Prints rows as JSON lines or as a table; the sentence where there are none.
absl::StatusOr<int> List(const Context& context, ControlCommand command, const std::string& key,
                         std::vector<std::string> header, const std::string& none,
                         const std::function<void(const Json&, Table&)>& add) {
  ControlRequest request{.command = command};
  HP_ASSIGN_OR_RETURN(const ControlAnswer answer, Ask(context, request));
  if (answer.exit_code != 0) return Tell(answer);
  HP_ASSIGN_OR_RETURN(const std::vector<Json> rows, RowsOf(answer, key));
  if (!context.json && !answer.message.empty()) {
    Print(Painted(Safe(answer.message), Tone::kBad, context.Colored()) + "\n");
  }
  Table table(std::move(header));
  for (const Json& row : rows) {
    if (context.json) {
      Print(JsonLine(row));
    } else {
      add(row, table);
    }
  }
  if (!context.json) Print(table.empty() ? none + "\n" : table.Render(context.Colored(), TerminalWidth()));
  return 0;
}

void AddSessionRow(const Json& row, Table& table) {
  const int64_t until = NumberOf(row, "ended") != 0 ? NumberOf(row, "ended") : time(nullptr);
  const std::string environment = TextOf(row, "environment");
  const int64_t refused = NumberOf(row, "refused");
  table.Add({{TextOf(row, "id")},
             {TextOf(row, "coding_agent")},
             {environment.empty() ? "unknown" : environment, FlagOf(row, "protected") ? Tone::kBad : Tone::kPlain},
             {TextOf(row, "user")},
             {absl::StrCat(NumberOf(row, "root_tgid"))},
             {absl::StrCat(NumberOf(row, "processes"))},
             {HumanSeconds(until - NumberOf(row, "started"))},
             {absl::StrCat(NumberOf(row, "execs"))},
             {absl::StrCat(NumberOf(row, "asked"))},
             {absl::StrCat(refused), refused == 0 ? Tone::kPlain : Tone::kBad},
             {TextOf(row, "workspace")}});
}

void AddHoldRow(const Json& row, Table& table) {
  const std::string state = TextOf(row, "state");
  const bool held = state == "held", waits = held || state == "open";
  const int64_t until = NumberOf(row, held ? "deadline_unix" : "expires_unix");
  const std::string rollback = ListOf(row, "rollback");
  const int64_t attempts = NumberOf(row, "attempts"), wanted = NumberOf(row, "approvals_wanted");
  std::string more;
  if (attempts > 1) absl::StrAppend(&more, "; ", attempts, " attempts");
  if (wanted > 1 && waits) {
    const std::string approved = ListOf(row, "approved_by");
    absl::StrAppend(&more, approved.empty() ? "; two persons have to approve" : "; a second person has to approve, after ",
                    approved);
  }
  table.Add({{TextOf(row, "ticket")},
             {state, held    ? Tone::kBad
                     : waits ? Tone::kWarn
                             : Tone::kDim},
             {waits ? HumanSeconds(until - time(nullptr)) : "-"},
             {TextOf(row, "environment")},
             {ListOf(row, "owners")},
             {TextOf(row, "summary")}},
            absl::StrCat("why: ", TextOf(row, "reason"), " (", TextOf(row, "rule"), "; session ",
                         TextOf(row, "session"), more, rollback.empty() ? "" : absl::StrCat("; rollback: ", rollback), ")"));
}

absl::StatusOr<int> Sessions(const Context& context) {
  return List(context, ControlCommand::kSessions, "sessions",
              {"SESSION", "CODING AGENT", "ENVIRONMENT", "USER", "PID", "PROCESSES", "AGE", "EXECS", "ASKED", "REFUSED",
               "WORKSPACE"},
              "no sessions", AddSessionRow);
}

absl::StatusOr<int> Holds(const Context& context) {
  return List(context, ControlCommand::kHolds, "holds",
              {"TICKET", "STATE", "LEFT", "ENVIRONMENT", "MAY APPROVE", "COMMAND"}, "nothing waits for a decision",
              AddHoldRow);
}

absl::StatusOr<int> Detach(const Context& context, uint64_t pid) {
  ControlRequest request{.command = ControlCommand::kDetach, .number = pid};
  HP_ASSIGN_OR_RETURN(const ControlAnswer answer, Ask(context, request));
  return Tell(answer);
}

}  // namespace

void AddViews(CLI::App& app, Context& context) {
  app.add_subcommand("status", "The daemon, its judge, its record and the mechanisms in use")->callback([&context] {
    context.command = [&context] { return Status(context); };
  });
  app.add_subcommand("holds", "What is held or waits for a decision, and who may approve it")->callback([&context] {
    context.command = [&context] { return Holds(context); };
  });

  CLI::App* sessions = app.add_subcommand("sessions", "The coding agents that are watched");
  sessions->callback([&context, sessions] {
    if (sessions->get_subcommands().empty()) context.command = [&context] { return Sessions(context); };
  });
  auto pid = std::make_shared<uint64_t>(0);
  CLI::App* detach = sessions->add_subcommand("detach", "Take the label off a process that a session started (root)");
  detach->add_option("pid", *pid, "its process id")->required()->check(CLI::PositiveNumber);
  detach->callback([&context, pid] { context.command = [&context, pid] { return Detach(context, *pid); }; });
}

}  // namespace holdpoint
