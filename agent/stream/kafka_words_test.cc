#include "agent/stream/kafka_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdpoint {
namespace {

using testing::HasSubstr;

TEST(KafkaWordsTest, EachFailedDeliverySaysWhatToDo) {
  const auto say = [](rd_kafka_resp_err_t code) { return std::string(DeliveryFailure(code, "t", "").message()); };
  EXPECT_THAT(say(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART), HasSubstr("no topic 't'"));
  EXPECT_THAT(say(RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC), HasSubstr("create it"));
  EXPECT_THAT(say(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED), HasSubstr("Describe and Write"));
  EXPECT_THAT(say(RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED), HasSubstr("idempotent"));
  EXPECT_THAT(say(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE), HasSubstr("max.message.bytes"));
  EXPECT_EQ(DeliveryFailure(RD_KAFKA_RESP_ERR__FATAL, "t", "fenced").message(), "fenced");
}

TEST(KafkaWordsTest, OnlyARecordThatIsNeverTakenIsPassedOver) {
  EXPECT_EQ(DeliveryFailure(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "t", "").code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(DeliveryFailure(RD_KAFKA_RESP_ERR_INVALID_RECORD, "t", "").code(), absl::StatusCode::kOutOfRange);
  for (const auto code : {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
                          RD_KAFKA_RESP_ERR__FATAL, RD_KAFKA_RESP_ERR__PURGE_QUEUE, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT}) {
    EXPECT_EQ(DeliveryFailure(code, "t", "").code(), absl::StatusCode::kAborted) << rd_kafka_err2name(code);
  }
}

class TroubleTest : public testing::Test {
 protected:
  Trouble Say(rd_kafka_resp_err_t code, absl::string_view text) {
    return ConnectionTrouble(code, text,
                             {.settings = settings_,
                              .authorities = "/ca.pem",
                              .certificate = "/CN=web-1 (/host.pem)",
                              .certificate_ends = ends_,
                              .now = now_});
  }
  const absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
  absl::Time ends_ = now_ + absl::Hours(1);
  KafkaSettings settings_;
};

TEST_F(TroubleTest, OneKindForAllThatIsAway) {
  for (const auto code : {RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__RESOLVE,
                          RD_KAFKA_RESP_ERR__TIMED_OUT}) {
    EXPECT_EQ(Say(code, "refused").kind, "brokers cannot be reached");
  }
}

TEST_F(TroubleTest, AnExpiredCertificateIsNamedWhateverTheBrokersSay) {
  EXPECT_EQ(Say(RD_KAFKA_RESP_ERR__TRANSPORT, "Disconnected").kind, "brokers cannot be reached");
  ends_ = now_;
  const Trouble expired = Say(RD_KAFKA_RESP_ERR__TRANSPORT, "Disconnected");
  EXPECT_EQ(expired.kind, "certificate expired");
  EXPECT_THAT(expired.sentence, HasSubstr("/CN=web-1 (/host.pem) expired on 2023-11-14"));
  EXPECT_THAT(expired.sentence, HasSubstr("renew it"));
}

TEST_F(TroubleTest, AWrongAuthorityAndARefusedCertificateAreToldApart) {
  const Trouble broker = Say(RD_KAFKA_RESP_ERR__SSL, "certificate verify failed: self signed");
  EXPECT_EQ(broker.kind, "brokers not verified");
  EXPECT_THAT(broker.sentence, HasSubstr("/ca.pem"));
  EXPECT_EQ(Say(RD_KAFKA_RESP_ERR__SSL, "sslv3 alert bad certificate").kind, "certificate refused");
}

TEST_F(TroubleTest, ScramTrapIsNamedInsteadOfInvalidCredentials) {
  EXPECT_THAT(Say(RD_KAFKA_RESP_ERR__AUTHENTICATION, "invalid credentials").sentence, HasSubstr("invalid credentials"));
  settings_["sasl.mechanism"] = "SCRAM-SHA-512";
  const std::string said = Say(RD_KAFKA_RESP_ERR__AUTHENTICATION, "invalid credentials").sentence;
  EXPECT_THAT(said, HasSubstr(rd_kafka_version() < 0x020601ff ? "before 2.6.1" : "invalid credentials"));
}

}  // namespace
}  // namespace holdpoint
