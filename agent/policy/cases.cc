#include "agent/policy/cases.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/base/escape.h"
#include "agent/base/sha256.h"
#include "agent/base/status.h"
#include "agent/environment/load.h"
#include "agent/policy/paths.h"

namespace holdpoint {
namespace {

constexpr absl::string_view kWorkspace = "/srv/shop";
constexpr absl::string_view kHome = "/home/dev";
constexpr absl::string_view kKey = "0123456789abcdef0123456789abcdef";

std::string VerdictName(v1::Verdict verdict) {
  return absl::AsciiStrToLower(absl::StripPrefix(v1::Verdict_Name(verdict), "VERDICT_"));
}

absl::StatusOr<v1::PathFact> PathFactOf(const std::string& path, const std::string& text) {
  v1::PathFact fact;
  fact.set_path(path);
  fact.set_resolved(CleanPath(path));
  fact.set_target(CleanPath(path));
  fact.set_exists(true);
  fact.set_hard_links(1);
  fact.set_writable(true);
  if (IsWithin(path, kWorkspace)) fact.set_repository(std::string(kWorkspace));
  for (const absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    if (word == "missing") {
      fact.set_exists(false);
      fact.clear_resolved();
    } else if (word == "file" || word == "directory" || word == "link" || word == "other") {
      fact.set_kind(std::string(word));
    } else if (word == "ignored") {
      fact.set_ignored(true);
    } else if (word == "clean") {
      fact.set_tracked_clean(true);
    } else if (word == "root") {
      fact.set_repository(CleanPath(path));
    } else if (absl::StartsWith(word, "repository=")) {
      fact.set_repository(std::string(absl::StripPrefix(word, "repository=")));
    } else if (absl::StartsWith(word, "to=")) {
      // A link as the last part is resolved only where it is followed.
      fact.set_target(std::string(absl::StripPrefix(word, "to=")));
      if (fact.kind() != "link" || absl::EndsWith(path, "/")) fact.set_resolved(fact.target());
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("paths: wanted missing, file, directory, link, other, ignored, "
                       "clean, root, repository=DIR or to=DIR, got \"",
                       word, "\""));
    }
  }
  return fact;
}

absl::Status ReadGit(const std::map<std::string, std::string>& words, v1::GitFact* git) {
  git->set_root(std::string(kWorkspace));
  git->set_branch("feature");
  git->set_default_branch("main");
  for (const auto& [name, value] : words) {
    uint32_t number = 0;
    (void)absl::SimpleAtoi(value, &number);
    if (name == "dirty") {
      git->set_dirty(number > 0);
      git->set_dirty_files(number);
    } else if (name == "untracked") {
      git->set_untracked_files(number);
    } else if (name == "root") {
      git->set_root(value == "none" ? "" : value);
    } else if (name == "branch") {
      git->set_branch(value);
    } else if (name == "default_branch") {
      git->set_default_branch(value == "none" ? "" : value);
    } else if (name == "upstream_local") {
      git->set_upstream_in_local_objects(value == "true");
    } else if (absl::StartsWith(name, "alias.")) {
      (*git->mutable_aliases())[std::string(absl::StripPrefix(name, "alias."))] = value;
    } else {
      return absl::InvalidArgumentError(absl::StrCat(
          "git: wanted dirty, untracked, root, branch, default_branch, upstream_local or alias.NAME, got \"", name,
          "\""));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::Facts> FactsOf(const RuleCase& c, const ExecAct& act) {
  v1::Facts facts;
  for (const auto& [name, text] : c.paths) {
    const std::string path = CleanPath(AbsolutePath(act, name));
    HP_ASSIGN_OR_RETURN(*facts.add_paths(), PathFactOf(path, text));
    HP_ASSIGN_OR_RETURN(*facts.add_paths(), PathFactOf(absl::StrCat(path, "/"), text));
  }
  for (const auto& [name, content] : c.files) {
    v1::ContentFact* fact = facts.add_contents();
    fact->set_path(AbsolutePath(act, name));
    fact->set_content(content);
    fact->set_sha256(Hex(Sha256(content)));
  }
  if (c.git_known) HP_RETURN_IF_ERROR(ReadGit(c.git, facts.mutable_git()));
  return facts;
}

// Empty where the case comes out as it says.
std::string Problem(const Rule& rule, const RuleCase& c, const v1::Judgement& judgement) {
  const std::string got =
      absl::StrCat(VerdictName(judgement.verdict()), " by ", judgement.rule(), " (", judgement.reason(), ")");
  if (!c.verdict.empty() && VerdictName(judgement.verdict()) != c.verdict) {
    return absl::StrCat("wanted ", c.verdict, ", got ", got);
  }
  if (c.resource.has_value() && judgement.resource().id() != *c.resource) {
    return absl::StrCat("wanted the resource \"", *c.resource, "\", got \"", judgement.resource().id(), "\"");
  }
  const bool decides = judgement.rule() == rule.id;
  if (c.fires) {
    if (!decides) return absl::StrCat("wanted this rule to fire, got ", got);
    if (c.verdict.empty() && judgement.verdict() < v1::VERDICT_AUDIT)
      return absl::StrCat("wanted at least audit, got ", got);
    return "";
  }
  if (decides && judgement.verdict() >= v1::VERDICT_HOLD && c.verdict.empty()) {
    return absl::StrCat("wanted it to pass, got ", got);
  }
  return "";
}

absl::StatusOr<v1::Judgement> JudgeWith(const Policy& policy, const RuleCase& c, const Configuration& configuration,
                                        const ExecAct& act) {
  v1::SessionContext session;
  session.set_environment("staging");
  session.set_workspace(std::string(kWorkspace));
  session.set_home(std::string(kHome));
  session.set_uid(1000);
  GivenTags given;
  for (const auto& [name, environment] : c.tags) {
    if (configuration.Find(environment) == nullptr && environment != "none") {
      return absl::InvalidArgumentError(
          absl::StrCat("tags: wanted an environment of the built-in configuration, got \"", environment, "\""));
    }
    if (name == "session") {
      session.set_environment(environment == "none" ? "" : environment);
    } else if (name == "destination") {
      given.destination = environment;
    } else if (name == "credential") {
      given.credential = environment;
    } else if (name == "resource") {
      given.resource = environment;
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("tags: wanted session, destination, credential or resource, got \"", name, "\""));
    }
  }
  HP_ASSIGN_OR_RETURN(const v1::Facts facts, FactsOf(c, act));
  FactBook book(&facts);
  return policy.Evaluate(act, {configuration, kKey, session, &given}, &book);
}

Configuration Enforcing(const Rule& rule) {
  Configuration configuration = BuiltInConfiguration();
  configuration.policy.rules[rule.id] = RuleMode::kEnforce;
  return configuration;
}

}  // namespace

ExecAct ActOf(const RuleCase& c) {
  ExecAct act;
  act.argv = c.argv;
  act.executable.path = absl::StartsWith(c.argv[0], "/") ? c.argv[0] : absl::StrCat("/usr/bin/", c.argv[0]);
  act.cwd = c.cwd;
  act.home = std::string(kHome);
  act.uid = 1000;
  act.environment = c.environment;
  return act;
}

absl::StatusOr<v1::Judgement> JudgeInCase(const Policy& policy, const Rule& rule, const RuleCase& c,
                                          const ExecAct& act) {
  return JudgeWith(policy, c, Enforcing(rule), act);
}

absl::Status RunCases(const Policy& policy, const Rule& rule) {
  const Configuration configuration = Enforcing(rule);
  for (const RuleCase& c : rule.cases) {
    const absl::StatusOr<v1::Judgement> judgement = JudgeWith(policy, c, configuration, ActOf(c));
    const std::string problem = judgement.ok() ? Problem(rule, c, *judgement) : std::string(judgement.status().message());
    if (problem.empty()) continue;
    return absl::FailedPreconditionError(absl::StrCat(rule.file, ":", c.line, ":", c.column, ": rule ", rule.id, ": case ",
                                                      RenderArgv(c.argv, 120), ": ", problem));
  }
  return absl::OkStatus();
}

absl::Status RunCases(const Policy& policy) {
  for (const Rule& rule : policy.rules()) HP_RETURN_IF_ERROR(RunCases(policy, rule));
  return absl::OkStatus();
}

}  // namespace holdpoint
