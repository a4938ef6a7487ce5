#include "agent/gate/record_desk.h"

#include <sys/stat.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "agent/base/escape.h"
#include "agent/base/status.h"
#include "agent/control/decide.h"
#include "agent/gate/core.h"
#include "agent/gate/lineage.h"
#include "agent/spool/cursor.h"

namespace holdpoint {
namespace {

constexpr char kTestNote[] = "this is a test: nothing happened";

absl::Duration Age(uint64_t seconds) {
  return seconds == 0 ? absl::InfiniteDuration() : absl::Seconds(static_cast<int64_t>(seconds));
}

}  // namespace

SpoolBounds BoundsOf(const v1::RecordLimits& limits) {
  return {.max_bytes = limits.spool_max_bytes(),
          .max_age = Age(limits.spool_max_age_s()),
          .decisions_max_age = Age(limits.spool_decisions_max_age_s())};
}

RecordCounts RecordDesk::Counts() const {
  RecordCounts counts = ledger_.recorder().counts();
  if (const auto delivery = ReadDelivery(DeliveryPath(state_dir_)); delivery.ok() && delivery->undeliverable > 0) {
    counts.losses[{"stream", "too large for the brokers"}] = delivery->undeliverable;
  }
  return counts;
}

StatusView::Spool RecordDesk::Report() {
  const Spool::Depth depth = spool_.depth();
  StatusView::Spool view;
  view.bytes = depth.bytes;
  view.last_sequence = ledger_.recorder().head().sequence;
  const RecordCounts counts = Counts();
  view.lost = counts.lost();
  view.losses_unknown = counts.losses_unknown;
  view.in_reserve = depth.in_reserve;
  if (depth.oldest != absl::InfiniteFuture()) view.oldest = absl::ToUnixSeconds(depth.oldest);
  view.kafka = kafka_;
  if (!kafka_) return view;
  view.undelivered = depth.undelivered;
  struct stat st {};  // The cursor is written when something was delivered.
  if (stat(CursorPath(state_dir_).c_str(), &st) == 0) view.last_delivery = st.st_mtim.tv_sec;
  if (const auto delivery = ReadDelivery(DeliveryPath(state_dir_)); delivery.ok()) {
    view.last_delivered_record = delivery->last_record_unix_ns / 1'000'000'000;
    view.trouble = delivery->trouble;
  }
  return view;
}

RecordView RecordDesk::Metrics() {
  const RecordCounts counts = Counts();
  RecordView view{.spool = Report(),
                  .events = counts.events,
                  .verdicts = counts.verdicts,
                  .bytes = counts.bytes,
                  .evicted_delivered = counts.evicted_delivered};
  for (const auto& [key, count] : counts.losses) view.losses.push_back({key.first, key.second, count});
  if (const auto delivery = ReadDelivery(DeliveryPath(state_dir_)); kafka_ && delivery.ok()) {
    view.delivered = delivery->delivered;
    view.undeliverable = delivery->undeliverable;
    view.stream_restarts = delivery->restarts;
    view.delivery_delay = delivery->delay;
  }
  return view;
}

void RecordDesk::TestAlert(const std::shared_ptr<ControlCall>& call, bool peer_in_session) {
  if (absl::Status may = MayAdminister(call->peer().uid, peer_in_session); !may.ok()) {
    return call->Reply(ExitCode(may), may.message());
  }
  v1::Envelope envelope;
  v1::TestAlert& alert = *envelope.mutable_test_alert();
  alert.set_id(absl::StrFormat("TA-%08x", RandomBits()));
  alert.set_note(kTestNote);
  alert.set_by(EscapeAndClip(call->request().text1, 63));
  alert.set_peer_uid(call->peer().uid);
  alert.set_login_uid(LoginUid(call->peer().pid));
  const std::string id = alert.id();
  Recorder& recorder = ledger_.recorder();
  const absl::StatusOr<uint64_t> sequence = recorder.Record(std::move(envelope));
  const absl::Status synced = sequence.ok() ? recorder.Sync() : sequence.status();
  if (!synced.ok()) return call->Reply(ExitCode(synced), absl::StrCat("the spool does not take it: ", synced.message()));
  call->Reply(0, "", TestAlertBodies(id, recorder.stream().run_id(), *sequence, state_dir_, kafka_));
}

}  // namespace holdpoint
