#include "agent/gate/fail_mode.h"

#include "absl/strings/str_cat.h"
#include "agent/base/escape.h"

namespace holdpoint {

v1::Judgement FailModeJudgement(const Session& session, const std::string& why, bool closed) {
  v1::Judgement judgement;
  judgement.set_verdict(closed ? v1::VERDICT_REFUSE : v1::VERDICT_ALLOW);
  judgement.set_rule("fail-mode");
  judgement.set_effect(v1::EFFECT_UNSEEN);
  judgement.mutable_tags()->mutable_session()->set_environment(session.environment);
  judgement.set_reason(absl::StrCat("no judgement was possible: ", EscapeAndClip(why, 160)));
  judgement.add_blind_spots("not judged");
  return judgement;
}

}  // namespace holdpoint
