#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/base/ids.h"

namespace holdpoint {

// Allowed acts of one session, kind and subject within one minute. What the record keeps instead of one event each.
struct Rollup {
  SessionNumber session = 0;
  std::string kind;     // "exec", "connect"
  std::string subject;  // executable, or address:port; escaped ASCII; kOther for what did not fit
  uint64_t count = 0;
  int64_t first_unix_ns = 0;
  int64_t last_unix_ns = 0;
};

// Counts allowed execs and connects per session, subject and minute of the wall clock, and hands the counts out when
// their minute is over. The sum of what is handed out is the number of calls of Add: nothing is lost.
//
// Pure: time is passed in. Bounded: past Limits a subject is counted as kOther of its session (subjects) or of session
// 0 (sessions). One thread.
class Rollups {
 public:
  static constexpr absl::string_view kOther = "(other)";
  struct Limits {
    size_t sessions = 1024;
    size_t subjects_per_minute = 512;  // of one session, both kinds together
    size_t minutes_waiting = 4;        // of one session, when nobody flushes; later acts join the newest of them
    size_t subject_bytes = 256;
    size_t subjects = 65536;           // of all sessions and minutes: some 30 MB
  };
  enum class Kind { kExec, kConnect };

  Rollups() : Rollups(Limits{}) {}
  explicit Rollups(Limits limits) : limits_(limits) {}

  void Add(SessionNumber session, Kind kind, absl::string_view subject, absl::Time when);

  // Everything of minutes before the one that `now` lies in. A clock set back hands out all there is, so that nothing
  // waits for a minute that does not come.
  std::vector<Rollup> Flush(absl::Time now);
  // Everything of one session, also of this minute: when it ends.
  std::vector<Rollup> FlushSession(SessionNumber session);
  // Everything: when the daemon stops.
  std::vector<Rollup> FlushAll();

 private:
  struct Count {
    uint64_t count = 0;
    int64_t first_unix_ns = 0;
    int64_t last_unix_ns = 0;
  };
  using Subjects = std::map<std::pair<Kind, std::string>, Count>;
  using Minutes = std::map<int64_t, Subjects>;  // by minutes since 1970

  void Take(SessionNumber session, const Subjects& subjects, std::vector<Rollup>& out);  // they are erased after it

  Limits limits_;
  std::map<SessionNumber, Minutes> sessions_;
  size_t subjects_ = 0;
};

}  // namespace holdpoint
