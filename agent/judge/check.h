#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/judge/loaded_policy.h"
#include "agent/policy/act.h"
#include "holdpoint/v1/judge.pb.h"

// `holdpoint check`: what would become of a command line, without running it.
namespace holdpoint {

// Answers what the evaluation asks about the world of this act; an empty answer where nothing may be looked at.
using ReadFacts = std::function<v1::Facts(const ExecAct& act, const v1::FactsWanted& wanted)>;

struct CheckOptions {
  std::string session_environment = "staging";
  std::string workspace;  // empty: the row's working directory
  std::string cwd = "/";
  std::string home;
  uint32_t uid = 0;
  ReadFacts facts;  // empty: nothing is known, so the strictest stands
};

// One row to check.
struct CheckRow {
  std::string id;                 // as JSON, echoed: a text or a number
  std::vector<std::string> argv;  // either this, as the kernel would see it,
  std::string command;            // or text for a shell, which is divided and unwrapped and not expanded
  std::string cwd;
  std::vector<std::string> environment;
  std::string session_environment;
};

// What was decided, and by which of the row's commands.
struct CheckResult {
  v1::Judgement judgement;
  std::vector<std::string> argv;         // of the command that decided
  std::vector<std::string> blind_spots;  // of the whole row
  std::vector<std::string> owners;       // who may approve
};

// Reads {"id","argv":[..] or "command","cwd","env":{..},"session_environment"}; other keys are left alone, so that rows
// of a corpus can be checked as they are. Errors: kInvalidArgument, what is wrong with the line.
absl::StatusOr<CheckRow> ReadCheckRow(absl::string_view json);

// The strictest judgement over all commands of the row: wrappers are looked into, a redirection counts as overwriting.
CheckResult Check(const LoadedPolicy& policy, const CheckRow& row, const CheckOptions& options);

// {"id","verdict","rule","effect","recoverable","tags","resource","owners","reason","blind_spots","digest"} and the
// command that decided as "argv", redacted. One line without a newline; ASCII.
std::string CheckResultJson(const LoadedPolicy& policy, const CheckRow& row, const CheckResult& result);

// "hold", "destroy", "irreversible": the lower-case names used in packs and output.
std::string VerdictWord(v1::Verdict verdict);
std::string EffectWord(v1::Effect effect);
std::string RecoverabilityWord(v1::Recoverability recoverability);

}  // namespace holdpoint
