#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/environment/configuration.h"
#include "agent/policy/act.h"
#include "agent/policy/fact_book.h"
#include "agent/policy/rule.h"
#include "agent/policy/rule_reader.h"
#include "agent/policy/tool.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {

// Tags that are given instead of looked up; for the cases of rules. Names of environments, empty: looked up.
struct GivenTags {
  std::string destination, credential, resource;
};

// Everything that one evaluation sees besides the act.
struct EvaluationContext {
  const Configuration& configuration;
  absl::string_view fingerprint_key;
  const v1::SessionContext& session;
  const GivenTags* given = nullptr;
};

// All packs, compiled. Immutable: any thread. Evaluation is pure: the same act, session, facts and configuration give
// the same judgement. Its cost depends on the rules of the tool and host at hand, not on how many there are in all.
class Policy {
 public:
  // Errors: kFailedPrecondition, one sentence with file, line and column: an id used twice, a tool that no pack has,
  // an option or sub-command that the tool's model does not have, a tool that two packs describe.
  static absl::StatusOr<std::shared_ptr<const Policy>> Compile(std::vector<Pack> packs);

  // What the act would do and what is to become of it. Questions without an answer are noted in `facts`; the
  // judgement is then the strictest that an answer could give. Everything is set but policy_hash, which is the
  // caller's; texts are redacted and valid UTF-8. `footprint` (may be null): what it leaves in the session's history.
  v1::Judgement Evaluate(const ExecAct& act, const EvaluationContext& context, FactBook* facts,
                         v1::Footprint* footprint = nullptr) const;

  // The tools that this act may be, by content, by the file's name, by the script's name. Empty: nothing lists it.
  struct Candidate {
    const ToolModel* tool = nullptr;
    size_t skip = 0;  // words of argv before the one that stands for argv[0] (an interpreter and its options)
  };
  std::vector<Candidate> Candidates(const ExecAct& act) const;

  // Of what no pack describes: how many words of argv stand before the one that is its argv[0]. None where a pack
  // describes the program, or says that its words are plain, and for a script that a shell reads: what that starts has an
  // exec of its own.
  std::optional<size_t> UnlistedProgram(const ExecAct& act) const;
  const std::vector<const Rule*>& UnlistedRules() const { return unlisted_rules_; }
  // In lower case, sorted: of these at least one stands, in any case, in argv[1] and on of every act that such a rule
  // fits.
  std::vector<std::string> UnlistedWords() const;

  // False: whatever its arguments, no rule fits this program.
  bool DependsOnArguments(const ExecAct& act) const;

  // Null where no rule and no wrapper has a tool of this name.
  const ToolModel* FindTool(absl::string_view name) const;
  std::vector<std::string> ListedNames() const;  // sorted
  const std::vector<ToolModel>& tools() const { return tools_; }
  const std::vector<Rule>& rules() const { return rules_; }
  const Rule* FindRule(absl::string_view id) const;

  // The rules that may match a call of this tool with this sub-command, and those that may match a request to one of
  // these hosts.
  std::vector<const Rule*> RulesFor(const ToolModel* tool, absl::string_view command) const;
  std::vector<const Rule*> RulesForHosts(const std::vector<std::string>& hosts) const;
  // Sigma rules, which are about every program or every connect.
  const std::vector<const Rule*>& SigmaRules(SigmaRule::Category category) const {
    return category == SigmaRule::Category::kProcess ? process_rules_ : connection_rules_;
  }

 private:
  struct ToolRules {
    std::vector<const Rule*> any_command;
    std::map<std::string, std::vector<const Rule*>, std::less<>> by_command;
  };

  Policy() = default;
  absl::Status IndexTools();
  absl::Status IndexRules();
  void HashRules();
  absl::Status CheckRule(const Rule& rule) const;

  bool IsPlain(const ExecAct& act) const;

  std::vector<ToolModel> tools_;
  std::vector<Rule> rules_;
  absl::flat_hash_set<std::string> plain_;
  absl::flat_hash_map<std::string, const ToolModel*> tools_by_name_;
  absl::flat_hash_map<const ToolModel*, ToolRules> rules_by_tool_;
  absl::flat_hash_map<std::string, std::vector<const Rule*>> request_rules_by_host_;
  std::vector<const Rule*> request_rules_;  // of any host
  std::vector<const Rule*> unlisted_rules_;
  std::vector<const Rule*> process_rules_, connection_rules_;
  absl::flat_hash_map<std::string, const Rule*> rules_by_id_;
};

}  // namespace holdpoint
