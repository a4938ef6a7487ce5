#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "agent/base/fd.h"
#include "agent/sink/line_target.h"
#include "agent/sink/spec.h"
#include "agent/sink/tls_connection.h"

namespace holdpoint {

// Sends lines to a syslog: the host's own socket, UDP, TCP or TLS. Connects when there is something to send, and again
// after an error.
//
// Syslog has no answer: a line counts when the system has taken it. What is in a connection that breaks at that moment is
// not sent again. Where every event must arrive, use a topic.
class SyslogTarget : public LineTarget {
 public:
  // Reads the files of TLS; connects nowhere. Errors: kFailedPrecondition for such a file.
  static absl::StatusOr<std::unique_ptr<SyslogTarget>> Make(const SinkSpec& spec);

  absl::Status Write(const std::vector<OutLine>& lines, size_t* taken) override;
  uint64_t cut() const override { return cut_; }

 private:
  explicit SyslogTarget(SinkSpec spec) : spec_(std::move(spec)) {}
  absl::Status Connect();
  absl::Status ConnectUnix();
  absl::Status ConnectInet(int type);
  bool PeerHasGone() const;
  absl::Status Send(const OutLine& line);
  absl::Status SendDatagram(const std::string& message, size_t max);
  absl::Status SendBytes(absl::string_view bytes);

  const SinkSpec spec_;
  std::unique_ptr<TlsContext> tls_context_;
  UniqueFd socket_;  // Outlives the connection over it.
  std::unique_ptr<TlsConnection> tls_;
  uint64_t cut_ = 0;
};

}  // namespace holdpoint
