#include "agent/gate/heartbeat.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/base/version.h"

namespace holdpoint {
namespace {

// Where the key is; only the last of these is made.
std::string KeyPath(const std::string& flag, const std::string& state) {
  if (!flag.empty()) return flag;
  if (const char* credentials = getenv("CREDENTIALS_DIRECTORY"); credentials != nullptr) {
    const std::string path = absl::StrCat(credentials, "/heartbeat-key");
    if (access(path.c_str(), F_OK) == 0) return path;
  }
  return absl::StrCat(state, "/heartbeat.key");
}

void Add(absl::string_view name, uint64_t value, google::protobuf::RepeatedPtrField<v1::Count>* to) {
  v1::Count& count = *to->Add();
  count.set_name(std::string(name));
  count.set_value(value);
}

void Add(absl::string_view name, absl::string_view value, google::protobuf::RepeatedPtrField<v1::NamedText>* to) {
  v1::NamedText& text = *to->Add();
  text.set_name(std::string(name));
  text.set_value(std::string(value));
}

}  // namespace

Heartbeats::Heartbeats(Recorder& recorder, const Clock& clock, const std::string& flag, const std::string& state)
    : recorder_(recorder), clock_(clock) {
  utsname name{};
  if (uname(&name) == 0) kernel_ = name.release;
  const std::string made = absl::StrCat(state, "/heartbeat.key"), path = KeyPath(flag, state);
  absl::StatusOr<HeartbeatKey> key = path == made ? HeartbeatKey::ReadOrMake(path) : HeartbeatKey::Read(path);
  if (!key.ok()) {
    LogError("heartbeats are not signed: ", key.status().message());
    return;
  }
  key_ = *std::move(key);
  const std::string pub = absl::StrCat(state, "/heartbeat.pub");
  std::ofstream(pub) << key_->PublicPem();
  chmod(pub.c_str(), 0644);
}

absl::Status Heartbeats::Beat(const Facts& facts) {
  v1::Envelope event;
  v1::Heartbeat& heartbeat = *event.mutable_heartbeat();
  heartbeat.set_sequence(++beats_);
  for (const auto& [name, value] : facts.counters) (*heartbeat.mutable_counters())[name] = value;
  const Recorder::Totals totals = recorder_.totals();
  const std::map<std::string, uint64_t> losses = recorder_.losses();
  const auto sequence = recorder_.Record(std::move(event), [&](const Recorder::Head& head, v1::Envelope& e) {
    v1::HeartbeatStatement& statement = *e.mutable_heartbeat()->mutable_statement();
    Fill(facts, head, totals, losses, statement);
    // The statement holds no map: its bytes inside of the record are these.
    if (key_.has_value()) e.mutable_heartbeat()->set_signature(key_->Sign(statement.SerializeAsString()));
  });
  HP_RETURN_IF_ERROR(sequence.status());
  last_sequence_ = *sequence;
  return absl::OkStatus();
}

void Heartbeats::Fill(const Facts& facts, const Recorder::Head& head, const Recorder::Totals& totals,
                      const std::map<std::string, uint64_t>& losses, v1::HeartbeatStatement& statement) const {
  *statement.mutable_stream() = recorder_.stream();
  statement.set_heartbeat(beats_);
  statement.set_chain_sequence(head.sequence);
  statement.set_chain_hash(head.hash.data(), head.hash.size());
  statement.set_time_unix_ns(absl::ToUnixNanos(clock_.Wall()));
  statement.set_boot_ns(clock_.Boot().ns);
  statement.set_interval_seconds(static_cast<uint32_t>(absl::ToInt64Seconds(kInterval)));
  std::map<std::string, uint64_t> counts = {{"bytes", totals.bytes},
                                            {"lost", totals.lost},
                                            {"records", totals.recorded},
                                            {"unwritten", totals.unwritten}};
  for (const auto& [name, value] : facts.counters) counts[absl::StrCat("kernel/", name)] = value;
  for (const auto& [name, value] : counts) Add(name, value, statement.mutable_counts());
  for (const auto& [name, value] : losses) Add(name, value, statement.mutable_losses());
  statement.set_policy_hash(facts.policy_hash);
  for (const auto& [name, value] : facts.rungs) Add(name, value, statement.mutable_rungs());
  Add("holdpoint", Version(), statement.mutable_versions());
  Add("kernel", kernel_, statement.mutable_versions());
  Add("schema", "1", statement.mutable_versions());
  if (key_.has_value()) statement.set_key(KeyFingerprint(key_->public_key()));
  statement.set_state(std::string(facts.state));
  statement.set_previous_heartbeat_sequence(last_sequence_);
}

}  // namespace holdpoint
