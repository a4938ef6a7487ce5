#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/base/fd.h"
#include "agent/stream/settings.h"

namespace holdpoint {

// The files that say who this host is, read while the process may still read them: a private key belongs to root alone,
// and the stream process soon is nobody. librdkafka gets copies in memory, which only this process can open.
class TlsFiles {
 public:
  // Reads what ssl.certificate.location, ssl.key.location and ssl.ca.location name, and makes `settings` name the copies.
  // A folder, or what is not set, is left to librdkafka.
  // Errors: kFailedPrecondition, a sentence with file and remedy: not there, not PEM, a key that others may read, a key
  // that is not the certificate's.
  static absl::StatusOr<TlsFiles> Read(KafkaSettings* settings);

  const std::string& authorities() const { return authorities_; }  // the file; empty without one
  const std::string& certificate() const { return certificate_; }  // subject and file; empty without one
  absl::Time certificate_ends() const { return certificate_ends_; }
  // Readable when one of the files was replaced or written: then this process's copies are old. -1 without files.
  int changed_fd() const { return inotify_.get(); }

 private:
  absl::StatusOr<std::string> Take(const std::string& name, bool secret, KafkaSettings* settings);
  absl::Status LookAt(const std::string& certificate, const std::string& key, const KafkaSettings& settings);

  std::vector<UniqueFd> copies_;
  UniqueFd inotify_;
  std::string authorities_;
  std::string certificate_;
  absl::Time certificate_ends_ = absl::InfiniteFuture();
};

}  // namespace holdpoint
