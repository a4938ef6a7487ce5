#include "collector/store/store.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "agent/base/escape.h"
#include "agent/base/sha256.h"
#include "agent/base/status.h"
#include "agent/event/body.h"
#include "agent/event/chain.h"
#include "agent/event/recorder.h"
#include "agent/spool/layout.h"
#include "collector/store/schema.h"

namespace holdpoint {
namespace {

constexpr size_t kReasonShown = 200;
// SQLite's integers are signed.
constexpr uint64_t kMaxSequence = std::numeric_limits<int64_t>::max();

int64_t AsInt(uint64_t value) { return static_cast<int64_t>(std::min(value, kMaxSequence)); }

// Empty where the record can be stored, else what is wrong with it.
std::string WhyNotARecord(const v1::Envelope& event) {
  if (!IsRunId(event.stream().run_id())) return "its run id is none";
  if (event.sequence() == 0 || event.sequence() > kMaxSequence) return "its sequence is none";
  if (event.previous_hash().size() != Sha256Digest().size()) return "its previous_hash is none";
  return "";
}

v1::Verdict VerdictOf(const v1::Envelope& event) {
  if (event.has_exec()) return event.exec().judgement().verdict();
  if (event.has_connect()) return event.connect().judgement().verdict();
  return v1::VERDICT_UNSPECIFIED;
}

const std::string& TicketOf(const v1::Envelope& event) {
  return event.has_decision() ? event.decision().ticket() : event.outcome().ticket();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const std::string& path) {
  HP_ASSIGN_OR_RETURN(Database database, Database::Open(path, Database::Mode::kWrite));
  HP_RETURN_IF_ERROR(EnsureSchema(database));
  std::unique_ptr<Store> store(new Store(std::move(database)));
  HP_RETURN_IF_ERROR(store->Prepare());
  return store;
}

absl::Status Store::Prepare() {
  const std::pair<std::optional<Statement>*, const char*> statements[] = {
      {&insert_stream_, "INSERT INTO streams(run_id, host, host_id, boot_id, instance) VALUES(?,?,?,?,?)"},
      {&insert_named_stream_,
       "INSERT INTO streams(run_id, host, host_id, boot_id, instance) VALUES(?,?,?,'',?) ON CONFLICT DO NOTHING"},
      {&name_boot_, "UPDATE streams SET boot_id = ? WHERE id = ? AND boot_id = ''"},
      {&find_stream_, "SELECT id FROM streams WHERE run_id = ?"},
      {&mark_changed_, "UPDATE streams SET changed = 1 WHERE run_id = ?"},
      {&insert_event_,
       "INSERT INTO events(stream, sequence, session, session_sequence, time_unix_ns, type, environment, verdict, "
       "ticket, hash, previous_hash, record) VALUES(?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING"},
      {&find_hash_, "SELECT hash FROM events WHERE stream = ? AND sequence = ?"},
      {&insert_tombstone_, "INSERT INTO tombstones VALUES(?,?,?,?,?) ON CONFLICT DO NOTHING"},
      {&insert_end_, "INSERT INTO ends VALUES(?,?,?) ON CONFLICT DO NOTHING"},
      {&insert_finding_, "INSERT INTO findings VALUES(?,?,?,?,?,?) ON CONFLICT DO NOTHING"},
      {&set_offset_,
       "INSERT INTO offsets VALUES(?,?,?,?) ON CONFLICT DO UPDATE SET next_offset = excluded.next_offset"},
      {&upsert_session_,
       "INSERT INTO sessions(host_id, session, host, environment, last_unix_ns, events, held, refused) "
       "VALUES(?1,?2,?3,?4,?5,1,?6,?7) ON CONFLICT DO UPDATE SET events = events + 1, held = held + ?6, "
       "refused = refused + ?7, last_unix_ns = max(last_unix_ns, ?5)"},
      {&session_started_,
       "UPDATE sessions SET coding_agent = ?3, user = ?4, owner = ?5, environment = ?6, workspace = ?7, "
       "started_unix_ns = min(coalesce(started_unix_ns, ?8), ?8) WHERE host_id = ?1 AND session = ?2"},
      {&session_ended_, "UPDATE sessions SET ended_unix_ns = ?3, end_reason = ?4 WHERE host_id = ?1 AND session = ?2"},
  };
  for (const auto& [statement, sql] : statements) {
    HP_ASSIGN_OR_RETURN(*statement, database_.Prepare(sql));
  }
  return absl::OkStatus();
}

absl::Status Store::Begin() {
  if (in_transaction_) return absl::OkStatus();
  HP_RETURN_IF_ERROR(database_.Execute("BEGIN IMMEDIATE"));
  in_transaction_ = true;
  return absl::OkStatus();
}

absl::Status Store::Commit() {
  if (!in_transaction_) return absl::OkStatus();
  absl::Status status = database_.Execute("COMMIT");
  if (!status.ok()) Rollback();
  in_transaction_ = false;
  return status;
}

void Store::Rollback() {
  if (!in_transaction_) return;
  database_.Execute("ROLLBACK").IgnoreError();
  in_transaction_ = false;
  stream_ids_.clear();  // Perhaps ids of the transaction that is gone.
}

absl::StatusOr<int64_t> Store::StreamId(const v1::StreamId& stream) {
  if (const auto it = stream_ids_.find(stream.run_id()); it != stream_ids_.end()) return it->second;
  find_stream_->Reset();
  HP_ASSIGN_OR_RETURN(const bool found, find_stream_->Bind(0, stream.run_id()).Step());
  int64_t id = found ? find_stream_->Int(0) : 0;
  find_stream_->Reset();
  if (!found) {
    HP_RETURN_IF_ERROR(insert_stream_->Bind(0, stream.run_id())
                           .Bind(1, stream.host())
                           .Bind(2, stream.host_id())
                           .Bind(3, stream.boot_id())
                           .Bind(4, stream.instance())
                           .Run());
    id = database_.last_insert_rowid();
  } else {
    HP_RETURN_IF_ERROR(name_boot_->Bind(0, stream.boot_id()).Bind(1, id).Run());
  }
  stream_ids_[stream.run_id()] = id;
  return id;
}

absl::Status Store::AddFinding(absl::string_view run_id, absl::string_view kind, uint64_t first, uint64_t last,
                               absl::string_view text) {
  return insert_finding_->Bind(0, run_id)
      .Bind(1, kind)
      .Bind(2, AsInt(first))
      .Bind(3, AsInt(last))
      .Bind(4, text)
      .Bind(5, absl::ToUnixNanos(absl::Now()))
      .Run();
}

absl::Status Store::Reject(const Position& position, absl::string_view why) {
  ++counts_.rejected;
  return AddFinding("", "rejected", 0, 0,
                    absl::StrCat("what lies before offset ", position.next_offset, " of ", position.source, " ",
                                 position.topic, " partition ", position.partition, " is no record: ", why));
}

absl::Status Store::Insert(absl::string_view record, const Position& position) {
  absl::Status status = InsertOne(record, position);
  if (!status.ok()) Rollback();
  return status;
}

absl::Status Store::InsertOne(absl::string_view record, const Position& position) {
  HP_RETURN_IF_ERROR(Begin());
  HP_RETURN_IF_ERROR(set_offset_->Bind(0, position.source)
                         .Bind(1, position.topic)
                         .Bind(2, position.partition)
                         .Bind(3, position.next_offset)
                         .Run());
  v1::Envelope event;
  if (!ParseRecord(record, &event)) {
    return Reject(position, "it does not parse as an envelope");
  }
  if (const std::string why = WhyNotARecord(event); !why.empty()) return Reject(position, why);

  HP_ASSIGN_OR_RETURN(const int64_t stream, StreamId(event.stream()));
  if (IsStandIn(event)) {
    HP_RETURN_IF_ERROR(TakeDeclarations(event));
    return AddFinding(event.stream().run_id(), "undelivered", event.sequence(), event.sequence(),
                      absl::StrCat("record ", event.sequence(), " stays on its host, only its hash is here: ",
                                   EscapeAndClip(event.tombstone().reason(), kReasonShown)));
  }
  const Sha256Digest digest = Sha256(record);
  const absl::string_view hash(reinterpret_cast<const char*>(digest.data()), digest.size());
  HP_RETURN_IF_ERROR(insert_event_->Bind(0, stream)
                         .Bind(1, AsInt(event.sequence()))
                         .Bind(2, event.session())
                         .Bind(3, AsInt(event.session_sequence()))
                         .Bind(4, event.time_unix_ns())
                         .Bind(5, EventType(event))
                         .Bind(6, event.environment())
                         .Bind(7, VerdictOf(event))
                         .Bind(8, TicketOf(event))
                         .BindBlob(9, hash)
                         .BindBlob(10, event.previous_hash())
                         .BindBlob(11, record)
                         .Run());
  if (database_.changes() == 1) {
    ++counts_.stored;
    return TakeNew(event);
  }
  find_hash_->Reset();
  HP_ASSIGN_OR_RETURN(const bool found, find_hash_->Bind(0, stream).Bind(1, AsInt(event.sequence())).Step());
  const bool same = found && find_hash_->Text(0) == hash;
  find_hash_->Reset();
  if (same) {
    ++counts_.duplicates;
    return absl::OkStatus();
  }
  ++counts_.conflicts;
  return AddFinding(event.stream().run_id(), "changed", event.sequence(), event.sequence(),
                    absl::StrCat("record ", event.sequence(), " came twice with different content; the first is kept"));
}

absl::Status Store::TakeNew(const v1::Envelope& event) {
  HP_RETURN_IF_ERROR(MarkChanged(event.stream().run_id()));
  HP_RETURN_IF_ERROR(TakeDeclarations(event));
  if (event.session().empty()) return absl::OkStatus();
  const v1::Verdict verdict = VerdictOf(event);
  const bool held = event.exec().held();
  const bool refused = verdict >= v1::VERDICT_REFUSE;
  const std::string& host_id = event.stream().host_id();
  HP_RETURN_IF_ERROR(upsert_session_->Bind(0, host_id)
                         .Bind(1, event.session())
                         .Bind(2, event.stream().host())
                         .Bind(3, event.environment())
                         .Bind(4, event.time_unix_ns())
                         .Bind(5, held)
                         .Bind(6, refused)
                         .Run());
  if (event.has_session_started()) {
    const v1::SessionStarted& started = event.session_started();
    return session_started_->Bind(0, host_id)
        .Bind(1, event.session())
        .Bind(2, started.coding_agent())
        .Bind(3, started.user())
        .Bind(4, started.owner())
        .Bind(5, started.environment().environment())
        .Bind(6, started.workspace())
        .Bind(7, event.time_unix_ns())
        .Run();
  }
  if (event.has_session_ended()) {
    return session_ended_->Bind(0, host_id)
        .Bind(1, event.session())
        .Bind(2, event.time_unix_ns())
        .Bind(3, event.session_ended().reason())
        .Run();
  }
  return absl::OkStatus();
}

absl::Status Store::TakeDeclarations(const v1::Envelope& event) {
  if (event.has_tombstone()) {
    const v1::Tombstone& tombstone = event.tombstone();
    const std::string& run_id = tombstone.run_id().empty() ? event.stream().run_id() : tombstone.run_id();
    for (const DeclaredGap& gap : GapsOf(tombstone)) {
      HP_RETURN_IF_ERROR(insert_tombstone_->Bind(0, run_id)
                             .Bind(1, AsInt(gap.first_sequence))
                             .Bind(2, AsInt(gap.last_sequence))
                             .BindBlob(3, gap.last_hash)
                             .Bind(4, tombstone.reason())
                             .Run());
    }
    return MarkChanged(run_id);
  }
  const v1::DaemonState& daemon = event.daemon();
  if (daemon.previous_last_sequence() == 0) return absl::OkStatus();
  // Of a run that is gone as a whole there is nothing but this.
  HP_RETURN_IF_ERROR(insert_named_stream_->Bind(0, daemon.previous_run_id())
                         .Bind(1, event.stream().host())
                         .Bind(2, event.stream().host_id())
                         .Bind(3, event.stream().instance())
                         .Run());
  HP_RETURN_IF_ERROR(insert_end_->Bind(0, daemon.previous_run_id())
                         .Bind(1, AsInt(daemon.previous_last_sequence()))
                         .BindBlob(2, daemon.previous_last_hash())
                         .Run());
  return MarkChanged(daemon.previous_run_id());
}

absl::Status Store::MarkChanged(absl::string_view run_id) { return mark_changed_->Bind(0, run_id).Run(); }

absl::StatusOr<std::optional<int64_t>> Store::NextOffset(absl::string_view source, absl::string_view topic,
                                                         int32_t partition) {
  HP_ASSIGN_OR_RETURN(
      Statement statement,
      database_.Prepare("SELECT next_offset FROM offsets WHERE source = ? AND topic = ? AND partition = ?"));
  HP_ASSIGN_OR_RETURN(const bool found, statement.Bind(0, source).Bind(1, topic).Bind(2, partition).Step());
  return found ? std::optional<int64_t>(statement.Int(0)) : std::nullopt;
}

}  // namespace holdpoint
