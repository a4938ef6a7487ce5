#include "agent/cli/rules.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/base/fd.h"
#include "agent/base/status.h"
#include "agent/cli/files.h"
#include "agent/cli/mode.h"
#include "agent/cli/rows.h"
#include "agent/cli/terminal.h"
#include "agent/judge/check.h"
#include "agent/policy/rule_reader.h"
#include "agent/policy/triage.h"

namespace holdpoint {
namespace {

constexpr int kFindings = 1;
constexpr size_t kShownLiterals = 24;
constexpr const char* kModes[] = {"enforce", "observe", "off"};

constexpr char kAboutAll[] = "it is about more than texts of a command line: with it every exec of a session is asked about";

bool AsksAboutAll(const Rule& rule) {
  if (rule.sigma == nullptr || rule.sigma->category == SigmaRule::Category::kConnection) return false;
  const auto needed = rule.sigma->NeededFor();
  return !needed.has_value() || !needed->names.empty();
}

// What the kernel looks for in the argv of this rule's tools, "always asked" where nothing can be said.
std::string KernelText(const LoadedPolicy& policy, const Triage& triage, const Rule& rule) {
  if (rule.sigma != nullptr) {
    if (rule.sigma->category == SigmaRule::Category::kConnection) return "connects are judged where they are recorded one by one";
    if (AsksAboutAll(rule)) return kAboutAll;
    return absl::StrCat("asked about in any command line: ", absl::StrJoin(rule.sigma->NeededFor()->patterns.parts, ", "));
  }
  if (rule.unlisted.has_value()) {
    return absl::StrCat("programs that no pack describes are asked about with one of: ", absl::StrJoin(rule.unlisted->verbs, " "));
  }
  if (rule.tools.empty()) return "tools that send requests are always asked about";
  std::string text;
  for (const std::string& name : rule.tools) {
    const ToolModel* tool = policy.policy->FindTool(name);
    if (triage.StateOf(tool) == AutomatonTable::kAsk) {
      absl::StrAppend(&text, text.empty() ? "" : "; ", name, " is always asked about");
      continue;
    }
    std::vector<std::string> literals = triage.LiteralsOf(tool);
    const size_t all = literals.size();
    if (all > kShownLiterals) literals.resize(kShownLiterals);
    absl::StrAppend(&text, text.empty() ? "" : "; ", name, " is asked about with one of: ", absl::StrJoin(literals, " "),
                    all > kShownLiterals ? absl::StrCat(" and ", all - kShownLiterals, " more") : "");
  }
  return text;
}

// A file name of one component for a rule's id; ids hold nothing else than a file name may.
std::string FileNameOf(const Pack& pack) {
  return absl::StrCat(pack.family == "sigma" && !pack.rules.empty() ? pack.rules[0].id : pack.family, ".yaml");
}

absl::Status WriteNew(const std::string& path, const std::string& bytes) {
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd.ok()) return ErrnoStatus(path);
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = write(fd.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const absl::Status failed = ErrnoStatus(path);
      unlink(path.c_str());
      return failed;
    }
    done += static_cast<size_t>(n);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<int> ShowRule(const Context& context, const LoadedPolicy& policy, const std::string& id) {
  const Rule* rule = policy.policy->FindRule(id);
  if (rule == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(id, ": no loaded rule has this id; `holdpoint rules list` has them all"));
  }
  const auto configured = policy.configuration.policy.rules.find(id);
  const RuleMode mode = configured == policy.configuration.policy.rules.end() ? rule->mode : configured->second;
  const Triage triage = Triage::Compile(*policy.policy, policy.configuration);
  const std::string kernel = KernelText(policy, triage, *rule);
  if (context.json) {
    Json row = {{"id", rule->id},
                {"title", rule->title},
                {"why", rule->why},
                {"effect", EffectWord(rule->effect)},
                {"recoverability", RecoverabilityWord(rule->recoverability)},
                {"mode", kModes[static_cast<size_t>(mode)]},
                {"tools", rule->tools},
                {"resource", rule->resource_type},
                {"techniques", rule->techniques},
                {"references", rule->references},
                {"blind_spots", rule->blind_spots},
                {"replaces", rule->replaces},
                {"kernel", kernel},
                {"hash", rule->hash},
                {"file", rule->file},
                {"line", rule->line},
                {"cases", Json::array()}};
    for (const RuleCase& c : rule->cases) row["cases"].push_back({{"fires", c.fires}, {"argv", c.argv}, {"verdict", c.verdict}});
    Print(JsonLine(row));
    return 0;
  }
  const auto line = [](const char* name, const std::string& text) {
    if (!text.empty()) Print(absl::StrCat("  ", name, ": ", Safe(text), "\n"));
  };
  Print(absl::StrCat(Safe(rule->id), "  ", kModes[static_cast<size_t>(mode)], "  ", Safe(rule->title), "\n"));
  line("why", rule->why);
  line("effect", absl::StrCat(EffectWord(rule->effect), " ", RecoverabilityWord(rule->recoverability)));
  line("tools", absl::StrJoin(rule->tools, ", "));
  line("ATT&CK", absl::StrJoin(rule->techniques, ", "));
  line("see", absl::StrJoin(rule->references, ", "));
  line("unseen", absl::StrJoin(rule->blind_spots, ", "));
  line("replaces", absl::StrJoin(rule->replaces, ", "));
  line("kernel", kernel);
  line("file", absl::StrCat(rule->file, ":", rule->line));
  for (const RuleCase& c : rule->cases) {
    line(c.fires ? "fires on" : "not on", absl::StrJoin(c.argv, " "));
  }
  return 0;
}

absl::StatusOr<int> ImportRules(const std::vector<PolicyFile>& installed, const std::vector<std::string>& files,
                                const std::string& folder, bool dry_run) {
  std::vector<PolicyFile> all = installed;
  size_t taken = 0;
  for (const std::string& file : files) {
    const auto leave = [&file](const absl::Status& status) {
      fprintf(stderr, "holdpoint: %s: left out: %s\n", Safe(file).c_str(), Safe(std::string(status.message())).c_str());
    };
    const absl::StatusOr<std::string> bytes = ReadWholeFile(file);
    if (!bytes.ok()) {
      leave(bytes.status());
      continue;
    }
    const absl::StatusOr<Pack> pack = ReadPack(file, *bytes);
    if (!pack.ok()) {
      leave(pack.status());
      continue;
    }
    all.push_back({file, *bytes});
    // The configuration has no say in whether rules go together.
    if (const auto together = LoadPolicy({"", ""}, all, std::string(32, '\0')); !together.ok()) {
      all.pop_back();
      leave(together.status());
      continue;
    }
    const std::string path = absl::StrCat(folder, "/", FileNameOf(*pack));
    if (!dry_run) HP_RETURN_IF_ERROR(WriteNew(path, *bytes));
    ++taken;
    for (const Rule& rule : pack->rules) {
      Print(absl::StrCat(Safe(rule.id), "  ", Safe(rule.title), dry_run ? "" : absl::StrCat("  -> ", Safe(path)), "\n"));
      if (AsksAboutAll(rule)) Print(absl::StrCat("  ", kAboutAll, "\n"));
    }
  }
  Print(absl::StrCat(taken, " of ", files.size(), dry_run ? " files could be imported" : " files imported",
                     taken == 0 || dry_run ? "\n" : "; `holdpoint reload` loads them, in observe until they are promoted\n"));
  return taken == files.size() ? 0 : kFindings;
}

}  // namespace holdpoint
