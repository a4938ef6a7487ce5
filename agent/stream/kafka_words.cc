#include "agent/stream/kafka_words.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace {

bool CannotBeReached(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
      return true;
    default:
      return false;
  }
}

}  // namespace

absl::Status DeliveryFailure(rd_kafka_resp_err_t code, absl::string_view topic, absl::string_view fatal) {
  switch (code) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
      return absl::OutOfRangeError(
          absl::StrCat("it is larger than topic '", topic, "' takes: raise that topic's max.message.bytes to 1048588"));
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
      return absl::OutOfRangeError(absl::StrCat("the brokers call it invalid for topic '", topic,
                                                "': look for a compacted topic or an interceptor on their side"));
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      return absl::AbortedError(absl::StrCat("the brokers have no topic '", topic, "': create it"));
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      return absl::AbortedError(absl::StrCat("no right to write to topic '", topic,
                                             "': give this host's principal Describe and Write on it"));
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
      return absl::AbortedError(
          "no right to be an idempotent producer: give this host's principal Write on the topic, and with brokers before "
          "Kafka 3 IdempotentWrite on the cluster");
    default:
      return absl::AbortedError(fatal.empty() ? absl::string_view(rd_kafka_err2str(code)) : fatal);
  }
}

Trouble ConnectionTrouble(rd_kafka_resp_err_t code, absl::string_view text, const TroubleFacts& facts) {
  constexpr absl::string_view kWait = "; records wait in the spool";
  const bool unreachable = CannotBeReached(code);
  const std::string lower = absl::AsciiStrToLower(text);
  const bool tls = code == RD_KAFKA_RESP_ERR__SSL || absl::StrContains(lower, "ssl");
  if ((unreachable || tls) && facts.now >= facts.certificate_ends) {
    return {"certificate expired",
            absl::StrCat("this host's certificate ", facts.certificate, " expired on ",
                         absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", facts.certificate_ends, absl::UTCTimeZone()),
                         " and the brokers do not take it: renew it", kWait)};
  }
  if (tls && absl::StrContains(lower, "verify failed")) {
    return {"brokers not verified",
            absl::StrCat("the brokers' certificate does not verify against ",
                         facts.authorities.empty() ? "the system's authorities" : facts.authorities,
                         " (wrong ssl.ca.location, or an expired or other broker certificate): ", text, kWait)};
  }
  if (tls && (absl::StrContains(lower, "alert") || absl::StrContains(lower, "certificate"))) {
    return {"certificate refused",
            absl::StrCat("the brokers do not take this host's certificate (ssl.certificate.location): ", text, kWait)};
  }
  if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED) {
    const std::string trap = ScramTrap(rd_kafka_version(), facts.settings);
    return {"not authenticated",
            absl::StrCat("the brokers do not know who this is: ", trap.empty() ? text : absl::string_view(trap), kWait)};
  }
  if (unreachable) return {"brokers cannot be reached", absl::StrCat("brokers cannot be reached: ", text, kWait)};
  return {rd_kafka_err2str(code), absl::StrCat(rd_kafka_err2str(code), ": ", text, kWait)};
}

}  // namespace holdpoint
