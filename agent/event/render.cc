#include "agent/event/render.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "agent/base/escape.h"

namespace holdpoint {
namespace {

constexpr size_t kTextMax = 160;  // of what a session wrote, per piece
constexpr size_t kWordWidth = 9;

enum class Tone { kPlain, kDim, kGood, kWarn, kBad };

// What is said of an event: a word that names it, the text behind it, and a second line where there is one.
struct Line {
  std::string word;
  Tone tone = Tone::kPlain;
  std::string text;
  std::string second;
};

std::string Clip(absl::string_view text) { return EscapeAndClip(text, kTextMax); }

std::string Painted(const std::string& text, Tone tone, bool color) {
  if (!color || tone == Tone::kPlain) return text;
  const char* code = tone == Tone::kDim ? "2" : tone == Tone::kGood ? "32" : tone == Tone::kWarn ? "33" : "1;31";
  return absl::StrCat("\x1b[", code, "m", text, "\x1b[0m");
}

std::string Subject(const v1::Process& process) {
  if (process.argv_size() > 0) {
    return RenderArgv({process.argv().begin(), process.argv().end()}, kTextMax);
  }
  return Clip(process.executable());
}

void SetVerdict(v1::Verdict verdict, Line& line) {
  switch (verdict) {
    case v1::VERDICT_REFUSE:
      line.word = "REFUSE", line.tone = Tone::kBad;
      return;
    case v1::VERDICT_KILL:
      line.word = "KILL", line.tone = Tone::kBad;
      return;
    case v1::VERDICT_KILL_SESSION:
      line.word = "KILL ALL", line.tone = Tone::kBad;
      return;
    case v1::VERDICT_HOLD:
      line.word = "HOLD", line.tone = Tone::kWarn;
      return;
    case v1::VERDICT_AUDIT:
      line.word = "audit", line.tone = Tone::kWarn;
      return;
    default:
      line.word = "allow", line.tone = Tone::kDim;
      return;
  }
}

std::string Reason(const v1::Judgement& judgement) {
  if (judgement.verdict() <= v1::VERDICT_ALLOW) return "";
  std::string text = Clip(judgement.reason());
  const v1::Tags& tags = judgement.tags();
  if (tags.crossing()) {
    absl::StrAppend(&text, text.empty() ? "" : "; ", "session ", Clip(tags.session().environment()), ", target ",
                    Clip(tags.target().environment()));
  }
  absl::StrAppend(&text, text.empty() ? "" : " ", "[", Clip(judgement.rule()), "]");
  if (!judgement.repeats().empty()) absl::StrAppend(&text, " repeats ", Clip(judgement.repeats()));
  if (judgement.observed_only()) absl::StrAppend(&text, " observed only: nothing was stopped");
  return text;
}

Line Judged(const v1::Judgement& judgement, const std::string& subject) {
  Line line;
  SetVerdict(judgement.verdict(), line);
  line.text = judgement.summary().empty() ? subject : Clip(judgement.summary());
  line.second = Reason(judgement);
  return line;
}

Line Of(const v1::SessionStarted& e) {
  return {"session", Tone::kGood,
          absl::StrCat(e.found_at_start() ? "found again: " : "started: ", Clip(e.coding_agent()), " by ",
                       Clip(e.user()), ", ", Clip(e.environment().environment()), " (", Clip(e.environment().source()),
                       ")", e.workspace().empty() ? "" : " in ", Clip(e.workspace())),
          ""};
}

Line Of(const v1::SessionUpdated& e) {
  std::vector<std::string> keys;
  for (const auto& [name, value] : e.join_keys()) keys.push_back(absl::StrCat(Clip(name), "=", Clip(value)));
  std::sort(keys.begin(), keys.end());
  return {"session", Tone::kPlain,
          absl::StrCat("now known: ", Clip(e.coding_agent()), ", ", Clip(e.environment().environment()), " (",
                       Clip(e.because()), ")"),
          Clip(absl::StrJoin(keys, ", "))};
}

Line Of(const v1::Escaped& e) {
  return {"escaped", Tone::kWarn,
          absl::StrCat(Clip(e.kind()), " by ", Clip(e.by()), ": ", Clip(e.target()),
                       e.has_peer() ? absl::StrCat(", process ", e.peer().tgid(), " ", Clip(e.peer().executable())) : ""),
          Subject(e.process())};
}

Line Of(const v1::CredentialRead& e) {
  std::string text = absl::StrCat(Clip(e.credential()), ": ", Clip(e.file()), e.read() ? " read by " : " opened by ",
                                  e.own_process() ? "the coding agent itself, " : "", Clip(e.process().executable()), " (pid ",
                                  e.process().tgid(), ")");
  if (!e.environment().environment().empty()) absl::StrAppend(&text, ", of ", Clip(e.environment().environment()));
  return {"secret", e.environment().protected_() ? Tone::kWarn : Tone::kPlain, std::move(text), ""};
}

Line Of(const v1::SessionEnded& e) {
  return {"session", Tone::kPlain,
          absl::StrCat("ended: ", Clip(e.reason()), "; ", e.execs(), " execs, ", e.connects(), " connects, ",
                       e.refused(), " refused"),
          ""};
}

Line Of(const v1::Exec& e) { return Judged(e.judgement(), Subject(e.process())); }

Line Of(const v1::Connect& e) {
  return Judged(e.judgement(),
                absl::StrCat("connect ", Clip(e.protocol()), " ", Clip(e.address()), " port ", e.port()));
}

Line Of(const v1::Decision& e) {
  Line line{"decision", e.accepted() ? Tone::kGood : Tone::kBad,
            absl::StrCat(Clip(e.decision()), " of ", Clip(e.ticket()), " by ", Clip(e.by()),
                         e.role().empty() ? "" : absl::StrCat(" (", Clip(e.role()), ")")),
            ""};
  if (!e.accepted()) absl::StrAppend(&line.text, " NOT ACCEPTED: ", Clip(e.refused_because()));
  if (!e.reason().empty()) absl::StrAppend(&line.text, ": ", Clip(e.reason()));
  return line;
}

Line Of(const v1::Outcome& e) {
  Line line{"outcome", e.what() == "released" ? Tone::kGood : Tone::kBad, Clip(e.what()), ""};
  if (!e.ticket().empty()) absl::StrAppend(&line.text, ", ticket ", Clip(e.ticket()));
  if (e.exit_status() != 0) absl::StrAppend(&line.text, ", exit status ", e.exit_status());
  if (e.held_ns() > 0) absl::StrAppendFormat(&line.text, ", held %.3f s", static_cast<double>(e.held_ns()) / 1e9);
  if (!e.detail().empty()) absl::StrAppend(&line.text, ": ", Clip(e.detail()));
  if (e.has_process()) line.second = Subject(e.process());
  return line;
}

Line Of(const v1::Rollup& e) {
  return {"allow", Tone::kDim, absl::StrCat(e.count(), " x ", Clip(e.kind()), " ", Clip(e.subject())), ""};
}

Line Of(const v1::Loss& e) {
  return {"LOSS", Tone::kBad, absl::StrCat(e.unknown() ? "an unknown number of" : absl::StrCat(e.count()), " events lost at ", Clip(e.stage()), ": ", Clip(e.reason())), ""};
}

Line Of(const v1::Tombstone& e) {
  return {"tombstone", Tone::kWarn,
          absl::StrCat("records ", e.first_sequence(), " to ", e.last_sequence(),
                       e.gaps_size() > 0 ? absl::StrCat(" and ", e.gaps_size(), " ranges more") : "",
                       e.run_id().empty() ? "" : absl::StrCat(" of run ", Clip(e.run_id())), ": ", Clip(e.reason())),
          ""};
}

Line Of(const v1::TestAlert& e) {
  return {"TEST", Tone::kWarn, absl::StrCat("test alert ", Clip(e.id()), " by ", Clip(e.by()), ": ", Clip(e.note())), ""};
}

Line Of(const v1::DaemonState& e) {
  std::string text = Clip(e.state());
  if (!e.version().empty()) absl::StrAppend(&text, ", version ", Clip(e.version()));
  if (!e.detail().empty()) absl::StrAppend(&text, ": ", Clip(e.detail()));
  return {"daemon", Tone::kPlain, text, ""};
}

Line Of(const v1::ConfigLoaded& e) {
  return {"config", e.accepted() ? Tone::kPlain : Tone::kBad,
          e.accepted() ? absl::StrCat("loaded: ", e.rules(), " rules, policy ", Clip(e.policy_hash().substr(0, 12)))
                       : absl::StrCat("not accepted, the last good one stays: ", Clip(e.problem())),
          ""};
}

Line Of(const v1::ModeChanged& e) {
  Line line{"mode", e.accepted() ? Tone::kWarn : Tone::kBad, Clip(e.change()), ""};
  if (!e.name().empty()) absl::StrAppend(&line.text, ": ", Clip(e.kind()), " ", Clip(e.name()));
  if (!e.from().empty() && e.from() != e.to()) absl::StrAppend(&line.text, ", was ", Clip(e.from()));
  if (!e.to().empty()) absl::StrAppend(&line.text, ", now ", Clip(e.to()));
  if (!e.by().empty()) absl::StrAppend(&line.text, ", by ", Clip(e.by()), e.presence().empty() ? "" : " (present)");
  if (!e.accepted()) absl::StrAppend(&line.text, " NOT ACCEPTED: ", Clip(e.refused_because()));
  if (!e.reason().empty()) absl::StrAppend(&line.text, ": ", Clip(e.reason()));
  return line;
}

Line Of(const v1::Heartbeat& e) {
  std::vector<std::string> counters;
  for (const auto& [name, value] : e.counters()) counters.push_back(absl::StrCat(Clip(name), " ", value));
  std::sort(counters.begin(), counters.end());
  return {"heartbeat", Tone::kDim, Clip(absl::StrJoin(counters, ", ")), ""};
}

Line Describe(const v1::Envelope& event) {
  if (event.has_session_started()) return Of(event.session_started());
  if (event.has_session_ended()) return Of(event.session_ended());
  if (event.has_session_updated()) return Of(event.session_updated());
  if (event.has_escaped()) return Of(event.escaped());
  if (event.has_credential_read()) return Of(event.credential_read());
  if (event.has_exec()) return Of(event.exec());
  if (event.has_connect()) return Of(event.connect());
  if (event.has_decision()) return Of(event.decision());
  if (event.has_outcome()) return Of(event.outcome());
  if (event.has_rollup()) return Of(event.rollup());
  if (event.has_loss()) return Of(event.loss());
  if (event.has_tombstone()) return Of(event.tombstone());
  if (event.has_test_alert()) return Of(event.test_alert());
  if (event.has_daemon()) return Of(event.daemon());
  if (event.has_config_loaded()) return Of(event.config_loaded());
  if (event.has_mode_changed()) return Of(event.mode_changed());
  if (event.has_heartbeat()) return Of(event.heartbeat());
  return {"unknown", Tone::kWarn, "an event of a newer schema", ""};
}

}  // namespace

std::string RenderEvent(const v1::Envelope& event, bool color) {
  const Line line = Describe(event);
  const std::string time = absl::FormatTime("%H:%M:%S", absl::FromUnixNanos(event.time_unix_ns()), absl::UTCTimeZone());
  std::string word = line.word;
  word.resize(std::max(word.size(), kWordWidth), ' ');
  std::string out = absl::StrCat(Painted(time, Tone::kDim, color), " ", Painted(word, line.tone, color), " ");
  if (!event.session().empty()) absl::StrAppend(&out, Clip(event.session()), " ");
  absl::StrAppend(&out, line.text);
  if (!line.second.empty()) {
    absl::StrAppend(&out, "\n", std::string(time.size() + 1, ' '), std::string(kWordWidth, ' '), " ",
                    Painted(line.second, Tone::kDim, color));
  }
  return out;
}

std::string EventText(const v1::Envelope& event) { return Describe(event).text; }

}  // namespace holdpoint
