#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/export/format.h"
#include "agent/export/level.h"

namespace holdpoint {

// One sink as it is configured.
struct SinkSpec {
  enum class Kind { kFile, kStdout, kUnix, kUdp, kTcp, kTls, kTopic };
  std::string name;  // of its cursor and its counters: 1 to 32 of a-z 0-9 - _
  ExportFormat format = ExportFormat::kJson;
  Kind kind = Kind::kStdout;
  std::string place;  // path, host or topic
  uint16_t port = 0;  // of udp, tcp and tls
  Level minimum = Level::kInformational;
  std::string ca_file, certificate_file, key_file;  // of tls; the system's authorities where there is none
};

// "NAME=FORMAT:TARGET" as holdpoint-sinks takes it, for example "siem=cef:tls://siem.example.com:6514". TARGET is
// file:/PATH, stdout, unix:/PATH, udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT or kafka:TOPIC. kInvalidArgument with what was
// wanted. Pure.
absl::StatusOr<SinkSpec> ParseSinkSpec(absl::string_view text);

// "KEY=VALUE" for one of them: minimum, ca_file, certificate_file, key_file.
absl::Status SetSinkOption(absl::string_view text, SinkSpec* spec);

// "tls://siem.example.com:6514"
std::string SinkTargetText(const SinkSpec& spec);

}  // namespace holdpoint
