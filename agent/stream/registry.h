#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace holdpoint {

// A schema registry with Confluent's interface (also Apicurio at /apis/ccompat/v7, Karapace, Redpanda).
struct RegistryOptions {
  std::string url;  // https://..., http only to this host
  std::string ca_pem, certificate_pem, key_pem;  // the contents; empty: the system's authorities, no certificate
  std::string user, password;                    // basic authentication; empty: none
  bool register_schema = true;                   // false: the schema must be there already
  absl::Duration timeout = absl::Seconds(10);
};

// The schema of the record, whose first message is the envelope: event.proto as a FileDescriptorProto in base64. Every
// client of a registry reads that form; of the text some ask the registry for a translation that not each one makes.
std::string RecordSchema();

// The id of RecordSchema() under `subject` ("TOPIC-value"). Registers it where the registry finds it compatible with
// what is there. Waits for the answers.
// Errors, each a sentence: kInvalidArgument for a URL that is none; kUnavailable when nothing answers;
// kPermissionDenied; kFailedPrecondition for a schema that is not compatible, or not there and not to be registered.
absl::StatusOr<uint32_t> SchemaId(const RegistryOptions& options, const std::string& subject);

}  // namespace holdpoint
