// holdpoint-collector: the SOC's side. Takes records from a topic or a spool, stores and verifies them, and shows them.
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iterator>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "agent/base/fd.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/base/stop_signals.h"
#include "agent/base/version.h"
#include "collector/consume/consume.h"
#include "collector/consume/kafka_source.h"
#include "collector/consume/spool_source.h"
#include "collector/consume/topic_reader.h"
#include "collector/print.h"
#include "collector/store/query.h"
#include "collector/store/store.h"
#include "holdpoint/v1/event.pb.h"

namespace holdpoint {
namespace {

constexpr int kFindings = 1;

struct Flags {
  std::string db = "holdpoint-collector.db";
  std::string spool = "/var/lib/holdpoint/spool";
  KafkaSourceOptions kafka;
  std::vector<std::string> settings;
  bool until_idle = false;
  bool follow = false;
  bool json = false;
  EventFilter filter;
  std::string verdict;
  std::vector<std::string> copies, keys;
  double late_minutes = 5;
};

absl::Status Take(RecordSource& source, Store& store, bool until_idle, const UniqueFd& stop) {
  const auto stopped = [&] {
    signalfd_siginfo info;
    return read(stop.get(), &info, sizeof(info)) == sizeof(info);
  };
  const absl::Status status = Consume(source, store, {.until_idle = until_idle, .batch = 1000, .stopped = stopped});
  const Store::Counts& counts = store.counts();
  LogInfo(counts.stored, " records stored, ", counts.duplicates, " duplicates, ", counts.conflicts, " conflicts, ",
          counts.rejected, " rejected");
  return status;
}

// NAME=VALUE, or NAME.file=PATH for what is no command line's business.
absl::StatusOr<std::map<std::string, std::string>> KafkaProperties(const std::vector<std::string>& texts) {
  std::map<std::string, std::string> properties;
  for (const std::string& text : texts) {
    const std::vector<std::string> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
    absl::string_view name = parts[0];
    if (parts.size() != 2 || name.empty()) {
      return absl::InvalidArgumentError("--set: want NAME=VALUE with a property of librdkafka, or NAME.file=PATH");
    }
    std::string value = parts[1];
    if (absl::ConsumeSuffix(&name, ".file")) {
      std::ifstream file(parts[1]);
      if (!file) return ErrnoStatus(parts[1]);
      value.assign(std::istreambuf_iterator<char>(file), {});
      absl::StripAsciiWhitespace(&value);
    }
    properties[std::string(name)] = std::move(value);
  }
  return properties;
}

absl::Status RunConsume(Flags& flags) {
  HP_ASSIGN_OR_RETURN(flags.kafka.settings, KafkaProperties(flags.settings));
  HP_ASSIGN_OR_RETURN(const UniqueFd stop, StopSignals());  // Before librdkafka's threads: they inherit the mask.
  HP_ASSIGN_OR_RETURN(const auto store, Store::Open(flags.db));
  HP_ASSIGN_OR_RETURN(const auto source, KafkaSource::Open(flags.kafka, *store));
  return Take(*source, *store, flags.until_idle, stop);
}

absl::Status RunIngest(const Flags& flags) {
  HP_ASSIGN_OR_RETURN(const UniqueFd stop, StopSignals());
  HP_ASSIGN_OR_RETURN(const auto store, Store::Open(flags.db));
  HP_ASSIGN_OR_RETURN(const auto source, SpoolSource::Open(flags.spool, *store));
  return Take(*source, *store, !flags.follow, stop);
}

absl::Status RunSessions(const Flags& flags) {
  HP_ASSIGN_OR_RETURN(Query query, Query::Open(flags.db));
  return PrintSessions(query, flags.json);
}

absl::Status RunEvents(Flags& flags) {
  if (!flags.verdict.empty()) {
    const std::string name = absl::StrCat("VERDICT_", absl::AsciiStrToUpper(flags.verdict));
    v1::Verdict verdict;
    if (!v1::Verdict_Parse(name, &verdict)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--verdict '", flags.verdict, "': want allow, audit, hold, refuse, kill or kill_session"));
    }
    flags.filter.min_verdict = verdict;
  }
  HP_ASSIGN_OR_RETURN(Query query, Query::Open(flags.db));
  const bool color = isatty(STDOUT_FILENO) != 0 && getenv("NO_COLOR") == nullptr;
  return PrintEvents(query, flags.filter, flags.json, color);
}

absl::StatusOr<bool> RunVerify(const Flags& flags) {
  {
    HP_RETURN_IF_ERROR(Query::Open(flags.db).status());  // Makes no file where there is none.
    HP_ASSIGN_OR_RETURN(const auto store, Store::Open(flags.db));
    HP_RETURN_IF_ERROR(store->Verify());
  }
  HP_ASSIGN_OR_RETURN(Query query, Query::Open(flags.db));
  return PrintVerification(query, flags.json);
}

// From the topics alone: no database, no consumer group.
absl::StatusOr<bool> RunVerifyTopic(Flags& flags) {
  TopicVerifierOptions options{.topic = flags.kafka.topic,
                               .keys = {},
                               .now = absl::Now(),
                               .late = absl::Minutes(flags.late_minutes)};
  for (const std::string& path : flags.keys) {
    std::ifstream file(path);
    if (!file) return ErrnoStatus(path);
    absl::StatusOr<HeartbeatPublicKey> key =
        HeartbeatPublicKey::Parse(std::string{std::istreambuf_iterator<char>(file), {}});
    if (!key.ok()) return absl::InvalidArgumentError(absl::StrCat(path, ": ", key.status().message()));
    options.keys.push_back(*std::move(key));
  }
  TopicReaderOptions reader{.brokers = flags.kafka.brokers, .topics = {flags.kafka.topic}, .settings = {}};
  reader.topics.insert(reader.topics.end(), flags.copies.begin(), flags.copies.end());
  HP_ASSIGN_OR_RETURN(reader.settings, KafkaProperties(flags.settings));
  TopicVerifier verifier(std::move(options));
  HP_RETURN_IF_ERROR(ReadTopics(
      reader, [&verifier](const TopicMessage& message) { verifier.Add(message); },
      [&verifier](const std::string& topic, int32_t partition) { verifier.BeginIsGone(topic, partition); }));
  return PrintTopicReport(verifier.Finish(), flags.json);
}

int Exit(const absl::Status& status) {
  if (!status.ok()) LogError(status.message());
  return ExitCode(status);
}

}  // namespace
}  // namespace holdpoint

int main(int argc, char** argv) {
  using namespace holdpoint;
  SetLogName("holdpoint-collector");
  Flags flags;
  CLI::App app("Collects Holdpoint's events from Kafka or from a spool, verifies and shows them");
  app.set_version_flag("--version", std::string(Version()));
  app.require_subcommand(1);
  const auto add_db = [&](CLI::App* sub) {
    sub->add_option("--db", flags.db, "the collector's database, a SQLite file")->capture_default_str();
  };

  CLI::App* consume = app.add_subcommand("consume", "take records from a topic until told to stop");
  add_db(consume);
  consume->add_option("--brokers", flags.kafka.brokers, "host:port[,host:port...]")->required();
  consume->add_option("--topic", flags.kafka.topic, "the topic")->capture_default_str();
  consume->add_option("--group", flags.kafka.group, "the consumer group")->capture_default_str();
  consume->add_option("--set", flags.settings, "a property of librdkafka, NAME=VALUE or NAME.file=PATH (repeatable)");
  consume->add_flag("--until-idle", flags.until_idle, "end when the topic is read to its end");

  CLI::App* ingest = app.add_subcommand("ingest", "take records from a spool on this host");
  add_db(ingest);
  ingest->add_option("--spool", flags.spool, "the spool's directory")->capture_default_str();
  ingest->add_flag("--follow", flags.follow, "go on with new records until told to stop");

  CLI::App* sessions = app.add_subcommand("sessions", "show the sessions, the latest first");
  add_db(sessions);
  sessions->add_flag("--json", flags.json, "one JSON object a line");

  CLI::App* events = app.add_subcommand("events", "show events, oldest first");
  add_db(events);
  events->add_option("--session", flags.filter.session, "of this session");
  events->add_option("--type", flags.filter.type, "of this type: exec, connect, decision, ...");
  events->add_option("--host", flags.filter.host, "of this host");
  events->add_option("--verdict", flags.verdict, "with this verdict or a stricter one");
  events->add_option("--limit", flags.filter.limit, "the newest N; 0 is all")->capture_default_str();
  events->add_flag("--json", flags.json, "one JSON object a line");

  CLI::App* verify =
      app.add_subcommand("verify", "check every stream: gaps, chain, order, signatures; exit status 1 with findings");
  add_db(verify);
  verify->add_flag("--json", flags.json, "one JSON object a line");
  auto* brokers = verify->add_option("--brokers", flags.kafka.brokers,
                                     "from the topic alone, without a database: host:port[,host:port...]");
  verify->add_option("--topic", flags.kafka.topic, "the topic that has every record")->needs(brokers)->capture_default_str();
  verify->add_option("--copies", flags.copies, "a topic with copies, such as holdpoint.heartbeats.v1 (repeatable)")
      ->needs(brokers);
  verify->add_option("--key", flags.keys,
                     "public key of a host's heartbeats, a file (repeatable); without any, a host's first key is believed")
      ->needs(brokers);
  verify->add_option("--late", flags.late_minutes, "minutes that later records may be there before one")
      ->needs(brokers)
      ->capture_default_str();
  verify->add_option("--set", flags.settings, "a property of librdkafka, NAME=VALUE or NAME.file=PATH (repeatable)")
      ->needs(brokers);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (consume->parsed()) return Exit(RunConsume(flags));
  if (ingest->parsed()) return Exit(RunIngest(flags));
  if (sessions->parsed()) return Exit(RunSessions(flags));
  if (events->parsed()) return Exit(RunEvents(flags));
  const absl::StatusOr<bool> whole = flags.kafka.brokers.empty() ? RunVerify(flags) : RunVerifyTopic(flags);
  if (!whole.ok()) return Exit(whole.status());
  return *whole ? 0 : kFindings;
}
