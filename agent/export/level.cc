#include "agent/export/level.h"

#include <algorithm>

namespace holdpoint {
namespace {

constexpr absl::string_view kNames[] = {"informational", "low", "medium", "high", "critical"};
constexpr int kCef[] = {1, 3, 5, 8, 10};
constexpr int kSyslog[] = {6, 5, 4, 3, 2};

size_t Index(Level level) { return static_cast<size_t>(level) - 1; }

bool IsGrave(const v1::Judgement& judgement) {
  return judgement.effect() == v1::EFFECT_EXPOSE || judgement.effect() == v1::EFFECT_ESCALATE ||
         (judgement.effect() == v1::EFFECT_DESTROY &&
          judgement.recoverability() == v1::RECOVERABILITY_IRREVERSIBLE);
}

Level Stopped(const v1::Judgement& judgement) {
  const bool lost_for_good = judgement.effect() == v1::EFFECT_DESTROY &&
                             judgement.recoverability() == v1::RECOVERABILITY_IRREVERSIBLE &&
                             judgement.tags().target().protected_();
  if (judgement.verdict() >= v1::VERDICT_KILL || !judgement.repeats().empty() || lost_for_good) return Level::kCritical;
  return Level::kHigh;
}

Level Of(const v1::Judgement& judgement) {
  if (judgement.verdict() >= v1::VERDICT_HOLD) {
    return judgement.observed_only() || !judgement.passed_by().empty() ? Level::kMedium : Stopped(judgement);
  }
  if (judgement.verdict() <= v1::VERDICT_ALLOW) return Level::kInformational;
  return IsGrave(judgement) ? Level::kMedium : Level::kLow;
}

Level Of(const v1::Outcome& outcome) {
  if (outcome.what() == "released") return Level::kMedium;
  if (outcome.what() == "gone") return Level::kLow;
  return outcome.has_judgement() ? Stopped(outcome.judgement()) : Level::kHigh;
}

Level Of(const v1::Decision& decision) {
  if (!decision.accepted()) return Level::kHigh;
  const std::string& what = decision.decision();
  if (what == "break-glass" || what == "off") return Level::kHigh;
  if (what == "approve" || what == "detach" || what == "kill") return Level::kMedium;
  return Level::kLow;
}

Level Of(const v1::ModeChanged& mode) {
  if (!mode.accepted() || mode.to() == "off") return Level::kHigh;
  return mode.kind() == "environment" || mode.to() == "observe" ? Level::kMedium : Level::kLow;
}

Level Of(const v1::DaemonState& daemon) {
  if (daemon.state() == "tamper") return Level::kCritical;
  return daemon.state() == "started" || daemon.state() == "stopping" ? Level::kInformational : Level::kMedium;
}

}  // namespace

Level LevelOf(const v1::Envelope& event) {
  if (event.has_exec()) return Of(event.exec().judgement());
  if (event.has_connect()) return Of(event.connect().judgement());
  if (event.has_outcome()) return Of(event.outcome());
  if (event.has_decision()) return Of(event.decision());
  if (event.has_mode_changed()) return Of(event.mode_changed());
  if (event.has_daemon()) return Of(event.daemon());
  if (event.has_session_started() && !event.session_started().guards_off().empty()) return Level::kMedium;
  if (event.has_session_ended() && absl::string_view(event.session_ended().reason()).substr(0, 6) == "killed") {
    return Level::kMedium;
  }
  if (event.has_escaped()) return Level::kMedium;
  if (event.has_credential_read()) {
    return event.credential_read().environment().protected_() ? Level::kMedium : Level::kLow;
  }
  if (event.has_loss() || event.has_test_alert()) return Level::kHigh;
  if (event.has_tombstone()) return event.tombstone().delivered() ? Level::kLow : Level::kHigh;
  if (event.has_config_loaded()) return event.config_loaded().accepted() ? Level::kInformational : Level::kMedium;
  return Level::kInformational;
}

absl::string_view LevelName(Level level) { return kNames[Index(level)]; }

std::optional<Level> ParseLevel(absl::string_view name) {
  const auto* found = std::find(std::begin(kNames), std::end(kNames), name);
  if (found == std::end(kNames)) return std::nullopt;
  return static_cast<Level>(found - std::begin(kNames) + 1);
}

int CefSeverity(Level level) { return kCef[Index(level)]; }
int SyslogSeverity(Level level) { return kSyslog[Index(level)]; }

}  // namespace holdpoint
