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

namespace holdpoint {
namespace {

constexpr int kFindings = 1;
constexpr const char* kModes[] = {"enforce", "observe", "off"};

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
    }
  }
  Print(absl::StrCat(taken, " of ", files.size(), dry_run ? " files could be imported" : " files imported",
                     taken == 0 || dry_run ? "\n" : "; `holdpoint reload` loads them, in observe until they are promoted\n"));
  return taken == files.size() ? 0 : kFindings;
}

}  // namespace holdpoint
