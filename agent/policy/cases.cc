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
  git->set_status_known(true);
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

constexpr uint64_t kSession = 7;

void ReadListener(absl::string_view place, absl::string_view text, v1::Facts* facts) {
  if (absl::ConsumePrefix(&place, "localhost:")) {
    ReadListener(absl::StrCat("127.0.0.1:", place), text, facts);
    return ReadListener(absl::StrCat("::1:", place), "none", facts);
  }
  v1::ListenerFact* const fact = facts->add_listeners();
  fact->set_looked(true);
  fact->set_local(true);
  if (absl::StartsWith(place, "/")) {
    fact->mutable_asked()->set_unix_socket(std::string(place));
  } else {
    const size_t colon = place.rfind(':');
    uint32_t port = 0;
    (void)absl::SimpleAtoi(place.substr(colon + 1), &port);
    fact->mutable_asked()->set_address(std::string(place.substr(0, colon)));
    fact->mutable_asked()->set_port(port);
  }
  if (text == "none") return;
  if (absl::ConsumePrefix(&text, "bridge ")) {
    fact->set_local(false);
    return fact->set_bridge(std::string(text));
  }
  fact->set_listens(true);
  const bool own = absl::ConsumePrefix(&text, "own ");
  fact->set_only_root_writes(!own);
  if (absl::ConsumePrefix(&text, "container ")) {
    fact->set_behind(std::string(text));
    text = "/usr/bin/docker-proxy";
  }
  fact->set_executable(std::string(text));
}

absl::Status ReadProcess(absl::string_view number, absl::string_view text, v1::Facts* facts) {
  v1::ProcessFact* const fact = facts->add_processes();
  uint32_t pid = 0;
  if (!absl::SimpleAtoi(number, &pid)) return absl::InvalidArgumentError("host: wanted process NUMBER");
  fact->set_pid(pid);
  fact->set_host_pid(pid);
  fact->set_looked(true);
  fact->set_exists(text != "gone");
  fact->set_uid(text == "other" ? 1001 : text == "service" ? 0 : 1000);
  fact->set_executable("/usr/bin/node");
  if (text == "service") {
    fact->set_service(true);
    fact->set_unit("shop.service");
  }
  v1::ProcessLabel* const label = facts->add_labels();
  label->set_pid(pid);
  label->set_session(text == "session" ? kSession : 0);
  return absl::OkStatus();
}

void ReadPlan(const std::string& path, absl::string_view text, v1::Facts* facts) {
  v1::PlanFact* const fact = facts->add_plans();
  fact->set_path(path);
  fact->set_whole(text != "damaged");
  if (!fact->whole()) return fact->set_problem("no plan");
  fact->set_sha256(Hex(Sha256(text)));
  for (const absl::string_view address : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    fact->add_losses()->set_address(std::string(address));
  }
  fact->set_loss_count(static_cast<uint32_t>(fact->losses_size()));
  fact->set_change_count(fact->loss_count() + 1);
}

void ReadFile(const std::string& path, absl::string_view text, v1::Facts* facts) {
  v1::ContentFact* const fact = facts->add_contents();
  fact->set_path(path);
  fact->set_missing(text == "missing");
  fact->set_cut(text == "cut");
  fact->set_unsteady(text == "unsteady");
  if (!fact->cut() && !fact->unsteady()) fact->set_problem(std::string(text));
}

absl::Status ReadHost(const std::map<std::string, std::string>& words, const ExecAct& act, v1::Facts* facts) {
  for (const auto& [name, text] : words) {
    absl::string_view rest = name;
    if (absl::ConsumePrefix(&rest, "listener ")) {
      ReadListener(rest, text, facts);
    } else if (absl::ConsumePrefix(&rest, "process ")) {
      HP_RETURN_IF_ERROR(ReadProcess(rest, text, facts));
    } else if (absl::ConsumePrefix(&rest, "plan ")) {
      ReadPlan(AbsolutePath(act, rest), text, facts);
    } else if (absl::ConsumePrefix(&rest, "file ")) {
      ReadFile(AbsolutePath(act, rest), text, facts);
    } else if (name == "input") {
      facts->mutable_standard_input()->set_whole(text != "open");
    } else if (name == "crontab") {
      facts->mutable_crontab()->set_looked(true);
      facts->mutable_crontab()->set_exists(text != "none");
      if (text == "saved") facts->mutable_crontab()->set_copy("/srv/shop/jobs.txt");
    } else if (name == "volumes" || name == "images") {
      v1::ContainerStoreFact& store = *facts->mutable_containers();
      for (const absl::string_view one : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
        name == "volumes" ? store.add_volumes(std::string(one)) : store.add_images(std::string(one));
      }
      name == "volumes" ? store.set_volumes_whole(true) : store.set_images_whole(true);
    } else {
      return absl::InvalidArgumentError(absl::StrCat(
          "host: wanted listener PLACE, process NUMBER, plan PATH, file PATH, input, crontab, volumes or images, got \"", name, "\""));
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
  if (c.input.has_value()) {
    v1::StandardInputFact* input = facts.mutable_standard_input();
    input->set_kind("file");
    input->set_content(*c.input);
    input->set_whole(true);
    input->set_sha256(Hex(Sha256(*c.input)));
  }
  HP_RETURN_IF_ERROR(ReadHost(c.host, act, &facts));
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
  session.set_number(kSession);
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

// The cases of a pack say what its rules do, whatever Sigma rules stand beside it.
Configuration Enforcing(const Policy& policy, const Rule& rule) {
  Configuration configuration = BuiltInConfiguration();
  for (const Rule* sigma : policy.SigmaRules(SigmaRule::Category::kProcess)) {
    configuration.policy.rules[sigma->id] = RuleMode::kOff;
  }
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
  if (c.input.has_value()) act.stdin_kind = "file";
  return act;
}

absl::StatusOr<v1::Judgement> JudgeInCase(const Policy& policy, const Rule& rule, const RuleCase& c,
                                          const ExecAct& act) {
  return JudgeWith(policy, c, Enforcing(policy, rule), act);
}

absl::StatusOr<v1::Judgement> JudgeCase(const Policy& policy, const RuleCase& c, const Configuration& configuration) {
  return JudgeWith(policy, c, configuration, ActOf(c));
}

absl::Status RunCases(const Policy& policy, const Rule& rule) {
  const Configuration configuration = Enforcing(policy, rule);
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
