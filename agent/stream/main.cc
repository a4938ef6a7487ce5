// holdpoint-stream: drains the spool to Kafka. The only process of the host agent with a network.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/base/fd.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/base/stop_signals.h"
#include "agent/base/version.h"
#include "agent/spool/delivery.h"
#include "agent/stream/check.h"
#include "agent/stream/drain.h"
#include "agent/stream/drop_rights.h"
#include "agent/stream/identity_file.h"
#include "agent/stream/producer.h"
#include "agent/stream/registry.h"
#include "agent/stream/tls_files.h"

namespace holdpoint {
namespace {

constexpr absl::Duration kCheckPatience = absl::Seconds(10);

struct Flags {
  std::string state = "/var/lib/holdpoint";
  std::string brokers;
  std::string topic = "holdpoint.events.v1";
  std::string heartbeats_topic = "holdpoint.heartbeats.v1";
  std::string decisions_topic = "holdpoint.decisions.v1";
  std::vector<std::string> settings;
  std::string wire_form = "protobuf";
  std::string registry_url, registry_ca, registry_certificate, registry_key, registry_user, registry_password_file;
  bool registry_read_only = false;
  bool once = false;
  bool check = false;
  bool with_parent = false;
  uid_t uid = kStreamUid;
};

// One stream process for a state directory: two would deliver everything twice and fight for the cursor.
absl::StatusOr<UniqueFd> LockDir(const std::string& dir) {
  if (mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) return ErrnoStatus(dir);
  UniqueFd fd(open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.ok()) return ErrnoStatus(dir);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::UnavailableError(absl::StrCat(dir, ": another holdpoint-stream delivers from this state directory"));
  }
  return fd;
}

absl::StatusOr<std::string> ReadPem(const char* key, const std::string& path, bool secret) {
  if (path.empty()) return std::string();
  absl::StatusOr<std::string> bytes = ReadIdentityFile(path, secret);
  if (bytes.ok()) return bytes;
  return absl::Status(bytes.status().code(), absl::StrCat("kafka.registry.", key, ": ", bytes.status().message()));
}

absl::StatusOr<RegistryOptions> ReadRegistry(const Flags& flags) {
  RegistryOptions options{.url = flags.registry_url,
                          .ca_pem = {},
                          .certificate_pem = {},
                          .key_pem = {},
                          .user = flags.registry_user,
                          .password = {},
                          .register_schema = !flags.registry_read_only};
  HP_ASSIGN_OR_RETURN(options.ca_pem, ReadPem("ca_file", flags.registry_ca, false));
  HP_ASSIGN_OR_RETURN(options.certificate_pem, ReadPem("certificate_file", flags.registry_certificate, false));
  HP_ASSIGN_OR_RETURN(options.key_pem, ReadPem("key_file", flags.registry_key, true));
  HP_ASSIGN_OR_RETURN(options.password, ReadPem("password_file", flags.registry_password_file, true));
  absl::StripAsciiWhitespace(&options.password);
  return options;
}

// Everything that needs rights is in here, read before they are given up.
struct Setup {
  KafkaOptions kafka;
  TlsFiles files;
  bool confluent = false;
  RegistryOptions registry;
};

absl::StatusOr<Setup> ReadSetup(const Flags& flags) {
  Setup setup;
  KafkaSettings settings;
  for (const std::string& setting : flags.settings) HP_RETURN_IF_ERROR(AddKafkaSetting(setting, &settings));
  setup.kafka.settings = ProducerSettings(flags.brokers, settings, KafkaFeatures());
  HP_RETURN_IF_ERROR(CheckIdentity(setup.kafka.settings, KafkaFeatures()));
  HP_ASSIGN_OR_RETURN(setup.files, TlsFiles::Read(&setup.kafka.settings));
  setup.kafka.authorities = setup.files.authorities();
  setup.kafka.certificate = setup.files.certificate();
  setup.kafka.certificate_ends = setup.files.certificate_ends();
  const auto topic = [](const std::string& name) { return KafkaTopic{.name = name == "off" ? "" : name}; };
  setup.kafka.events.name = flags.topic;
  setup.kafka.heartbeats = topic(flags.heartbeats_topic);
  setup.kafka.decisions = topic(flags.decisions_topic);
  setup.confluent = flags.wire_form == "confluent";
  if (setup.confluent) {
    HP_ASSIGN_OR_RETURN(setup.registry, ReadRegistry(flags));
  }
  return setup;
}

absl::Status FindSchemas(const Setup& setup, KafkaOptions* kafka) {
  if (!setup.confluent) return absl::OkStatus();
  for (KafkaTopic* topic : {&kafka->events, &kafka->heartbeats, &kafka->decisions}) {
    if (topic->name.empty()) continue;
    HP_ASSIGN_OR_RETURN(topic->schema_id, SchemaId(setup.registry, absl::StrCat(topic->name, "-value")));
  }
  return absl::OkStatus();
}

// What `holdpoint doctor` shows: one JSON object a line.
int Check(const Flags& flags) {
  std::vector<CheckRow> rows;
  absl::StatusOr<Setup> setup = ReadSetup(flags);
  if (setup.ok()) {
    if (absl::Status found = FindSchemas(*setup, &setup->kafka); !found.ok()) {
      rows.push_back({"schema registry", "bad", std::string(found.message()), "records wait in the spool"});
    } else if (setup->confluent) {
      rows.push_back({"schema registry", "ok", absl::StrCat(flags.registry_url, " has the schema"), ""});
    }
    for (CheckRow& row : CheckKafka(setup->kafka, kCheckPatience, absl::Now())) rows.push_back(std::move(row));
  } else {
    rows.push_back({"kafka", "bad", std::string(setup.status().message()), "records wait in the spool"});
  }
  bool bad = false;
  for (const CheckRow& row : rows) {
    bad = bad || row.level == "bad";
    const nlohmann::json line = {
        {"check", row.check}, {"level", row.level}, {"detail", row.detail}, {"advice", row.advice}};
    std::printf("%s\n", line.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace).c_str());
  }
  return bad ? 1 : 0;
}

// For `holdpoint status` and metrics. What cannot be written there keeps no record from being delivered.
void Tell(const std::string& path, int64_t started_unix_ns, const DrainCounts& counts) {
  const DeliveryState state{.delivered = counts.delivered,
                            .undeliverable = counts.undeliverable,
                            .restarts = counts.restarts,
                            .started_unix_ns = started_unix_ns,
                            .last_unix_ns = counts.last_unix_ns,
                            .last_record_unix_ns = counts.last_record_unix_ns,
                            .delay = LatencyBuckets::Of(counts.delay),
                            .trouble = counts.blocked};
  if (absl::Status written = WriteDelivery(path, state); !written.ok()) {
    static bool told = false;
    if (!std::exchange(told, true)) LogWarning("holdpoint status shows nothing of the delivery: ", written.message());
  }
}

// What keeps it from beginning at all, for whoever asks the gate; it gives up root first.
absl::Status CannotBegin(const Flags& flags, const absl::Status& why) {
  const absl::StatusOr<UniqueFd> lock = LockDir(absl::StrCat(flags.state, "/stream"));
  if (!lock.ok() || !DropRights(flags.state, flags.uid).ok()) return why;
  DrainCounts counts;
  counts.blocked = std::string(why.message());
  Tell(DeliveryPath(flags.state), absl::ToUnixNanos(absl::Now()), counts);
  return why;
}

absl::Status Run(const Flags& flags) {
  absl::StatusOr<Setup> read = ReadSetup(flags);
  if (!read.ok()) return CannotBegin(flags, read.status());
  Setup setup = *std::move(read);
  if (const std::string trap = ScramTrap(rd_kafka_version(), setup.kafka.settings); !trap.empty()) LogWarning(trap);

  HP_ASSIGN_OR_RETURN(const UniqueFd stop, StopSignals());  // Before librdkafka's threads: they inherit the mask.
  const std::string dir = absl::StrCat(flags.state, "/stream");
  HP_ASSIGN_OR_RETURN(const UniqueFd lock, LockDir(dir));
  const pid_t parent = getppid();
  HP_RETURN_IF_ERROR(DropRights(flags.state, flags.uid));  // Secrets have been read; nothing from a network has.
  // After it: a change of the user forgets this one.
  if (flags.with_parent && (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent)) {
    return absl::UnavailableError("the gate that started this has ended");
  }
  HP_ASSIGN_OR_RETURN(const UniqueFd ends, AnyOf({stop.get(), setup.files.changed_fd()}));
  Drain drain({.spool_dir = absl::StrCat(flags.state, "/spool"),
               .cursor_path = CursorPath(flags.state),
               .make_sink = [&setup](Sink::Reports reports) -> absl::StatusOr<std::unique_ptr<Sink>> {
                 HP_RETURN_IF_ERROR(FindSchemas(setup, &setup.kafka));
                 return KafkaSink::Create(setup.kafka, std::move(reports));
               },
               .once = flags.once,
               .stop_fd = ends.get(),
               .progress = [path = DeliveryPath(flags.state), started = absl::ToUnixNanos(absl::Now())](
                               const DrainCounts& counts) { Tell(path, started, counts); }});
  const absl::Status status = drain.Run();
  LogInfo(drain.counts().delivered, " records delivered to ", flags.topic,
          drain.counts().undeliverable > 0
              ? absl::StrCat(", of these ", drain.counts().undeliverable, " only as stand-ins: too large")
              : "");
  HP_RETURN_IF_ERROR(status);
  pollfd changed{setup.files.changed_fd(), POLLIN, 0};
  if (poll(&changed, 1, 0) == 1) {
    return absl::UnavailableError("certificate, key or authorities were renewed: started again, they are read");
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace holdpoint

int main(int argc, char** argv) {
  holdpoint::SetLogName("holdpoint-stream");
  holdpoint::Flags flags;
  CLI::App app(
      "Drains Holdpoint's spool to Kafka: in order, idempotent, and a record leaves only when the brokers have it");
  app.set_version_flag("--version", std::string(holdpoint::Version()));
  app.add_option("--state", flags.state, "state directory of holdpointd")->capture_default_str();
  app.add_option("--brokers", flags.brokers, "host:port[,host:port...]")->required();
  app.add_option("--topic", flags.topic, "topic for every record")->capture_default_str();
  app.add_option("--heartbeats-topic", flags.heartbeats_topic, "topic for copies of heartbeats, or off")
      ->capture_default_str();
  app.add_option("--decisions-topic", flags.decisions_topic, "topic for copies of decisions, or off")
      ->capture_default_str();
  app.add_option("--set", flags.settings, "a property of librdkafka, NAME=VALUE, or NAME.file=PATH (repeatable)");
  auto* registry = app.add_option("--registry-url", flags.registry_url, "schema registry with Confluent's interface");
  app.add_option("--wire-form", flags.wire_form, "protobuf, or confluent: framed with a schema's id")
      ->check(CLI::IsMember({"protobuf", "confluent"}))
      ->capture_default_str();
  app.add_option("--registry-ca", flags.registry_ca, "PEM file of its authority")->needs(registry);
  app.add_option("--registry-certificate", flags.registry_certificate, "PEM file of this host's certificate")->needs(registry);
  app.add_option("--registry-key", flags.registry_key, "PEM file of its key, root's alone")->needs(registry);
  app.add_option("--registry-user", flags.registry_user, "user for basic authentication")->needs(registry);
  app.add_option("--registry-password-file", flags.registry_password_file, "file of the password, root's alone")
      ->needs(registry);
  app.add_flag("--registry-read-only", flags.registry_read_only, "the schema must be there: register nothing");
  app.add_option("--uid", flags.uid, "started as root: user and group to become")
      ->check(CLI::Range(1u, 4'000'000'000u))
      ->capture_default_str();
  app.add_flag("--with-parent", flags.with_parent, "end when the process ends that started this one");
  app.add_flag("--once", flags.once, "end when everything in the spool is delivered");
  app.add_flag("--check", flags.check, "try connection, topics and rights, say what is found, deliver nothing");
  try {
    app.parse(argc, argv);
    if (flags.wire_form == "confluent" && flags.registry_url.empty()) {
      throw CLI::RequiresError("--wire-form confluent", "--registry-url");
    }
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (flags.check) return holdpoint::Check(flags);
  const absl::Status status = holdpoint::Run(flags);
  if (!status.ok()) holdpoint::LogError(status.message());
  return holdpoint::ExitCode(status);
}
