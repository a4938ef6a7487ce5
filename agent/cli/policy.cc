// holdpoint check and rules: the policy without a daemon.
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/base/status.h"
#include "agent/cli/ask.h"
#include "agent/cli/context.h"
#include "agent/cli/files.h"
#include "agent/cli/look.h"
#include "agent/cli/mode.h"
#include "agent/cli/read_record.h"
#include "agent/cli/rules.h"
#include "agent/cli/terminal.h"
#include "agent/judge/check.h"
#include "agent/judge/loaded_policy.h"
#include "agent/policy/cases.h"
#include "agent/policy/rule_reader.h"

namespace holdpoint {
namespace {

constexpr char kDefaultConfiguration[] = "/etc/holdpoint/holdpoint.yaml";
constexpr int kFindings = 1;

// Which configuration and packs; shared by all commands here.
struct PolicyFlags {
  std::string rules;
  std::string configuration;
  std::string key;
};

struct CheckFlags {
  std::string file = "-";
  std::string command;
  bool look = false;
  CheckOptions options;
};

std::string RulesFolder(const PolicyFlags& flags) {
  if (!flags.rules.empty()) return flags.rules;
  std::error_code ignored;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  return (program.parent_path() / "../share/holdpoint/rules").lexically_normal().string();
}

absl::StatusOr<std::vector<PolicyFile>> ReadPacks(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  if (std::filesystem::is_regular_file(folder, error)) {
    paths.push_back(folder);
  } else {
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
      if (entry.path().extension() == ".yaml" || entry.path().extension() == ".yml") paths.push_back(entry.path().string());
    }
  }
  if (paths.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(folder, ": no rule packs (*.yaml, *.yml) there; name their folder with --rules"));
  }
  std::sort(paths.begin(), paths.end());
  std::vector<PolicyFile> packs;
  for (const std::string& path : paths) {
    HP_ASSIGN_OR_RETURN(std::string bytes, ReadWholeFile(path));
    packs.push_back({path, std::move(bytes)});
  }
  return packs;
}

absl::StatusOr<std::shared_ptr<const LoadedPolicy>> Load(const Context& context, const PolicyFlags& flags) {
  HP_ASSIGN_OR_RETURN(const std::vector<PolicyFile> packs, ReadPacks(RulesFolder(flags)));
  PolicyFile configuration{flags.configuration, ""};
  if (flags.configuration.empty()) {
    configuration.name = kDefaultConfiguration;
    absl::StatusOr<std::string> bytes = ReadWholeFile(kDefaultConfiguration);
    if (!bytes.ok() && !absl::IsNotFound(bytes.status())) return bytes.status();
    if (bytes.ok()) configuration.bytes = *std::move(bytes);
  } else {
    HP_ASSIGN_OR_RETURN(configuration.bytes, ReadWholeFile(flags.configuration));
  }
  // Without the host's key no credential is recognised; only root reads it.
  std::string key;
  const std::string key_file =
      flags.key.empty() ? "/var/lib/holdpoint/" + context.instance + "/fingerprint.key" : flags.key;
  if (absl::StatusOr<std::string> bytes = ReadWholeFile(key_file); bytes.ok()) {
    key = *std::move(bytes);
  } else if (!flags.key.empty()) {
    return bytes.status();
  }
  return LoadPolicy(configuration, packs, std::move(key));
}

void FillOptions(CheckOptions* options) {
  options->uid = getuid();
  if (const passwd* user = getpwuid(getuid())) options->home = user->pw_dir;
  std::error_code error;
  if (options->cwd.empty() || options->cwd == "/") options->cwd = std::filesystem::current_path(error).string();
}

absl::StatusOr<int> CheckRows(std::istream& in, const LoadedPolicy& policy, const CheckOptions& options) {
  int stopped = 0;
  std::string line;
  for (size_t number = 1; std::getline(in, line); ++number) {
    if (line.empty()) continue;
    const absl::StatusOr<CheckRow> row = ReadCheckRow(line);
    if (!row.ok()) return absl::InvalidArgumentError(absl::StrCat("line ", number, ": ", row.status().message()));
    const CheckResult result = Check(policy, *row, options);
    if (result.judgement.verdict() >= v1::VERDICT_HOLD) ++stopped;
    Print(CheckResultJson(policy, *row, result) + "\n");
  }
  return stopped > 0 ? kFindings : 0;
}

absl::StatusOr<int> CheckOne(const Context& context, const LoadedPolicy& policy, const CheckRow& row,
                             const CheckOptions& options) {
  const CheckResult result = Check(policy, row, options);
  const v1::Judgement& judgement = result.judgement;
  if (context.json) {
    Print(CheckResultJson(policy, row, result) + "\n");
  } else {
    Print(absl::StrCat(VerdictWord(judgement.verdict()), "  ", Safe(judgement.summary()), "\n"));
    Print(absl::StrCat("  rule: ", Safe(judgement.rule()), judgement.observed_only() ? " (observed only)" : "", "\n"));
    if (!judgement.reason().empty()) Print(absl::StrCat("  why: ", Safe(judgement.reason()), "\n"));
    if (!result.owners.empty()) {
      Print(absl::StrCat("  may approve: ", Safe(absl::StrJoin(result.owners, ", ")), "\n"));
    }
    for (const std::string& blind_spot : result.blind_spots) Print(absl::StrCat("  unseen: ", Safe(blind_spot), "\n"));
  }
  return judgement.verdict() >= v1::VERDICT_HOLD ? kFindings : 0;
}

absl::StatusOr<int> RunCheck(const Context& context, const PolicyFlags& policy_flags, CheckFlags flags) {
  HP_ASSIGN_OR_RETURN(const std::shared_ptr<const LoadedPolicy> policy, Load(context, policy_flags));
  FillOptions(&flags.options);
  if (flags.look) flags.options.facts = LookHere;
  if (policy->configuration.Find(flags.options.session_environment) == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("--env ", flags.options.session_environment, ": the configuration has no such environment"));
  }
  if (!flags.command.empty() || context.has_behind) {
    CheckRow row;
    row.command = flags.command;
    row.argv = context.behind;
    if (row.argv.empty() == row.command.empty()) {
      return absl::InvalidArgumentError("wanted either --command TEXT or -- COMMAND, got both or an empty one");
    }
    return CheckOne(context, *policy, row, flags.options);
  }
  if (flags.file == "-") return CheckRows(std::cin, *policy, flags.options);
  HP_ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(flags.file));
  std::istringstream in(bytes);
  return CheckRows(in, *policy, flags.options);
}

// What a running daemon has loaded and what is in force of it.
int ListDaemonRules(const Context& context, const std::map<std::string, Json>& live) {
  bool changed = false;
  for (const auto& [id, row] : live) {
    changed = changed || TextOf(row, "standing") == "changed";
    const std::string recoverability = TextOf(row, "recoverability");
    if (context.json) {
      Json out = row;
      out["id"] = id;
      Print(JsonLine(out));
    } else {
      Print(absl::StrCat(Safe(id), "  ", Safe(ShownMode(row)), "  ", Safe(TextOf(row, "effect")),
                         recoverability.empty() ? "" : " " + Safe(recoverability), "  ", Safe(TextOf(row, "title")),
                         "\n"));
    }
  }
  if (changed && !context.json) {
    Print("changed: what the promoted rule did is enforced on what the new one matches; more than that is observed\n");
  }
  return 0;
}

absl::StatusOr<int> ListRules(const Context& context, const PolicyFlags& flags) {
  std::map<std::string, Json> live;
  if (flags.rules.empty() && flags.configuration.empty()) {
    if (const absl::StatusOr<std::vector<Json>> rows = AskModes(context); rows.ok()) {
      for (const Json& row : *rows) {
        if (TextOf(row, "kind") == "rule") live[TextOf(row, "name")] = row;
      }
    }
  }
  const absl::StatusOr<std::shared_ptr<const LoadedPolicy>> installed = Load(context, flags);
  // The daemon may have been given other packs than those beside this program.
  const bool same = installed.ok() && std::all_of(live.begin(), live.end(), [&installed](const auto& entry) {
    return (*installed)->policy->FindRule(entry.first) != nullptr;
  });
  if (!live.empty() && !same) return ListDaemonRules(context, live);
  if (!installed.ok()) return installed.status();
  const std::shared_ptr<const LoadedPolicy>& policy = *installed;
  static constexpr const char* kModes[] = {"enforce", "observe", "off"};
  for (const Rule& rule : policy->policy->rules()) {
    const auto configured = policy->configuration.policy.rules.find(rule.id);
    const RuleMode mode = configured == policy->configuration.policy.rules.end() ? rule.mode : configured->second;
    const std::string recoverability =
        rule.effect == v1::EFFECT_DESTROY && rule.recoverability == v1::RECOVERABILITY_UNSPECIFIED
            ? "by-facts"
            : RecoverabilityWord(rule.recoverability);
    const auto in_force = live.find(rule.id);
    const std::string word =
        in_force == live.end() ? kModes[static_cast<size_t>(mode)] : TextOf(in_force->second, "mode");
    if (context.json) {
      Print(JsonLine({{"id", rule.id},
                      {"title", rule.title},
                      {"effect", EffectWord(rule.effect)},
                      {"recoverability", recoverability},
                      {"mode", word},
                      {"standing", in_force == live.end() ? "" : TextOf(in_force->second, "standing")},
                      {"techniques", rule.techniques},
                      {"references", rule.references},
                      {"file", rule.file},
                      {"line", rule.line},
                      {"cases", rule.cases.size()}}));
    } else {
      Print(absl::StrCat(rule.id, "  ", in_force == live.end() ? word : ShownMode(in_force->second), "  ",
                         EffectWord(rule.effect), recoverability.empty() ? "" : " " + recoverability, "  ",
                         Safe(rule.title), "\n"));
    }
  }
  return 0;
}

// Unlike loading, says every case that fails and not only the first.
absl::StatusOr<int> TestRules(const PolicyFlags& flags) {
  HP_ASSIGN_OR_RETURN(const std::vector<PolicyFile> files, ReadPacks(RulesFolder(flags)));
  std::vector<Pack> packs;
  for (const PolicyFile& file : files) {
    HP_ASSIGN_OR_RETURN(Pack pack, ReadPack(file.name, file.bytes));
    packs.push_back(std::move(pack));
  }
  HP_ASSIGN_OR_RETURN(const std::shared_ptr<const Policy> policy, Policy::Compile(std::move(packs)));
  size_t cases = 0, failed = 0;
  for (const Rule& rule : policy->rules()) {
    cases += rule.cases.size();
    if (const absl::Status status = RunCases(*policy, rule); !status.ok()) {
      ++failed;
      fprintf(stderr, "holdpoint: %s\n", Safe(std::string(status.message())).c_str());
    }
  }
  Print(absl::StrCat(policy->rules().size(), " rules, ", cases, " cases, ", failed, " rules with a case that fails\n"));
  return failed > 0 ? kFindings : 0;
}

struct PromoteFlags {
  std::string rule;
  bool all = false, dry_run = false;
};

// Says first what the rule would have stopped, then promotes it.
absl::StatusOr<int> Promote(const Context& context, const PromoteFlags& flags) {
  if (flags.rule.empty() != flags.all) return absl::InvalidArgumentError("wanted the id of a rule, or --all");
  HP_ASSIGN_OR_RETURN(const std::vector<Json> rows, AskModes(context));
  std::vector<std::string> waiting;
  for (const Json& row : rows) {
    const std::string name = TextOf(row, "name");
    if (TextOf(row, "kind") == "rule" && !TextOf(row, "standing").empty() && (flags.all || name == flags.rule)) {
      waiting.push_back(name);
    }
  }
  if (!waiting.empty() && !context.json) HP_RETURN_IF_ERROR(PrintObserved(context, waiting));
  if (flags.dry_run) return 0;
  return PromoteRules(context, flags.rule);
}

void AddPolicyFlags(CLI::App* command, const std::shared_ptr<PolicyFlags>& flags) {
  command->add_option("--rules", flags->rules, "folder of rule packs, or one pack (default: those installed)");
  command->add_option("--config", flags->configuration, "configuration (default: /etc/holdpoint/holdpoint.yaml)");
  command->add_option("--key", flags->key,
                      "the host's fingerprint key (default: the instance's, where it is readable)");
}

}  // namespace

void AddPolicy(CLI::App& app, Context& context) {
  auto flags = std::make_shared<PolicyFlags>();
  auto check_flags = std::make_shared<CheckFlags>();
  CLI::App* check = app.add_subcommand(
      "check", "What would become of a command, without running it: -- COMMAND, --command TEXT, or JSON lines");
  check->add_option("file", check_flags->file, "JSON lines with id and argv or command (default: standard input)");
  check->add_option("-c,--command", check_flags->command, "one command line as a shell reads it");
  check->add_option("--env", check_flags->options.session_environment, "the session's environment")
      ->capture_default_str();
  check->add_option("--workspace", check_flags->options.workspace,
                    "the session's workspace (default: the working directory)");
  check->add_option("--cwd", check_flags->options.cwd, "working directory of rows that name none (default: this one)");
  check->add_flag("--look", check_flags->look, "look at the files that are named, on this host, with your own rights");
  AddPolicyFlags(check, flags);
  check->callback([&context, flags, check_flags] {
    context.command = [&context, flags, check_flags] { return RunCheck(context, *flags, *check_flags); };
  });

  CLI::App* rules = app.add_subcommand("rules", "List, show, test, promote or import the rules")->require_subcommand(1);
  CLI::App* list = rules->add_subcommand("list", "Every rule with its mode, effect and title");
  AddPolicyFlags(list, flags);
  list->callback([&context, flags] { context.command = [&context, flags] { return ListRules(context, *flags); }; });
  auto promote_flags = std::make_shared<PromoteFlags>();
  CLI::App* promote = rules->add_subcommand(
      "promote", "Enforce a new or changed rule as it is now; says what it would have stopped so far (root)");
  promote->add_option("rule", promote_flags->rule, "its id");
  promote->add_flag("--all", promote_flags->all, "every rule that is new or changed");
  promote->add_flag("--dry-run", promote_flags->dry_run, "only say what it would have stopped");
  promote->callback([&context, promote_flags] {
    context.command = [&context, promote_flags] { return Promote(context, *promote_flags); };
  });
  auto rule_id = std::make_shared<std::string>();
  CLI::App* show = rules->add_subcommand("show", "One rule: what it is about, its techniques, references and cases, and what the kernel looks for");
  show->add_option("rule", *rule_id, "its id")->required();
  AddPolicyFlags(show, flags);
  show->callback([&context, flags, rule_id] {
    context.command = [&context, flags, rule_id]() -> absl::StatusOr<int> {
      HP_ASSIGN_OR_RETURN(const std::shared_ptr<const LoadedPolicy> policy, Load(context, *flags));
      return ShowRule(context, *policy, *rule_id);
    };
  });
  struct ImportFlags {
    std::vector<std::string> files;
    std::string to;
    bool dry_run = false;
  };
  auto import_flags = std::make_shared<ImportFlags>();
  CLI::App* add = rules->add_subcommand("import", "Add Sigma rules or packs as they are; says by rule and field what is not supported");
  add->add_option("files", import_flags->files, "Sigma rules or rule packs")->required();
  add->add_option("--to", import_flags->to, "folder that gets them (default: the one of --rules)");
  add->add_flag("--dry-run", import_flags->dry_run, "only say what could be imported");
  add->add_option("--rules", flags->rules, "folder of rule packs (default: those installed)");
  add->callback([&context, flags, import_flags] {
    context.command = [flags, import_flags]() -> absl::StatusOr<int> {
      HP_ASSIGN_OR_RETURN(const std::vector<PolicyFile> installed, ReadPacks(RulesFolder(*flags)));
      return ImportRules(installed, import_flags->files, import_flags->to.empty() ? RulesFolder(*flags) : import_flags->to,
                         import_flags->dry_run);
    };
  });
  CLI::App* test = rules->add_subcommand("test", "Run every case of every rule; 1 where one fails");
  test->add_option("--rules", flags->rules, "folder of rule packs, or one pack");
  test->callback([&context, flags] { context.command = [flags] { return TestRules(*flags); }; });
}

}  // namespace holdpoint
