#include "agent/export/story.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "agent/base/escape.h"
#include "agent/event/body.h"
#include "agent/event/render.h"
#include "agent/export/text.h"

namespace holdpoint {
namespace {

// A text of the record that may become part of a word of ours: one of these, or nothing.
template <size_t N>
std::string Known(absl::string_view text, const absl::string_view (&words)[N]) {
  if (std::find(std::begin(words), std::end(words), text) == std::end(words)) return "";
  return absl::StrReplaceAll(text, {{" ", "-"}});
}

constexpr absl::string_view kOutcomes[] = {"released", "refused", "killed", "gone", "connect refused"};
constexpr absl::string_view kDecisions[] = {"approve",     "deny",            "expire", "detach", "remove",
                                            "break-glass", "break-glass end", "off",    "on",     "kill"};
constexpr absl::string_view kStates[] = {"started", "stopping", "judge restarted", "fail mode", "tamper"};

std::string Named(absl::string_view what, const std::string& word) {
  return word.empty() ? std::string(what) : absl::StrCat(what, "-", word);
}

Disposition DispositionOf(const v1::Judgement& judgement, bool held) {
  if (judgement.verdict() >= v1::VERDICT_HOLD) {
    if (judgement.observed_only()) return Disposition::kDetected;
    if (!judgement.passed_by().empty()) return Disposition::kApproved;
    return held ? Disposition::kHeld : Disposition::kBlocked;
  }
  return judgement.verdict() == v1::VERDICT_AUDIT ? Disposition::kLogged : Disposition::kAllowed;
}

const char* Past(Disposition disposition, v1::Verdict verdict) {
  switch (disposition) {
    case Disposition::kNone:
    case Disposition::kAllowed:
      return "allowed";
    case Disposition::kLogged:
      return "audited";
    case Disposition::kDetected:
      return "observed";
    case Disposition::kApproved:
      return "approved";
    case Disposition::kHeld:
      return "held";
    case Disposition::kBlocked:
      return verdict >= v1::VERDICT_KILL ? "killed" : "refused";
  }
  return "allowed";
}

void Judged(absl::string_view kind, const v1::Process& process, const v1::Judgement& judgement, bool held,
            const std::string& ticket, Story* story) {
  story->process = &process;
  story->judgement = &judgement;
  story->disposition = DispositionOf(judgement, held);
  story->action = absl::StrCat(kind, "-", Past(story->disposition, judgement.verdict()));
  story->reason = Clipped(judgement.reason());
  story->ticket = Clipped(ticket, 64);
}

void Of(const v1::Outcome& outcome, Story* story) {
  story->action = Named("outcome", Known(outcome.what(), kOutcomes));
  story->reason = Clipped(outcome.has_judgement() ? outcome.judgement().reason() : outcome.detail());
  story->ticket = Clipped(outcome.ticket(), 64);
  if (outcome.has_process()) story->process = &outcome.process();
  if (outcome.has_judgement()) story->judgement = &outcome.judgement();
  story->disposition = outcome.what() == "released" ? Disposition::kApproved
                       : outcome.what() == "gone"   ? Disposition::kNone
                                                    : Disposition::kBlocked;
}

void Of(const v1::Decision& decision, Story* story) {
  story->action = decision.accepted() ? Named("decision", Known(decision.decision(), kDecisions)) : "decision-not-accepted";
  story->reason = Clipped(decision.accepted() ? decision.reason() : decision.refused_because());
  story->ticket = Clipped(decision.ticket(), 64);
  if (!decision.accepted()) return;
  if (decision.decision() == "approve") story->disposition = Disposition::kApproved;
  if (decision.decision() == "deny") story->disposition = Disposition::kBlocked;
}

void Describe(const v1::Envelope& event, Story* story) {
  if (event.has_exec()) {
    const v1::Exec& exec = event.exec();
    return Judged("exec", exec.process(), exec.judgement(), exec.held(), exec.ticket(), story);
  }
  if (event.has_connect()) {
    const v1::Connect& connect = event.connect();
    return Judged("connect", connect.process(), connect.judgement(), false, connect.ticket(), story);
  }
  if (event.has_outcome()) return Of(event.outcome(), story);
  if (event.has_decision()) return Of(event.decision(), story);
  if (event.has_session_started()) {
    story->action = event.session_started().found_at_start() ? "session-found" : "session-started";
    if (event.session_started().has_root()) story->process = &event.session_started().root();
  } else if (event.has_session_ended()) {
    story->action = "session-ended";
    story->reason = Clipped(event.session_ended().reason());
  } else if (event.has_session_updated()) {
    story->action = "session-updated";
    story->reason = Clipped(event.session_updated().because());
  } else if (event.has_escaped()) {
    story->action = "session-escaped";
    if (event.escaped().has_process()) story->process = &event.escaped().process();
  } else if (event.has_credential_read()) {
    story->action = event.credential_read().read() ? "credential-read" : "credential-opened";
    story->disposition = Disposition::kLogged;
    story->process = &event.credential_read().process();
  } else if (event.has_rollup()) {
    story->action = event.rollup().kind() == "connect" ? "connects-counted" : "execs-counted";
    story->disposition = Disposition::kAllowed;
  } else if (event.has_loss()) {
    story->action = "events-lost";
    story->reason = Clipped(event.loss().reason());
    if (event.loss().unknown()) absl::StrAppend(&story->reason, " (how many is not known)");
  } else if (event.has_tombstone()) {
    story->action = "records-given-up";
    story->reason = Clipped(event.tombstone().reason());
  } else if (event.has_daemon()) {
    story->action = Named("daemon", Known(event.daemon().state(), kStates));
    story->reason = Clipped(event.daemon().detail());
  } else if (event.has_config_loaded()) {
    story->action = event.config_loaded().accepted() ? "config-loaded" : "config-not-accepted";
    story->reason = Clipped(event.config_loaded().problem());
  } else if (event.has_mode_changed()) {
    story->action = event.mode_changed().accepted() ? "mode-changed" : "mode-not-accepted";
    story->reason = Clipped(event.mode_changed().accepted() ? event.mode_changed().reason()
                                                            : event.mode_changed().refused_because());
  } else if (event.has_heartbeat()) {
    story->action = "heartbeat";
  } else if (event.has_test_alert()) {
    story->action = "test-alert";
    story->subject = absl::StrCat(EscapeAndClip(event.test_alert().id(), 64), " by ",
                                  EscapeAndClip(event.test_alert().by(), 64), ": ",
                                  EscapeAndClip(event.test_alert().note(), 160));
    story->reason = "a test of the way to here: nothing happened";
  } else {
    story->action = "event";
  }
}

}  // namespace

Story StoryOf(const v1::Envelope& event) {
  Story story;
  story.level = LevelOf(event);
  story.alert = story.level >= kAlertLevel;
  story.type = std::string(EventType(event));
  story.uid = absl::StrCat(Clipped(event.stream().run_id(), 64), "/", event.sequence());
  story.subject = EventText(event);
  Describe(event, &story);
  return story;
}

std::string Message(const Story& story) {
  std::string message = absl::StrCat(absl::StrReplaceAll(story.action, {{"-", " "}}), ": ", story.subject);
  // The subject of other events says why already.
  if (story.judgement != nullptr && !story.reason.empty()) absl::StrAppend(&message, "; ", story.reason);
  return Clipped(message, 2 * kMaxExportText);
}

}  // namespace holdpoint
