#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/base/clock.h"
#include "agent/event/heartbeat.h"
#include "agent/event/recorder.h"

namespace holdpoint {

// Writes the heartbeats of this daemon's stream, signed where there is a key. Thread: the event thread.
class Heartbeats {
 public:
  // Looks for the key in `flag`, else among systemd's credentials ("heartbeat-key"), else in STATE/heartbeat.key, which
  // is made where it is not there; STATE/heartbeat.pub gets the public key. Without a key the heartbeats are not
  // signed: that is logged, the daemon goes on.
  Heartbeats(Recorder& recorder, const Clock& clock, const std::string& flag, const std::string& state);

  struct Facts {
    std::map<std::string, uint64_t> counters;  // of the kernel programs
    std::string policy_hash;
    std::map<std::string, std::string> rungs;
    absl::string_view state = "running";  // or "stopping": no record follows
  };
  absl::Status Beat(const Facts& facts);

  std::string public_key() const { return key_.has_value() ? key_->public_key() : ""; }

  static constexpr absl::Duration kInterval = absl::Seconds(30);  // its absence is what a SOC sees

 private:
  void Fill(const Facts& facts, const Recorder::Head& head, const Recorder::Totals& totals,
            const std::map<std::string, uint64_t>& losses, v1::HeartbeatStatement& statement) const;

  Recorder& recorder_;
  const Clock& clock_;
  std::optional<HeartbeatKey> key_;
  std::string kernel_;  // its release
  uint64_t beats_ = 0;
  uint64_t last_sequence_ = 0;  // of the heartbeat before
};

}  // namespace holdpoint
