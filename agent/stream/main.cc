// holdpoint-stream: drains the spool to Kafka. The only process of the host agent with a network.
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "agent/base/fd.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/base/version.h"
#include "agent/stream/drain.h"
#include "agent/stream/drop_rights.h"

namespace holdpoint {
namespace {

struct Flags {
  std::string state = "/var/lib/holdpoint";
  std::string brokers;
  std::string topic = "holdpoint.events.v1";
  std::vector<std::string> settings;
  bool once = false;
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

absl::StatusOr<UniqueFd> StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  if (sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return ErrnoStatus("sigprocmask");
  UniqueFd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.ok()) return ErrnoStatus("signalfd");
  return fd;
}

absl::Status Run(const Flags& flags) {
  KafkaSettings settings;
  for (const std::string& setting : flags.settings) HP_RETURN_IF_ERROR(AddKafkaSetting(setting, &settings));
  if (const std::string trap = ScramTrap(rd_kafka_version(), settings); !trap.empty()) LogWarning(trap);

  HP_ASSIGN_OR_RETURN(const UniqueFd stop, StopSignals());  // Before librdkafka's threads: they inherit the mask.
  const std::string dir = absl::StrCat(flags.state, "/stream");
  HP_ASSIGN_OR_RETURN(const UniqueFd lock, LockDir(dir));
  const pid_t parent = getppid();
  HP_RETURN_IF_ERROR(DropRights(flags.state, flags.uid));  // Secrets have been read; nothing from a network has.
  // After it: a change of the user forgets this one.
  if (flags.with_parent && (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent)) {
    return absl::UnavailableError("the gate that started this has ended");
  }
  Drain drain({.spool_dir = absl::StrCat(flags.state, "/spool"),
               .cursor_path = CursorPath(flags.state),
               .topic = flags.topic,
               .settings = ProducerSettings(flags.brokers, settings, KafkaFeatures()),
               .once = flags.once,
               .stop_fd = stop.get()});
  const absl::Status status = drain.Run();
  LogInfo(drain.delivered(), " records delivered to ", flags.topic);
  return status;
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
  app.add_option("--topic", flags.topic, "topic for the events")->capture_default_str();
  app.add_option("--set", flags.settings, "a property of librdkafka, NAME=VALUE, or NAME.file=PATH (repeatable)");
  app.add_option("--uid", flags.uid, "started as root: user and group to become")
      ->check(CLI::Range(1u, 4'000'000'000u))
      ->capture_default_str();
  app.add_flag("--with-parent", flags.with_parent, "end when the process ends that started this one");
  app.add_flag("--once", flags.once, "end when everything in the spool is delivered");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const absl::Status status = holdpoint::Run(flags);
  if (!status.ok()) holdpoint::LogError(status.message());
  return holdpoint::ExitCode(status);
}
