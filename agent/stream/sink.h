#pragma once

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace holdpoint {

// Where records go from the spool: brokers, a file, a socket. Drain feeds it in the order of the spool, and frees a
// record only on the sink's report.
//
// Thread: one; reports come inside of Put(), Poll() and Flush().
class Sink {
 public:
  struct Reports {
    // Record `number` is delivered: the receiver has it for good. On an error it is not:
    //   kOutOfRange  this record can never be delivered here; Drain counts it, says so, and goes on behind it
    //   any other    the sink is of no use any more: Drain makes a new one and begins again behind the last record that
    //                was freed. The message is a sentence for people that says what to do.
    std::function<void(uint64_t number, const absl::Status& status)> delivered;
    // Something is wrong and the sink goes on trying by itself. `kind` is few words and the same for the same cause:
    // Drain says the sentence once and counts the kind.
    std::function<void(absl::string_view kind, absl::string_view sentence)> trouble;
  };

  virtual ~Sink() = default;

  // Takes one record: `bytes` as they are in the spool, valid during the call. `number` grows from call to call and
  // comes back in the report, once for each number that was taken.
  // Errors: kUnavailable while there is no room (wait for wait_fd, Poll, then the same again), others as in Reports;
  // then no report follows.
  virtual absl::Status Put(uint64_t number, absl::string_view bytes) = 0;

  // Makes reports. Does not wait.
  virtual void Poll() = 0;
  // Readable when Poll has something to do; -1 for a sink that reports inside of Put.
  virtual int wait_fd() const = 0;
  // Waits until everything taken is reported, at most `timeout`.
  virtual void Flush(absl::Duration timeout) = 0;
};

}  // namespace holdpoint
