// holdpoint metrics: what the daemon counts, for Prometheus.
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "agent/base/fd.h"
#include "agent/base/status.h"
#include "agent/cli/ask.h"
#include "agent/cli/context.h"
#include "agent/cli/exposition.h"

namespace holdpoint {
namespace {

double Number(const Json& row, const char* key) { return static_cast<double>(NumberOf(row, key)); }
Json Part(const Json& row, const char* key) { return row.value(key, Json::object()); }

void Single(Exposition& out, absl::string_view name, absl::string_view type, absl::string_view help, double value) {
  out.Family(name, type, help);
  out.Sample({}, value);
}

void Histogram(Exposition& out, const Exposition::Labels& labels, const Json& of) {
  for (const Json& bucket : of.value("shorter", Json::array())) {
    if (!bucket.is_array() || bucket.size() != 2) continue;
    Exposition::Labels with = labels;
    with.emplace_back("le", absl::StrFormat("%.9g", bucket[0].get<double>() / 1e9));
    out.Sample(with, bucket[1].get<double>(), "_bucket");
  }
  Exposition::Labels all = labels;
  all.emplace_back("le", "+Inf");
  out.Sample(all, Number(of, "count"), "_bucket");
  out.Sample(labels, Number(of, "sum_ns") / 1e9, "_sum");
  out.Sample(labels, Number(of, "count"), "_count");
}

void Daemon(Exposition& out, const Json& of) {
  out.Family("holdpoint_build_info", "gauge", "Always 1; the daemon's version is its label.");
  out.Sample({{"version", TextOf(of, "version")}}, 1);
  Single(out, "holdpoint_uptime_seconds", "gauge", "How long the daemon has run.", Number(of, "uptime_s"));
  Single(out, "holdpoint_sessions", "gauge", "Sessions of coding agents that run now.", Number(of, "sessions"));
  Single(out, "holdpoint_holds", "gauge", "Processes that are held now.", Number(of, "holds"));
  Single(out, "holdpoint_tickets_open", "gauge", "Tickets that wait for a decision.", Number(of, "tickets"));
  const Json judge = Part(of, "judge");
  Single(out, "holdpoint_judge_up", "gauge", "1 where the judge answers; at 0 the fail mode decides.",
         FlagOf(judge, "alive") ? 1 : 0);
  Single(out, "holdpoint_judge_restarts_total", "counter", "Times that the judge was started again.",
         Number(judge, "restarts"));
}

void Record(Exposition& out, const Json& record, const Json& spool) {
  out.Family("holdpoint_events_total", "counter", "Events that the spool took, by type.");
  const Json events = Part(record, "events"), verdicts = Part(record, "verdicts");
  for (const auto& [type, count] : events.items()) out.Sample({{"type", type}}, count.get<double>());
  out.Family("holdpoint_verdicts_total", "counter", "Acts by verdict; allowed ones when their minute is over.");
  for (const auto& [verdict, count] : verdicts.items()) {
    out.Sample({{"verdict", verdict}}, count.get<double>());
  }
  out.Family("holdpoint_lost_events_total", "counter", "Events that nobody will see, by where and why they were lost.");
  for (const Json& loss : record.value("losses", Json::array())) {
    out.Sample({{"stage", TextOf(loss, "stage")}, {"reason", TextOf(loss, "reason")}}, Number(loss, "count"));
  }
  Single(out, "holdpoint_losses_of_unknown_size_total", "counter", "Losses whose number of events nobody knows.",
         Number(spool, "losses_unknown"));
  Single(out, "holdpoint_record_bytes_total", "counter", "Bytes of the events that the spool took.",
         Number(record, "bytes"));
  Single(out, "holdpoint_evicted_delivered_events_total", "counter",
         "Events that left this host after the brokers had them.", Number(record, "evicted_delivered"));
}

void Spool(Exposition& out, const Json& spool) {
  const auto age = [now = static_cast<double>(time(nullptr))](double unix_seconds) {
    return std::max(0.0, now - unix_seconds);
  };
  Single(out, "holdpoint_spool_bytes", "gauge", "What the spool takes on disk.", Number(spool, "bytes"));
  Single(out, "holdpoint_spool_reserve_in_use", "gauge",
         "1 where the disk is full and only refusals, holds and decisions are written.", FlagOf(spool, "in_reserve") ? 1 : 0);
  if (NumberOf(spool, "oldest") > 0) {
    Single(out, "holdpoint_spool_oldest_event_age_seconds", "gauge", "Age of the oldest event in the spool.",
           age(Number(spool, "oldest")));
  }
}

void Delivery(Exposition& out, const Json& spool, const Json& delivery) {
  if (!FlagOf(spool, "kafka")) return;
  Single(out, "holdpoint_undelivered_events", "gauge", "Events that the brokers are not known to have.",
         Number(spool, "undelivered"));
  if (NumberOf(spool, "last_delivery") > 0) {
    Single(out, "holdpoint_last_delivery_timestamp_seconds", "gauge", "When the brokers last took an event.",
           Number(spool, "last_delivery"));
  }
  Single(out, "holdpoint_stream_blocked", "gauge", "1 where something keeps events from being delivered.",
         TextOf(spool, "trouble").empty() ? 0 : 1);
  if (NumberOf(delivery, "delivered") == 0) return;  // The stream process said nothing.
  Single(out, "holdpoint_delivered_events_total", "counter", "Events that the brokers have.",
         Number(delivery, "delivered"));
  Single(out, "holdpoint_stream_restarts_total", "counter", "Times that the stream began anew with the brokers.",
         Number(delivery, "restarts"));
  out.Family("holdpoint_delivery_delay_seconds", "histogram", "From the recording of an event to the brokers' word.");
  Histogram(out, {}, Part(delivery, "delay"));
}

std::string Render(const Json& of) {
  Exposition out;
  Daemon(out, of);
  Record(out, Part(of, "record"), Part(of, "spool"));
  Spool(out, Part(of, "spool"));
  Delivery(out, Part(of, "spool"), Part(of, "delivery"));
  out.Family("holdpoint_consult_seconds", "histogram",
             "From the kernel's event to the verdict, and to a task that may go on being continued.");
  const Json consults = Part(of, "consults");
  Histogram(out, {{"until", "verdict"}}, Part(consults, "to_verdict"));
  Histogram(out, {{"until", "continued"}}, Part(consults, "to_continue"));
  return out.text();
}

// A reader sees the old file or the new one.
absl::Status Replace(const std::string& path, const std::string& text) {
  const std::string fresh = absl::StrCat(path, ".", getpid());
  {
    const UniqueFd fd(open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!fd.ok()) return ErrnoStatus(fresh);
    const ssize_t written = write(fd.get(), text.data(), text.size());
    const int error = written < 0 ? errno : ENOSPC;
    if (written != static_cast<ssize_t>(text.size())) {
      unlink(fresh.c_str());
      return ErrnoStatus(absl::StrCat("writing ", fresh), error);
    }
  }
  if (rename(fresh.c_str(), path.c_str()) == 0) return absl::OkStatus();
  const absl::Status status = ErrnoStatus(path);
  unlink(fresh.c_str());
  return status;
}

absl::StatusOr<int> Metrics(const Context& context, const std::string& file) {
  ControlRequest request{.command = ControlCommand::kMetrics};
  HP_ASSIGN_OR_RETURN(const ControlAnswer answer, Ask(context, request));
  if (answer.exit_code != 0) return Tell(answer);
  HP_ASSIGN_OR_RETURN(const Json of, ObjectOf(answer));
  const std::string text = context.json ? JsonLine(of) : Render(of);
  if (file.empty()) {
    Print(text);
  } else {
    HP_RETURN_IF_ERROR(Replace(file, text));
  }
  return 0;
}

}  // namespace

void AddMetrics(CLI::App& app, Context& context) {
  auto file = std::make_shared<std::string>();
  CLI::App* metrics = app.add_subcommand("metrics", "What the daemon counts, in Prometheus' text format");
  metrics->add_option("--file", *file, "write it there, whole or not at all: for node_exporter's textfile collector");
  metrics->callback([&context, file] {
    context.command = [&context, file] { return Metrics(context, *file); };
  });
}

}  // namespace holdpoint
