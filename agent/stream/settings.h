#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace holdpoint {

// librdkafka's configuration properties, by name.
using KafkaSettings = std::map<std::string, std::string>;

// "name=value" of the command line. "name.file=/path" takes the value from a file, without white space around it.
// Errors: kInvalidArgument for another form, for a secret that is given as it is (a command line is public), and for a
// property that would take away a guarantee (see CheckKafkaSetting); kFailedPrecondition for a secret's file that others
// than its owner may read; those of reading the file.
absl::Status AddKafkaSetting(absl::string_view text, KafkaSettings* settings);

// kInvalidArgument for properties that are ours to set: acks, enable.idempotence, message.timeout.ms and their kin.
// With another value an event would count as sent that no broker has.
absl::Status CheckKafkaSetting(absl::string_view name);

// What the stream process and librdkafka agree on where the user says nothing else, with `brokers` and the user's own
// `settings` on top. `features` is librdkafka's "builtin.features": zstd, else lz4, else no compression. Away from this
// host TLS is what is spoken, unless the user says otherwise.
KafkaSettings ProducerSettings(absl::string_view brokers, const KafkaSettings& settings, absl::string_view features);

// What of `settings` cannot work together, with what to do: SASL without TLS, TLS without a certificate of this host where
// nothing else says who it is, OAUTHBEARER that this librdkafka cannot get tokens for. `settings` as ProducerSettings
// made them. kFailedPrecondition. Pure.
absl::Status CheckIdentity(const KafkaSettings& settings, absl::string_view features);

// The trap of librdkafka before 2.6.1: it repeats the client's nonce in SCRAM, Kafka 4 brokers check it, and a right
// password is answered with "invalid credentials". Empty where the version (rd_kafka_version()) or the mechanism is
// another one, else one line for people. Pure.
std::string ScramTrap(int librdkafka_version, const KafkaSettings& settings);

}  // namespace holdpoint
