#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "agent/environment/configuration.h"
#include "agent/policy/automaton.h"
#include "agent/policy/policy.h"

namespace holdpoint {

struct TriageBounds {
  size_t states_per_tool = 65535;  // while it is built
  size_t rows = 49152;             // 12 MiB: a message to the gate holds 16
};

// What the kernel may pass without asking, compiled from all rules, whatever their mode: switching one changes nothing
// here. For each tool an automaton over argv; what none of its literals is in, no rule can fire on. Immutable.
// docs/triage.md says what it rests on.
class Triage {
 public:
  static Triage Compile(const Policy& policy, const Configuration& configuration, const TriageBounds& bounds = {});
  // Of one tool alone and without one of its literals: for the test that shows that it matters.
  static Triage CompileWithout(const Policy& policy, const Configuration& configuration, const ToolModel& tool,
                               const std::string& literal);

  // Where the automaton of this tool begins; AutomatonTable::kAsk where it is always asked about.
  uint32_t StateOf(const ToolModel* tool) const;
  // The same of programs that no pack describes.
  uint32_t unlisted() const { return unlisted_; }
  // Of a file that is known by its content as any of these tools, or as none.
  struct FileClass {
    bool harmless = false;                   // whatever its arguments, except as the interpreter of a script
    uint32_t state = AutomatonTable::kAsk;
  };
  FileClass ClassOfFile(const Policy& policy, const std::vector<std::string>& names, absl::string_view path) const;

  const AutomatonTable& table() const { return table_; }
  // Of table and states together: states of another table mean nothing in this one. Never 0.
  uint32_t id() const { return id_; }
  // Tools that are always asked about: "rm: files.rm fires on any argument".
  const std::vector<std::string>& asked() const { return asked_; }
  // The literals of a tool as they are looked for; for tests and `holdpoint rules show`.
  std::vector<std::string> LiteralsOf(const ToolModel* tool) const;

 private:
  Triage() = default;
  // Adds the automaton of one tool, or to asked_ why there is none.
  void AddTool(const ToolModel& tool, const std::vector<const Rule*>& rules, const Configuration& configuration,
               const TriageBounds& bounds, const std::string& without);
  void Begin(const Policy& policy);  // what is the same for all tools
  void Seal();  // sets id_

  AutomatonTable table_;
  std::map<const ToolModel*, uint32_t> states_;
  std::map<const ToolModel*, ArgvPatterns> patterns_;
  uint32_t unlisted_ = AutomatonTable::kAsk;  // of programs that no pack describes
  uint32_t id_ = 1;
  std::vector<std::string> asked_;
  ArgvPatterns unlisted_patterns_;
  // Of rules that are about every program: texts that every automaton looks for. Where such a rule names more than texts,
  // or none, everything is asked.
  ArgvPatterns everywhere_;
  std::string asks_all_;  // id of such a rule
};

// What is in the argv of every program that no pack describes and that a rule stops all the same.
ArgvPatterns UnlistedPatterns(const Policy& policy);

}  // namespace holdpoint
