#include "agent/judge/check.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/base/sha256.h"
#include "agent/base/utf8.h"
#include "agent/environment/redact.h"
#include "agent/policy/paths.h"
#include "agent/policy/unwrap.h"

namespace holdpoint {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kMaxDepth = 8;
constexpr size_t kMaxActs = 512;
constexpr int kMaxRounds = 4;

std::string Lower(const std::string& name, absl::string_view prefix) {
  const std::string word = absl::AsciiStrToLower(absl::StripPrefix(name, prefix));
  return word == "unspecified" ? "" : word;
}

auto Order(const v1::Judgement& judgement) {
  return std::make_tuple(judgement.verdict(), judgement.effect(), judgement.recoverability());
}

class Checker {
 public:
  Checker(const LoadedPolicy& policy, const CheckRow& row, const CheckOptions& options)
      : policy_(policy), row_(row), options_(options) {
    const std::string& environment =
        row.session_environment.empty() ? options.session_environment : row.session_environment;
    const std::string& cwd = row.cwd.empty() ? options.cwd : row.cwd;
    session_.set_environment(environment);
    session_.set_environment_source("check");
    session_.set_workspace(options.workspace.empty() ? cwd : options.workspace);
    session_.set_home(options.home);
    session_.set_uid(options.uid);
    around_.cwd = cwd;
    around_.home = options.home;
    around_.uid = options.uid;
    around_.environment = row.environment;
  }

  CheckResult Run() {
    if (row_.argv.empty()) {
      Walk(SplitCommandLine(row_.command, around_), 0);
    } else {
      ExecAct act = around_;
      act.argv = row_.argv;
      act.executable.path = row_.argv[0];
      Unwrapped one;
      one.acts.push_back(std::move(act));
      Walk(std::move(one), 0);
    }
    if (!judged_) JudgeOne(around_);  // Nothing to run: allowed, with tags and digest all the same.
    for (const std::string& blind_spot : result_.judgement.blind_spots()) AddBlindSpot(blind_spot);
    AddOwners();
    return std::move(result_);
  }

 private:
  void Walk(Unwrapped unwrapped, int depth) {
    for (std::string& blind_spot : unwrapped.blind_spots) AddBlindSpot(std::move(blind_spot));
    for (const ExecAct& act : unwrapped.acts) {
      if (++acts_ > kMaxActs || depth > kMaxDepth) return AddBlindSpot("more commands than are looked at");
      JudgeOne(act);
      for (const Policy::Candidate& candidate : policy_.policy->Candidates(act)) {
        if (candidate.tool->wraps.any()) Walk(Unwrap(*candidate.tool, act, candidate.skip), depth + 1);
      }
    }
  }

  void JudgeOne(const ExecAct& act) {
    v1::Facts facts;
    v1::Judgement judgement;
    for (int round = 0; round < kMaxRounds; ++round) {
      FactBook book(&facts);
      judgement =
          policy_.policy->Evaluate(act, {policy_.configuration, policy_.fingerprint_key, session_, nullptr}, &book);
      if (!book.WantsMore() || options_.facts == nullptr || round + 1 == kMaxRounds) break;
      facts = options_.facts(act, book.wanted());
    }
    if (judged_ && Order(judgement) <= Order(result_.judgement)) return;
    judged_ = true;
    judgement.set_policy_hash(policy_.hash);
    result_.judgement = std::move(judgement);
    result_.argv = act.argv;
  }

  void AddOwners() {
    const v1::Tags& tags = result_.judgement.tags();
    const EnvironmentConfig* environment = policy_.configuration.Find(tags.target().environment());
    if (environment == nullptr) environment = policy_.configuration.Find(tags.session().environment());
    if (environment != nullptr) result_.owners = environment->owners.approval;
  }

  void AddBlindSpot(std::string text) {
    if (std::find(result_.blind_spots.begin(), result_.blind_spots.end(), text) == result_.blind_spots.end()) {
      result_.blind_spots.push_back(std::move(text));
    }
  }

  const LoadedPolicy& policy_;
  const CheckRow& row_;
  const CheckOptions& options_;
  v1::SessionContext session_;
  ExecAct around_;
  CheckResult result_;
  bool judged_ = false;
  size_t acts_ = 0;
};

absl::Status Wrong(absl::string_view key, absl::string_view wanted) {
  return absl::InvalidArgumentError(absl::StrCat("\"", key, "\": wanted ", wanted));
}

absl::Status ReadText(const Json& row, const char* key, std::string* out) {
  const auto it = row.find(key);
  if (it == row.end() || it->is_null()) return absl::OkStatus();
  if (!it->is_string()) return Wrong(key, "a text");
  *out = it->get<std::string>();
  return absl::OkStatus();
}

Json TagJson(const v1::Tag& tag) {
  return Json{{"environment", tag.environment()}, {"source", tag.source()}, {"protected", tag.protected_()}};
}

}  // namespace

absl::StatusOr<CheckRow> ReadCheckRow(absl::string_view json) {
  if (!IsValidUtf8(json)) return absl::InvalidArgumentError("wanted one JSON object a line, got bytes that are no UTF-8");
  const Json row = Json::parse(json.begin(), json.end(), nullptr, /*allow_exceptions=*/false);
  if (row.is_discarded() || !row.is_object()) return absl::InvalidArgumentError("wanted one JSON object a line");
  CheckRow out;
  if (const auto id = row.find("id"); id != row.end()) out.id = id->dump(-1, ' ', true, Json::error_handler_t::replace);
  absl::Status status = ReadText(row, "command", &out.command);
  if (status.ok()) status = ReadText(row, "cwd", &out.cwd);
  if (status.ok()) status = ReadText(row, "session_environment", &out.session_environment);
  if (!status.ok()) return status;
  if (const auto argv = row.find("argv"); argv != row.end()) {
    if (!argv->is_array() || argv->empty()) return Wrong("argv", "a list of words");
    for (const Json& word : *argv) {
      if (!word.is_string()) return Wrong("argv", "a list of words");
      out.argv.push_back(word.get<std::string>());
    }
  }
  if (out.argv.empty() == out.command.empty()) return absl::InvalidArgumentError("wanted either argv or command");
  if (!out.cwd.empty() && out.cwd[0] != '/') return Wrong("cwd", "an absolute path");
  if (const auto environment = row.find("env"); environment != row.end()) {
    if (!environment->is_object()) return Wrong("env", "an object of texts");
    for (const auto& [name, value] : environment->items()) {
      if (!value.is_string()) return Wrong("env", "an object of texts");
      out.environment.push_back(absl::StrCat(name, "=", value.get<std::string>()));
    }
  }
  return out;
}

CheckResult Check(const LoadedPolicy& policy, const CheckRow& row, const CheckOptions& options) {
  return Checker(policy, row, options).Run();
}

std::string CheckResultJson(const LoadedPolicy& policy, const CheckRow& row, const CheckResult& result) {
  const v1::Judgement& judgement = result.judgement;
  const v1::Tags& tags = judgement.tags();
  Json out;
  out["id"] = row.id.empty() ? Json() : Json::parse(row.id, nullptr, false);
  out["verdict"] = VerdictWord(judgement.verdict());
  out["rule"] = judgement.rule();
  out["effect"] = EffectWord(judgement.effect());
  out["recoverable"] = RecoverabilityWord(judgement.recoverability());
  out["tags"] = Json{{"session", TagJson(tags.session())},       {"destination", TagJson(tags.destination())},
                     {"credential", TagJson(tags.credential())}, {"resource", TagJson(tags.resource())},
                     {"target", TagJson(tags.target())},         {"crossing", tags.crossing()}};
  out["resource"] = Json{{"type", judgement.resource().type()},
                         {"id", judgement.resource().id()},
                         {"backups", judgement.resource().backups()}};
  out["owners"] = result.owners;
  out["reason"] = judgement.reason();
  out["blind_spots"] = result.blind_spots;
  out["digest"] = Hex(judgement.act_digest());
  out["observed_only"] = judgement.observed_only();
  Json argv = Json::array();
  for (const std::string& word : RedactArgv(policy.fingerprint_key, result.argv)) argv.push_back(ToValidUtf8(word));
  out["argv"] = std::move(argv);
  return out.dump(-1, ' ', true, Json::error_handler_t::replace);
}

std::string VerdictWord(v1::Verdict verdict) { return Lower(v1::Verdict_Name(verdict), "VERDICT_"); }
std::string EffectWord(v1::Effect effect) { return Lower(v1::Effect_Name(effect), "EFFECT_"); }
std::string RecoverabilityWord(v1::Recoverability recoverability) {
  return Lower(v1::Recoverability_Name(recoverability), "RECOVERABILITY_");
}

}  // namespace holdpoint
