// Store::Verify: the store's rows through collector/verify.
#include <optional>
#include <vector>

#include "agent/base/status.h"
#include "collector/store/store.h"
#include "collector/verify/stream_verifier.h"

namespace holdpoint {
namespace {

uint64_t AsSequence(int64_t value) { return static_cast<uint64_t>(value); }

absl::StatusOr<StreamFacts> ReadFacts(Database& database, const std::string& run_id) {
  StreamFacts facts;
  HP_ASSIGN_OR_RETURN(
      Statement tombstones,
      database.Prepare("SELECT first_sequence, last_sequence, last_hash FROM tombstones WHERE run_id = ?"));
  tombstones.Bind(0, run_id);
  for (;;) {
    HP_ASSIGN_OR_RETURN(const bool row, tombstones.Step());
    if (!row) break;
    facts.declared.push_back({AsSequence(tombstones.Int(0)), AsSequence(tombstones.Int(1)), tombstones.Text(2)});
  }
  HP_ASSIGN_OR_RETURN(Statement end, database.Prepare("SELECT sequence, hash FROM ends WHERE run_id = ?"));
  HP_ASSIGN_OR_RETURN(const bool row, end.Bind(0, run_id).Step());
  if (row) facts.end = VerifiedTo{AsSequence(end.Int(0)), end.Text(1)};
  return facts;
}

}  // namespace

absl::Status Store::Verify() {
  HP_RETURN_IF_ERROR(Commit());
  if (absl::Status status = VerifyChanged(); !status.ok()) {
    Rollback();
    return status;
  }
  return Commit();
}

absl::Status Store::VerifyChanged() {
  struct Changed {
    int64_t id;
    std::string run_id;
    uint64_t verified_to;
    std::string hash;
  };
  HP_RETURN_IF_ERROR(Begin());
  std::vector<Changed> changed;
  {
    HP_ASSIGN_OR_RETURN(
        Statement streams,
        database_.Prepare("SELECT id, run_id, verified_to, verified_hash FROM streams WHERE changed = 1"));
    for (;;) {
      HP_ASSIGN_OR_RETURN(const bool row, streams.Step());
      if (!row) break;
      changed.push_back({streams.Int(0), streams.Text(1), AsSequence(streams.Int(2)), streams.Text(3)});
    }
  }
  for (const Changed& stream : changed) {
    HP_RETURN_IF_ERROR(VerifyOne(stream.id, stream.run_id, stream.verified_to, stream.hash));
  }
  return absl::OkStatus();
}

absl::Status Store::VerifyOne(int64_t id, const std::string& run_id, uint64_t verified_to,
                              const std::string& verified_hash) {
  HP_ASSIGN_OR_RETURN(const StreamFacts facts, ReadFacts(database_, run_id));
  HP_ASSIGN_OR_RETURN(Statement links, database_.Prepare("SELECT sequence, previous_hash, hash FROM events "
                                                         "WHERE stream = ? AND sequence > ? ORDER BY sequence"));
  links.Bind(0, id).Bind(1, static_cast<int64_t>(verified_to));
  absl::Status read;
  const StreamVerdict verdict = VerifyStream({verified_to, verified_hash}, facts, [&]() -> std::optional<ChainLink> {
    const absl::StatusOr<bool> row = links.Step();
    read.Update(row.status());
    if (!row.ok() || !*row) return std::nullopt;
    return ChainLink{AsSequence(links.Int(0)), links.Text(1), links.Text(2)};
  });
  HP_RETURN_IF_ERROR(read);

  // What was said of the part that is not settled yet is said anew.
  HP_ASSIGN_OR_RETURN(Statement forget,
                      database_.Prepare("DELETE FROM findings WHERE run_id = ? AND last_sequence > ? "
                                        "AND kind IN ('missing', 'broken', 'repeated', 'bad-tombstone')"));
  HP_RETURN_IF_ERROR(forget.Bind(0, run_id).Bind(1, static_cast<int64_t>(verified_to)).Run());
  for (const ChainFinding& finding : verdict.findings) {
    HP_RETURN_IF_ERROR(AddFinding(run_id, ChainFindingName(finding.kind), finding.first, finding.last, finding.text));
  }
  HP_ASSIGN_OR_RETURN(Statement settle, database_.Prepare("UPDATE streams SET verified_to = ?, verified_hash = ?, "
                                                          "changed = 0 WHERE id = ?"));
  return settle.Bind(0, static_cast<int64_t>(verdict.verified_to.sequence))
      .BindBlob(1, verdict.verified_to.hash)
      .Bind(2, id)
      .Run();
}

}  // namespace holdpoint
