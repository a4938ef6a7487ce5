// holdpoint-sinks: brings every event to files, syslogs and topics in other formats. It reads records, which holdpoint-stream does not, so it is a
// process of its own, as far from the brokers' as from the gate.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "agent/base/fd.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/base/stop_signals.h"
#include "agent/base/version.h"
#include "agent/sink/side_sinks.h"
#include "agent/stream/drop_rights.h"
#include "agent/stream/producer.h"
#include "agent/stream/tls_files.h"
#include "agent/stream/topic_target.h"

namespace holdpoint {
namespace {

struct Flags {
  std::string state = "/var/lib/holdpoint";
  std::vector<std::string> sinks, settings;
  std::string brokers;
  std::vector<std::string> kafka_settings;
  bool once = false;
  bool with_parent = false;
  uid_t uid = kStreamUid;
};

// Two would deliver everything twice and fight for the cursors.
absl::StatusOr<UniqueFd> LockSinks(const std::string& state) {
  for (const std::string& folder : {absl::StrCat(state, "/stream"), absl::StrCat(state, "/stream/sinks")}) {
    if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return ErrnoStatus(folder);
  }
  const std::string path = absl::StrCat(state, "/stream/sinks");
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.ok()) return ErrnoStatus(path);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::UnavailableError(absl::StrCat(path, ": another holdpoint-sinks delivers from this state directory"));
  }
  return fd;
}

// The brokers' identity files, read while there are rights.
struct Topics {
  KafkaOptions kafka;
  TlsFiles files;
};

absl::StatusOr<Topics> ReadTopics(const Flags& flags) {
  Topics topics;
  KafkaSettings settings;
  for (const std::string& setting : flags.kafka_settings) HP_RETURN_IF_ERROR(AddKafkaSetting(setting, &settings));
  topics.kafka.settings = ProducerSettings(flags.brokers, settings, KafkaFeatures());
  HP_RETURN_IF_ERROR(CheckIdentity(topics.kafka.settings, KafkaFeatures()));
  HP_ASSIGN_OR_RETURN(topics.files, TlsFiles::Read(&topics.kafka.settings));
  topics.kafka.authorities = topics.files.authorities();
  topics.kafka.certificate = topics.files.certificate();
  topics.kafka.certificate_ends = topics.files.certificate_ends();
  return topics;
}

constexpr int kFirstLookMs = 1000, kLongestLookMs = 60'000;

// A process that keeps the rights to read the identity looks at it again, ever more slowly, and ends when it can be read or
// when this one has ended. The descriptor is readable then.
absl::StatusOr<UniqueFd> LookAgain(const Flags& flags) {
  int pipe[2];
  if (pipe2(pipe, O_CLOEXEC) != 0) return ErrnoStatus("pipe2");
  const UniqueFd read_end(pipe[0]);
  UniqueFd write_end(pipe[1]);
  const pid_t pid = fork();  // There are no threads yet.
  if (pid < 0) return ErrnoStatus("fork");
  if (pid == 0) {
    write_end.reset();
    for (int pause = kFirstLookMs;; pause = std::min(pause * 2, kLongestLookMs)) {
      pollfd parent{read_end.get(), POLLIN, 0};
      if (poll(&parent, 1, pause) > 0 || ReadTopics(flags).ok()) _exit(0);
    }
  }
  UniqueFd ended(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!ended.ok()) return ErrnoStatus("pidfd_open");
  (void)write_end.release();  // Open as long as this process lives.
  return ended;
}

// Without the identity there are no topics, and the other sinks go on.
SideSinks::MakeTopic TopicMaker(const Flags& flags, const absl::StatusOr<Topics>& topics) {
  if (flags.brokers.empty()) return nullptr;
  return [&topics](const std::string& topic) -> absl::StatusOr<std::unique_ptr<LineTarget>> {
    if (!topics.ok()) return topics.status();
    HP_ASSIGN_OR_RETURN(std::unique_ptr<LineTarget> target, TopicTarget::Make(topics->kafka, topic));
    return target;
  };
}

absl::Status Run(const Flags& flags) {
  HP_ASSIGN_OR_RETURN(std::vector<SinkSpec> specs, SideSinks::Parse(flags.sinks, flags.settings));
  signal(SIGPIPE, SIG_IGN);  // TLS writes without MSG_NOSIGNAL.
  HP_ASSIGN_OR_RETURN(const UniqueFd stop, StopSignals());  // Before the threads, which inherit the mask.
  const absl::StatusOr<Topics> topics = flags.brokers.empty() ? Topics() : ReadTopics(flags);
  UniqueFd readable;
  if (!topics.ok() && !flags.once) {
    HP_ASSIGN_OR_RETURN(readable, LookAgain(flags));
  }
  const int renewed = topics.ok() ? topics->files.changed_fd() : readable.get();
  HP_ASSIGN_OR_RETURN(const UniqueFd lock, LockSinks(flags.state));  // Behind the fork: one process holds it.
  HP_ASSIGN_OR_RETURN(const UniqueFd ends, AnyOf({stop.get(), renewed}));
  const pid_t parent = getppid();
  SideSinks sinks(std::move(specs), flags.state, flags.uid, TopicMaker(flags, topics));  // Opens files and reads certificates, while it may.
  HP_RETURN_IF_ERROR(DropRights(flags.state, flags.uid));
  // After it: a change of the user forgets this one.
  if (flags.with_parent && (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent)) {
    return absl::UnavailableError("the process that started this has ended");
  }
  sinks.Start(flags.once, ends.get());
  HP_RETURN_IF_ERROR(sinks.Join());
  pollfd changed{renewed, POLLIN, 0};
  if (poll(&changed, 1, 0) != 1) return absl::OkStatus();
  return absl::UnavailableError(topics.ok() ? "certificate, key or authorities were renewed: started again, they are read"
                                            : "the brokers' identity can be read by now: started again, it is");
}

}  // namespace
}  // namespace holdpoint

int main(int argc, char** argv) {
  holdpoint::SetLogName("holdpoint-sinks");
  holdpoint::Flags flags;
  CLI::App app("Brings every event of Holdpoint's spool to files, syslogs and topics, as JSON, CEF, OCSF or ECS");
  app.set_version_flag("--version", std::string(holdpoint::Version()));
  app.add_option("--state", flags.state, "state directory of holdpointd")->capture_default_str();
  app.add_option("--sink", flags.sinks,
                 "NAME=FORMAT:TARGET (repeatable); FORMAT is json, cef, ocsf or ecs; TARGET is file:/PATH, stdout, unix:/PATH, "
                 "udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT or kafka:TOPIC")
      ->required();
  app.add_option("--set", flags.settings, "NAME.KEY=VALUE (repeatable): minimum, ca_file, certificate_file, key_file");
  app.add_option("--brokers", flags.brokers, "of kafka:TOPIC, host:port[,host:port...]");
  app.add_option("--kafka-set", flags.kafka_settings, "of kafka:TOPIC, a property of librdkafka as holdpoint-stream takes it (repeatable)");
  app.add_option("--uid", flags.uid, "started as root: user and group to become")
      ->check(CLI::Range(1u, 4'000'000'000u))
      ->capture_default_str();
  app.add_flag("--with-parent", flags.with_parent, "end when the process ends that started this one");
  app.add_flag("--once", flags.once, "end when each sink has everything that is in the spool");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const absl::Status status = holdpoint::Run(flags);
  if (!status.ok()) holdpoint::LogError(status.message());
  return holdpoint::ExitCode(status);
}
