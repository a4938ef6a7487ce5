#include "agent/stream/check.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/base/status.h"
#include "agent/event/framing.h"
#include "agent/stream/kafka_client.h"
#include "agent/stream/kafka_words.h"

namespace holdpoint {
namespace {

constexpr absl::Duration kCertificateSoon = absl::Hours(24 * 14);
constexpr int kStepMs = 500;

struct KafkaDestroy {
  void operator()(rd_kafka_t* rk) const {
    rd_kafka_purge(rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    rd_kafka_destroy(rk);
  }
};

struct Heard {
  const KafkaOptions& options;
  std::vector<Trouble> troubles;
  std::map<std::string, rd_kafka_resp_err_t> written;  // by topic
};

class Checker {
 public:
  Checker(const KafkaOptions& options, absl::Duration patience) : patience_(patience), heard_{options, {}, {}} {}

  absl::Status Start() {
    KafkaSettings settings = heard_.options.settings;
    settings["message.timeout.ms"] = absl::StrCat(absl::ToInt64Milliseconds(patience_));
    settings["topic.metadata.propagation.max.ms"] = "1";
    HP_ASSIGN_OR_RETURN(KafkaConfPtr conf, KafkaConfOf(settings));
    rd_kafka_conf_set_opaque(conf.get(), &heard_);
    rd_kafka_conf_set_error_cb(conf.get(), &Checker::OnError);
    rd_kafka_conf_set_dr_msg_cb(conf.get(), &Checker::OnDelivery);
    rd_kafka_conf_set_log_cb(conf.get(), [](const rd_kafka_t*, int, const char*, const char*) {});
    HP_ASSIGN_OR_RETURN(rd_kafka_t * rk, NewProducer(std::move(conf)));
    rk_.reset(rk);
    return absl::OkStatus();
  }

  // Brokers that answer, or what is in the way.
  CheckRow Connection() {
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    const int64_t steps = std::max<int64_t>(absl::ToInt64Milliseconds(patience_) / kStepMs, 1);
    for (int64_t step = 0; step < steps; ++step) {
      const rd_kafka_metadata_t* metadata = nullptr;
      code = rd_kafka_metadata(rk_.get(), 0, nullptr, &metadata, kStepMs);
      if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const CheckRow row{"kafka", "ok", absl::StrCat(metadata->broker_cnt, " brokers answer and know this host")};
        rd_kafka_metadata_destroy(metadata);
        return row;
      }
      rd_kafka_poll(rk_.get(), 0);
      // An unreachable broker may come; a refused identity does not.
      const auto& all = heard_.troubles;
      if (std::any_of(all.begin(), all.end(), [](const Trouble& t) { return t.kind != "brokers cannot be reached"; })) break;
    }
    std::string why = rd_kafka_err2str(code);
    for (const Trouble& trouble : heard_.troubles) {  // What is not "cannot be reached" says more.
      why = trouble.sentence;
      if (trouble.kind != "brokers cannot be reached") break;
    }
    return {"kafka", "bad", why, "records wait in the spool until this is mended; see kafka in the configuration"};
  }

  CheckRow Topic(const KafkaTopic& topic, bool copy) {
    const std::string check = absl::StrCat("topic ", topic.name);
    rd_kafka_resp_err_t code = Exists(topic.name);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) code = Write(topic.name);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {check, "ok", "is there, and this host may write to it"};
    return {check, copy ? "warning" : "bad", std::string(DeliveryFailure(code, topic.name, "").message()),
            copy ? "records are delivered without it; or name no topic for these copies" : "records wait in the spool"};
  }

 private:
  static void OnError(rd_kafka_t*, int code, const char* reason, void* opaque) {
    auto& heard = *static_cast<Heard*>(opaque);
    heard.troubles.push_back(ConnectionTrouble(static_cast<rd_kafka_resp_err_t>(code), reason,
                                               {.settings = heard.options.settings,
                                                .authorities = heard.options.authorities,
                                                .certificate = heard.options.certificate,
                                                .certificate_ends = heard.options.certificate_ends,
                                                .now = absl::Now()}));
  }
  static void OnDelivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
    static_cast<Heard*>(opaque)->written[rd_kafka_topic_name(message->rkt)] = message->err;
  }

  rd_kafka_resp_err_t Exists(const std::string& name) {
    rd_kafka_topic_t* topic = rd_kafka_topic_new(rk_.get(), name.c_str(), nullptr);
    const rd_kafka_metadata_t* metadata = nullptr;
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(rk_.get(), 0, topic, &metadata, static_cast<int>(absl::ToInt64Milliseconds(patience_)));
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      code = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
      rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_topic_destroy(topic);
    return code;
  }

  rd_kafka_resp_err_t Write(const std::string& name) {
    const std::string type = kProbeType;
    const rd_kafka_resp_err_t code = rd_kafka_producev(
        rk_.get(), RD_KAFKA_V_TOPIC(name.c_str()), RD_KAFKA_V_KEY(kProbeKey, sizeof(kProbeKey) - 1),
        RD_KAFKA_V_HEADER("ce_type", type.data(), static_cast<ssize_t>(type.size())), RD_KAFKA_V_END);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return code;
    rd_kafka_flush(rk_.get(), static_cast<int>(absl::ToInt64Milliseconds(patience_)) + kStepMs);
    const auto it = heard_.written.find(name);
    return it == heard_.written.end() ? RD_KAFKA_RESP_ERR__TIMED_OUT : it->second;
  }

  const absl::Duration patience_;
  Heard heard_;
  std::unique_ptr<rd_kafka_t, KafkaDestroy> rk_;
};

}  // namespace

std::vector<CheckRow> CheckKafka(const KafkaOptions& options, absl::Duration patience, absl::Time now) {
  std::vector<CheckRow> rows;
  if (!options.certificate.empty()) {
    const std::string ends = absl::FormatTime("%Y-%m-%d", options.certificate_ends, absl::UTCTimeZone());
    const bool over = now >= options.certificate_ends, soon = now + kCertificateSoon >= options.certificate_ends;
    rows.push_back({"kafka certificate", over ? "bad" : soon ? "warning" : "ok",
                    absl::StrCat(options.certificate, over ? " expired on " : " is good until ", ends),
                    over || soon ? "renew it: a file that is replaced is read again by itself" : ""});
  }
  if (const std::string trap = ScramTrap(rd_kafka_version(), options.settings); !trap.empty()) {
    rows.push_back({"kafka SCRAM", "warning", trap, "see docs/record.md"});
  }
  Checker checker(options, patience);
  if (const absl::Status started = checker.Start(); !started.ok()) {
    rows.push_back({"kafka", "bad", std::string(started.message()), "see kafka.settings in the configuration"});
    return rows;
  }
  rows.push_back(checker.Connection());
  if (rows.back().level == "bad") return rows;
  rows.push_back(checker.Topic(options.events, false));
  for (const KafkaTopic* copy : {&options.heartbeats, &options.decisions}) {
    if (!copy->name.empty()) rows.push_back(checker.Topic(*copy, true));
  }
  return rows;
}

}  // namespace holdpoint
