#include "agent/event/record_class.h"

namespace holdpoint {

RecordClass ClassOf(const v1::Envelope& event) {
  const v1::Verdict verdict = event.has_exec() ? event.exec().judgement().verdict() : event.connect().judgement().verdict();
  if (verdict >= v1::VERDICT_HOLD || event.has_decision() || event.has_outcome() || event.has_mode_changed() ||
      event.has_credential_read()) {
    return RecordClass::kEvidence;
  }
  if (event.has_session_started() || event.has_session_ended() || event.has_config_loaded() || event.has_daemon() ||
      event.has_loss() || event.has_tombstone() || event.has_escaped()) {
    return RecordClass::kContext;
  }
  return RecordClass::kOrdinary;
}

}  // namespace holdpoint
