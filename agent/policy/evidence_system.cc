// The host itself: whose a process is, what a unit runs, whether a package keeps data, whether a crontab is saved.
#include <re2/re2.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/policy/evidence.h"
#include "agent/policy/host_evidence.h"
#include "agent/policy/paths.h"

namespace holdpoint {
namespace {

using Place = Assessment::Place;

Assessment Make(v1::Recoverability recoverability, Place place, std::string because) {
  return Assessment{.recoverability = recoverability, .place = place, .because = std::move(because)};
}

Assessment Nothing(std::string because) {
  Assessment assessment = Make(v1::RECOVERABILITY_REGENERABLE, Place::kLocal, std::move(because));
  assessment.nothing = true;
  return assessment;
}

// Programs that hold data or on which everything else rests, by their file.
bool HoldsData(absl::string_view program) {
  static const re2::RE2 kPrograms(
      "(postgres|postmaster|pg_ctlcluster|pgbouncer|mysqld(_safe)?|mariadbd(-safe)?|mongod|mongos|redis-server|redis-check-rdb|"
      "valkey-server|memcached|elasticsearch|opensearch|cassandra|scylla|clickhouse(-server)?|influxd|neo4j|couchdb|"
      "rabbitmq-server|kafka-server-start(\\.sh)?|zookeeper.*|zkServer\\.sh|etcd|consul|vault|nomad|minio|ceph-.*|glusterd|dockerd|"
      "containerd|crio|kubelet|k3s|libvirtd|sshd|slapd)");
  return re2::RE2::FullMatch(std::string(program), kPrograms);
}

std::string UnitFileName(absl::string_view id) {
  static const re2::RE2 kTyped(".*\\.(service|socket|timer|target|mount|path|scope|slice|swap|automount|device)");
  std::string name = re2::RE2::FullMatch(std::string(id), kTyped) ? std::string(id) : absl::StrCat(id, ".service");
  // Of an instance its template has the commands.
  if (const size_t at = name.find('@'); at != std::string::npos) {
    name = absl::StrCat(name.substr(0, at + 1), name.substr(name.rfind('.')));
  }
  return name;
}

// The program that a unit starts: the first words of its ExecStart lines.
std::vector<std::string> Started(absl::string_view text) {
  std::vector<std::string> programs;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::ConsumePrefix(&line, "ExecStart=")) continue;
    while (!line.empty() && absl::StrContains("@-:+!", line.substr(0, 1))) line.remove_prefix(1);
    for (const absl::string_view word : absl::StrSplit(line, ' ', absl::SkipEmpty())) {
      if (programs.size() < 64) programs.emplace_back(BaseName(word));
    }
  }
  return programs;
}

struct DataPackage {
  absl::string_view prefix;
  absl::string_view folder;
};
// Where the packages of Debian, Fedora and Arch keep what is not theirs to remove.
constexpr std::array<DataPackage, 36> kData = {{{"postgres", "/var/lib/postgresql"},
                                                {"postgres", "/var/lib/pgsql"},
                                                {"mysql", "/var/lib/mysql"},
                                                {"mariadb", "/var/lib/mysql"},
                                                {"percona", "/var/lib/mysql"},
                                                {"mongo", "/var/lib/mongodb"},
                                                {"mongo", "/var/lib/mongo"},
                                                {"redis", "/var/lib/redis"},
                                                {"valkey", "/var/lib/valkey"},
                                                {"elastic", "/var/lib/elasticsearch"},
                                                {"opensearch", "/var/lib/opensearch"},
                                                {"cassandra", "/var/lib/cassandra"},
                                                {"clickhouse", "/var/lib/clickhouse"},
                                                {"influx", "/var/lib/influxdb"},
                                                {"neo4j", "/var/lib/neo4j"},
                                                {"couch", "/var/lib/couchdb"},
                                                {"rabbitmq", "/var/lib/rabbitmq"},
                                                {"kafka", "/var/lib/kafka"},
                                                {"zookeeper", "/var/lib/zookeeper"},
                                                {"etcd", "/var/lib/etcd"},
                                                {"slapd", "/var/lib/ldap"},
                                                {"ldap", "/var/lib/ldap"},
                                                {"docker", "/var/lib/docker"},
                                                {"containerd", "/var/lib/containerd"},
                                                {"libvirt", "/var/lib/libvirt"},
                                                {"lxd", "/var/lib/lxd"},
                                                {"grafana", "/var/lib/grafana"},
                                                {"prometheus", "/var/lib/prometheus"},
                                                {"gitlab", "/var/opt/gitlab"},
                                                {"jenkins", "/var/lib/jenkins"},
                                                {"nextcloud", "/var/lib/nextcloud"},
                                                {"minio", "/var/lib/minio"},
                                                {"ceph", "/var/lib/ceph"},
                                                {"samba", "/var/lib/samba"},
                                                {"dovecot", "/var/lib/dovecot"},
                                                {"postfix", "/var/spool/postfix"}}};

}  // namespace

Assessment AssessProcess(absl::string_view id, const AssessmentInput& input) {
  absl::string_view digits = id;
  absl::ConsumePrefix(&digits, "-");  // its process group, which its first process names
  uint32_t pid = 0;
  if (!absl::SimpleAtoi(digits, &pid) || pid <= 1) {
    return Make(v1::RECOVERABILITY_REGENERABLE, Place::kUnknown, "not one process by its number");
  }
  const v1::ProcessFact* process = input.facts->Process(pid);
  if (process == nullptr || !process->looked()) {
    // Nobody but root ends what is another user's.
    const bool root = input.session.uid() == 0 || input.act.uid == 0;
    Assessment unseen = Make(root ? v1::RECOVERABILITY_IRREVERSIBLE : v1::RECOVERABILITY_REGENERABLE, Place::kUnknown,
                             "whose process this is was not seen");
    unseen.blind_spot = "process unseen";
    return unseen;
  }
  if (!process->exists()) return Nothing("there is no such process");
  const std::string name(BaseName(process->executable()));
  Assessment assessment;
  const std::optional<uint64_t> session = input.facts->SessionOf(*process);
  if (session.has_value() && *session != 0 && *session == input.session.number()) {
    assessment = Make(v1::RECOVERABILITY_REGENERABLE, Place::kLocal, "this session started it");
  } else if (process->service()) {
    assessment = Make(v1::RECOVERABILITY_IRREVERSIBLE, Place::kUnknown, absl::StrCat("it belongs to the service ", process->unit()));
  } else if (process->uid() != input.session.uid()) {
    assessment = Make(v1::RECOVERABILITY_IRREVERSIBLE, Place::kUnknown, "another user's process");
  } else {
    assessment = Make(v1::RECOVERABILITY_REGENERABLE, Place::kUnknown, "this session did not start it");
  }
  assessment.evidence.push_back(MakeEvidence(absl::StrCat("process ", pid), absl::StrCat(name, ", user ", process->uid()),
                                             kKernel, process->started_unix_ns()));
  return assessment;
}

Assessment AssessUnit(absl::string_view id, const AssessmentInput& input) {
  const std::string name = UnitFileName(id);
  if (name.find('/') != std::string::npos) return Nothing("not a unit's name");
  const bool own = input.call.Has("user");
  std::vector<std::string> folders = {"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system",
                                      "/lib/systemd/system", "/usr/lib/systemd/system"};
  if (own) folders = {CleanPath(absl::StrCat(input.act.home, "/.config/systemd/user")), "/etc/systemd/user", "/usr/lib/systemd/user"};
  for (const std::string& folder : folders) {
    const ContextFile file = ReadContextFile(absl::StrCat(folder, "/", name), input.facts);
    if (!file.read()) continue;
    for (const std::string& program : Started(file.text)) {
      if (!HoldsData(program)) continue;
      Assessment data = Make(v1::RECOVERABILITY_RECOVERABLE, Place::kUnknown, absl::StrCat("it runs ", program));
      data.evidence.push_back(MakeEvidence("unit", program, file.path, file.changed_unix_ns));
      return data;
    }
    return Nothing("it runs no database");
  }
  Assessment unknown = Nothing("its unit file was not seen");
  unknown.blind_spot = "unit file unseen";
  return unknown;
}

Assessment AssessPackageData(absl::string_view id, const AssessmentInput& input) {
  bool listed = false, seen = true;
  std::string name(id);
  absl::string_view package = absl::StripPrefix(name, "lib");
  for (const DataPackage& data : kData) {
    if (!absl::StartsWithIgnoreCase(package, data.prefix)) continue;
    listed = true;
    const v1::PathFact* fact = input.facts->Path(std::string(data.folder));
    if (fact == nullptr || !fact->problem().empty()) {
      seen = false;
    } else if (fact->exists()) {
      Assessment lost = Make(v1::RECOVERABILITY_IRREVERSIBLE, Place::kUnknown, absl::StrCat("it keeps data in ", data.folder));
      lost.evidence.push_back(MakeEvidence("data of a package", data.folder, data.folder, fact->changed_unix_ns()));
      return lost;
    }
  }
  if (listed && seen) return Nothing("it keeps no data here");
  Assessment unseen = Make(v1::RECOVERABILITY_IRREVERSIBLE, Place::kUnknown, "whether it keeps data was not seen");
  unseen.blind_spot = "data of the package unseen";
  return unseen;
}

Assessment AssessCrontab(const AssessmentInput& input) {
  // Of another user's nothing is looked up.
  const v1::CrontabFact* crontab = input.call.Has("u") ? nullptr : input.facts->Crontab();
  if (crontab == nullptr || !crontab->looked() || !crontab->problem().empty()) {
    Assessment unseen = Make(v1::RECOVERABILITY_IRREVERSIBLE, Place::kUnknown, "no copy of it was seen");
    unseen.blind_spot = "crontab unseen";
    return unseen;
  }
  if (!crontab->exists()) return Nothing("there is no crontab");
  if (crontab->copy().empty()) {
    return Make(v1::RECOVERABILITY_IRREVERSIBLE, Place::kUnknown, "no copy of it lies in the working directory or at home");
  }
  Assessment saved = Make(v1::RECOVERABILITY_RECOVERABLE, Place::kOrdinary, absl::StrCat("the same jobs are saved in ", crontab->copy()));
  saved.evidence.push_back(MakeEvidence("copy of the crontab", crontab->copy(), crontab->copy()));
  return saved;
}

}  // namespace holdpoint
