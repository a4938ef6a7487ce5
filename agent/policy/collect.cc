#include "agent/policy/collect.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/policy/git_alias.h"
#include "agent/policy/input.h"
#include "agent/policy/unlisted.h"
#include "agent/policy/unwrap.h"

namespace holdpoint {
namespace {

constexpr int kMaxAppletDepth = 6;
constexpr size_t kMaxInnerActs = 256;
constexpr size_t kMaxProgramCalls = 4096;

// A shell that is told what to do by its standard input.
bool ReadsProgramText(const ToolModel& tool, const ExecAct& act, const std::vector<std::string>& argv) {
  if (tool.wraps.flag_text.empty() || act.stdin_kind.empty() || act.stdin_kind == "terminal") return false;
  const ToolCall call = ParseToolCall(tool, argv);
  if (call.Has(tool.wraps.flag_text) || call.Has("help") || call.Has("version")) return false;
  return call.operands.empty() || call.Has("s");
}

bool FitsProgram(const Rule& rule, const ProgramCall& call) {
  const auto fits = [&rule](const std::string& text) {
    return !rule.program_text.has_value() || rule.program_text->Matches(text);
  };
  return rule.program->Matches(call.name) && std::any_of(call.texts.begin(), call.texts.end(), fits);
}

// What one call of a tool hands on besides its own words.
struct HandedOn {
  const ProgramOfAct* program = nullptr;
  const std::vector<StatementView>* statements = nullptr;
  const RequestsOfAct* requests = nullptr;
};

// Calls and requests keep their place: hits point to them.
class Collector {
 public:
  Collector(const Policy& policy, const Configuration& configuration, FactBook* facts, Collected* out)
      : policy_(policy), configuration_(configuration), facts_(facts), out_(*out) {}

  void CollectFrom(const ExecAct& act, const std::vector<Policy::Candidate>& candidates, int depth) {
    for (const Policy::Candidate& candidate : candidates) {
      const ToolModel& tool = *candidate.tool;
      out_.listed = true;
      if (depth == 0 && tool.wraps.any() && !tool.wraps.applet) out_.starts_others = true;
      if (tool.wraps.applet || (depth > 0 && tool.wraps.any()) || tool.StartsElsewhere()) {
        CollectInner(tool, act, candidate.skip, depth);
      }
      std::vector<std::string> argv(
          act.argv.begin() + static_cast<ptrdiff_t>(std::min(candidate.skip, act.argv.size())), act.argv.end());
      if (ReadsProgramText(tool, act, argv)) {
        // Each command of it is judged when its own exec comes; what is whole is known before.
        const InputText input = ReadInput(act, facts_);
        if (!input.whole && !act.unlabelled) AddUnseen(absl::StrCat("program text from ", input.unseen), /*cut=*/false);
      }
      CollectCall(tool, act, std::move(argv), depth);
    }
  }

  // A program that no pack describes, or a sub-command that its model does not have.
  void CollectUnlisted(const ExecAct& act, absl::Span<const std::string> argv) {
    std::optional<ToolCall> call;
    const ToolCall* kept = nullptr;
    for (const Rule* rule : policy_.UnlistedRules()) {
      if (IsOff(*rule)) continue;
      if (!call.has_value()) call = ParseUnlisted(argv);
      if (!Speaks(*rule->unlisted, *call) || !Matches(rule->call, *call, act)) continue;
      if (kept == nullptr) {
        out_.calls.push_back(*call);
        out_.acts_of_calls.push_back(&act);
        kept = &out_.calls.back();
      }
      out_.hits.push_back({rule, kept, {}, nullptr, nullptr});
      out_.listed = true;
    }
  }

  // Sigma rules are about every program.
  void CollectSigma(const ExecAct& act) {
    const std::vector<const Rule*>& rules = policy_.SigmaRules(SigmaRule::Category::kProcess);
    if (rules.empty()) return;
    const SigmaEvent event = {{"Image", act.executable.path},
                              {"CommandLine", absl::StrJoin(act.argv, " ")},
                              {"CurrentDirectory", act.cwd}};
    for (const Rule* rule : rules) {
      if (IsOff(*rule) || !rule->sigma->Matches(event)) continue;
      out_.calls.emplace_back();
      out_.acts_of_calls.push_back(&act);
      out_.hits.push_back({rule, &out_.calls.back(), {}, nullptr, nullptr});
    }
  }

 private:
  // What a multi-call program does itself, and what runs elsewhere, has no exec of its own.
  void CollectInner(const ToolModel& tool, const ExecAct& act, size_t skip, int depth) {
    if (depth >= kMaxAppletDepth) {
      AddBlindSpot("wrappers nested too deep");
      return;
    }
    Unwrapped inner = Unwrap(tool, act, skip, facts_);
    CollectActs(std::move(inner), /*paths_have_execs=*/!tool.wraps.applet, depth);
  }

  // Of an act that no kernel shows: it has no exec, and neither has what its text starts.
  void CollectStarted(const ProgramOfAct& program, const ExecAct& act, int depth) {
    if (!(act.unexpanded || act.unlabelled) || depth >= kMaxAppletDepth) return;
    for (const ProgramCall& call : program.calls) CollectActs(StartedBy(call, act), /*paths_have_execs=*/false, depth);
  }

  void CollectActs(Unwrapped inner, bool paths_have_execs, int depth) {
    if (!inner.unseen.empty()) AddUnseen(std::move(inner.unseen), inner.cut);
    for (std::string& blind_spot : inner.blind_spots) AddBlindSpot(std::move(blind_spot));
    for (ExecAct& each : inner.acts) {
      if (out_.inner_acts.size() >= kMaxInnerActs) {
        AddUnseen(absl::StrCat("more than ", kMaxInnerActs, " commands"), /*cut=*/true);
        break;
      }
      // A multi-call program looks for a bare name among its own applets; what has a path gets an exec, and is asked then.
      const bool own_exec = paths_have_execs && !each.unlabelled && !each.argv.empty() && absl::StrContains(each.argv[0], '/');
      if (own_exec) continue;
      out_.inner_acts.push_back(std::move(each));
      const ExecAct& kept = out_.inner_acts.back();
      CollectFrom(kept, policy_.Candidates(kept), depth + 1);
    }
  }

  void CollectCall(const ToolModel& tool, const ExecAct& act, std::vector<std::string> argv, int depth) {
    out_.calls.push_back(ParseToolCall(tool, argv));
    if (tool.git_aliases && !out_.calls.back().unknown_command.empty()) {
      GitAliasResult expanded = ExpandGitAlias(out_.calls.back(), tool, argv, act, facts_);
      if (!expanded.blind_spot.empty()) AddBlindSpot(std::move(expanded.blind_spot));
      if (expanded.argv.has_value()) {
        argv = *std::move(expanded.argv);
        out_.calls.back() = ParseToolCall(tool, argv);
      }
    }
    const ToolCall& call = out_.calls.back();
    if (out_.tool_name.empty()) out_.tool_name = tool.names[0];
    out_.acts_of_calls.push_back(&act);
    const HandedOn handed = ReadHandedOn(tool, call, act, argv);
    if (handed.program != nullptr) CollectStarted(*handed.program, act, depth);
    if (handed.requests != nullptr) {
      for (const RequestView& request : handed.requests->requests) CollectRequest(request, call, act);
    }
    // One that git does not know is an alias, or a program with an exec of its own.
    if (!call.unknown_command.empty() && !tool.git_aliases) CollectUnlisted(act, argv);
    for (const Rule* rule : policy_.RulesFor(&tool, call.command)) {
      if (!IsOff(*rule) && Matches(rule->call, call, act)) AddHits(*rule, call, handed);
    }
  }

  HandedOn ReadHandedOn(const ToolModel& tool, const ToolCall& call, const ExecAct& act,
                        const std::vector<std::string>& argv) {
    HandedOn handed;
    if (tool.program.has_value()) {
      out_.programs.push_back(ReadProgram(call, act, facts_));
      handed.program = &out_.programs.back();
      if (!handed.program->unseen.empty()) AddUnseen(absl::StrCat("program text from ", handed.program->unseen), handed.program->cut);
    }
    if (tool.sql.has_value()) {
      out_.statements.push_back(handed.program != nullptr ? StatementsOfProgram(call, *handed.program)
                                                          : ReadStatements(call, act, facts_));
      handed.statements = &out_.statements.back();
    }
    if (tool.requests != ToolModel::Requests::kNone) {
      out_.requests.push_back(ReadRequests(tool.requests, argv, act, facts_));
      handed.requests = &out_.requests.back();
      for (const std::string& blind_spot : handed.requests->blind_spots) AddBlindSpot(blind_spot);
    }
    return handed;
  }

  void AddHits(const Rule& rule, const ToolCall& call, const HandedOn& handed) {
    if (rule.statement.has_value()) {
      if (handed.statements == nullptr) return;
      for (const StatementView& each : *handed.statements) {
        if (Matches(*rule.statement, each)) out_.hits.push_back({&rule, &call, {}, &each, nullptr});
      }
    } else if (rule.program.has_value()) {
      if (handed.program == nullptr) return;
      for (size_t i = 0; i < std::min(handed.program->calls.size(), kMaxProgramCalls); ++i) {
        const ProgramCall& each = handed.program->calls[i];
        if (FitsProgram(rule, each)) out_.hits.push_back({&rule, &call, {}, nullptr, &each});
      }
    } else if (!rule.request.has_value()) {
      out_.hits.push_back({&rule, &call, {}, nullptr, nullptr});
    } else if (handed.requests != nullptr) {
      for (const RequestView& request : handed.requests->requests) AddRequestHits(rule, request, call);
    }
  }

  void CollectRequest(const RequestView& request, const ToolCall& call, const ExecAct& act) {
    for (const std::string& blind_spot : request.http.blind_spots) AddBlindSpot(blind_spot);
    for (const std::string& blind_spot : request.graphql.blind_spots) {
      AddBlindSpot(absl::StrCat("GraphQL: ", blind_spot));
    }
    for (const Rule* rule : policy_.RulesForHosts(request.http.Hosts())) {
      if (!IsOff(*rule) && Matches(rule->call, call, act)) AddRequestHits(*rule, request, call);
    }
  }

  void AddRequestHits(const Rule& rule, const RequestView& request, const ToolCall& call) {
    for (const RequestHit& hit : Hits(*rule.request, request)) out_.hits.push_back({&rule, &call, hit, nullptr, nullptr});
  }

  bool IsOff(const Rule& rule) const { return ModeOf(rule, configuration_) == RuleMode::kOff; }
  void AddUnseen(std::string what, bool cut) { out_.unseen.push_back({std::move(what), cut}); }
  void AddBlindSpot(std::string text) { out_.blind_spots.push_back(std::move(text)); }

  const Policy& policy_;
  const Configuration& configuration_;
  FactBook* facts_;
  Collected& out_;
};

}  // namespace

const ExecAct& Collected::ActOf(const Hit& hit) const {
  for (size_t i = 0; i < calls.size(); ++i) {
    if (&calls[i] == hit.call) return *acts_of_calls[i];
  }
  return *acts_of_calls[0];
}

RuleMode ModeOf(const Rule& rule, const Configuration& configuration) {
  const auto it = configuration.policy.rules.find(rule.id);
  return it == configuration.policy.rules.end() ? rule.mode : it->second;
}

void Collect(const Policy& policy, const ExecAct& act, const Configuration& configuration, FactBook* facts,
             Collected* out) {
  Collector collector(policy, configuration, facts, out);
  collector.CollectFrom(act, policy.Candidates(act), 0);
  if (const std::optional<size_t> skip = policy.UnlistedProgram(act)) {
    collector.CollectUnlisted(act, absl::MakeConstSpan(act.argv).subspan(std::min(*skip, act.argv.size())));
  }
  collector.CollectSigma(act);
}

}  // namespace holdpoint
