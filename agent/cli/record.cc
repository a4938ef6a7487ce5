// holdpoint events and verify: the record, read from its spool.
#include <stdio.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <deque>
#include <filesystem>
#include <iterator>
#include <optional>

#include "absl/strings/str_cat.h"
#include "agent/base/status.h"
#include "agent/cli/ask.h"
#include "agent/cli/context.h"
#include "agent/cli/terminal.h"
#include "agent/event/body.h"
#include "agent/event/render.h"
#include "agent/export/format.h"
#include "agent/spool/reader.h"
#include "agent/spool/verify.h"

namespace holdpoint {
namespace {

constexpr absl::Duration kLookAgain = absl::Seconds(5);  // where nothing wakes the reader
constexpr size_t kFollowedTail = 10;

struct EventOptions {
  bool follow = false;
  std::string session, kind, format;
  size_t last = 0;  // 0: all, or kFollowedTail when following
};

absl::Status WithHint(absl::Status status, const std::string& spool) {
  if (status.code() == absl::StatusCode::kNotFound) {
    return absl::UnavailableError(
        absl::StrCat("there is no record in ", spool, ": --state or --instance say where it is"));
  }
  if (status.code() == absl::StatusCode::kPermissionDenied) {
    return absl::PermissionDeniedError(absl::StrCat(status.message(), ": only root reads the record, use sudo"));
  }
  return status;
}

class EventPrinter {
 public:
  EventPrinter(const Context& context, const EventOptions& options)
      : options_(options),
        format_(ParseExportFormat(options.format.empty() && context.json ? "json" : options.format)),
        color_(context.Colored()),
        keep_(options.last != 0 ? options.last
              : options.follow  ? kFollowedTail
                                : 0) {}

  // Keeps or prints one record.
  void Take(const SpoolReader::Record& record) {
    v1::Envelope event;
    if (!event.ParseFromArray(record.bytes.data(), static_cast<int>(record.bytes.size()))) {
      fprintf(stderr, "holdpoint: record %llu cannot be decoded: holdpoint verify says more\n",
              static_cast<unsigned long long>(record.sequence));
      return;
    }
    if (!options_.session.empty() && event.session() != options_.session) return;
    if (!options_.kind.empty() && EventType(event) != options_.kind) return;
    std::string line = (format_.has_value() ? Export(*format_, event) : RenderEvent(event, color_)) + "\n";
    if (keep_ == 0 || live_) return Print(line);
    tail_.push_back(std::move(line));
    if (tail_.size() > keep_) tail_.pop_front();
  }

  // All that was there is read: prints what was kept; from now on nothing is.
  void ReachedEnd() {
    for (const std::string& line : tail_) Print(line);
    tail_.clear();
    live_ = true;
  }

 private:
  const EventOptions& options_;
  const std::optional<ExportFormat> format_;  // for people where there is none
  const bool color_;
  const size_t keep_;
  bool live_ = false;
  std::deque<std::string> tail_;
};

absl::StatusOr<int> Events(const Context& context, const EventOptions& options) {
  const std::string spool = context.StateDir() + "/spool";
  absl::StatusOr<std::unique_ptr<SpoolReader>> opened = SpoolReader::Open(spool, {});
  if (!opened.ok()) return WithHint(opened.status(), spool);
  SpoolReader& reader = **opened;
  EventPrinter printer(context, options);
  while (true) {
    SpoolReader::Record record;
    absl::StatusOr<bool> got = reader.Next(&record);
    if (!got.ok()) return WithHint(got.status(), spool);
    for (const std::string& notice : reader.TakeNotices()) fprintf(stderr, "holdpoint: %s\n", Safe(notice).c_str());
    if (*got) {
      printer.Take(record);
      continue;
    }
    printer.ReachedEnd();
    if (!options.follow) return 0;
    HP_RETURN_IF_ERROR(FlushOutput());
    reader.Wait(kLookAgain);
  }
}

absl::StatusOr<int> Verify(const Context& context) {
  const std::string spool = context.StateDir() + "/spool";
  const absl::StatusOr<SpoolReport> report = VerifySpool(spool);
  if (!report.ok()) return WithHint(report.status(), spool);
  if (!context.json) {
    Print(absl::StrCat(report->ToString(), "\n",
                       report->ok() ? Painted("the record is whole", Tone::kGood, context.Colored())
                                    : Painted("THE RECORD IS NOT WHOLE", Tone::kBad, context.Colored()),
                       "\n"));
    return report->ok() ? 0 : 1;
  }
  for (const StreamReport& stream : report->streams) {
    Json findings = Json::array();
    for (const ChainFinding& finding : stream.chain) findings.push_back(finding.text);
    for (const std::string& damage : stream.damage) findings.push_back(damage);
    Print(JsonLine({{"run_id", stream.run_id},
                    {"host", stream.host},
                    {"ok", stream.ok()},
                    {"segments", stream.segments},
                    {"bytes", stream.bytes},
                    {"records", stream.records},
                    {"first_sequence", stream.first_sequence},
                    {"last_sequence", stream.last_sequence},
                    {"declared_missing", stream.declared_missing},
                    {"newest", stream.newest},
                    {"findings", findings}}));
  }
  return report->ok() ? 0 : 1;
}

struct TopicOptions {
  std::string brokers, topic = "holdpoint.events.v1";
  std::vector<std::string> copies, keys, settings;
};

// The collector knows Kafka, this program does not: it becomes the collector.
absl::StatusOr<int> VerifyTopic(const Context& context, const TopicOptions& options) {
  std::error_code ignored;
  const std::string program =
      std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path() / "holdpoint-collector";
  std::vector<std::string> words = {program, "verify", "--brokers", options.brokers, "--topic", options.topic};
  const auto add = [&words](const char* flag, const std::vector<std::string>& values) {
    for (const std::string& value : values) words.insert(words.end(), {flag, value});
  };
  add("--copies", options.copies);
  add("--key", options.keys);
  add("--set", options.settings);
  if (context.json) words.push_back("--json");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  execv(program.c_str(), argv.data());
  return ErrnoStatus(absl::StrCat(program, " (it verifies topics)"));
}

}  // namespace

void AddRecord(CLI::App& app, Context& context) {
  auto options = std::make_shared<EventOptions>();
  CLI::App* events = app.add_subcommand("events", "What happened and what was decided, from the record (root)");
  events->add_flag("-f,--follow", options->follow, "go on with what happens next");
  events->add_option("-n,--last", options->last, "only the last N (with -f: 10)")->check(CLI::PositiveNumber);
  events->add_option("--session", options->session, "only this session's");
  events->add_option("--kind", options->kind, "only this kind: exec, connect, decision, outcome, ...");
  events->add_option("--format", options->format, "one line for each, as a SIEM reads it: json, cef, ocsf, ecs")
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(kExportFormatNames), std::end(kExportFormatNames))));
  events->callback(
      [&context, options] { context.command = [&context, options] { return Events(context, *options); }; });

  auto topic = std::make_shared<TopicOptions>();
  CLI::App* verify = app.add_subcommand(
      "verify", "Check that the record is whole: checksums, numbers, hash chain (root); with --brokers, that a topic is");
  auto* brokers = verify->add_option("--brokers", topic->brokers, "look into Kafka instead: host:port[,host:port...]");
  verify->add_option("--topic", topic->topic, "the topic that has every record")->needs(brokers)->capture_default_str();
  verify->add_option("--copies", topic->copies, "a topic with copies (repeatable)")->needs(brokers);
  verify->add_option("--key", topic->keys, "public key of a host's heartbeats, a file (repeatable)")->needs(brokers);
  verify->add_option("--set", topic->settings, "a property of librdkafka, NAME=VALUE or NAME.file=PATH (repeatable)")
      ->needs(brokers);
  verify->callback([&context, topic] {
    context.command = [&context, topic] {
      return topic->brokers.empty() ? Verify(context) : VerifyTopic(context, *topic);
    };
  });
}

}  // namespace holdpoint
