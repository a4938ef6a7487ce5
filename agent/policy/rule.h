#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/environment/configuration.h"
#include "agent/parse/graphql.h"
#include "agent/policy/matcher.h"
#include "agent/policy/sigma.h"
#include "holdpoint/v1/event.pb.h"

// A rule as values. docs/rules.md explains the file format to people, schemas/rules/pack.schema.json to editors.
namespace holdpoint {

struct OptionTest {
  std::string name;  // as the tool model reports it
  std::optional<Matcher> value;
};

struct NamedTest {
  std::string name;
  Matcher value;
};

struct GraphqlTest {
  std::optional<GraphqlOperation::Type> operation;
  std::optional<Matcher> field;
  std::vector<NamedTest> arguments;  // by dotted path
};

// One HTTP request; everything given must hold for the same request and, within it, the same GraphQL field.
struct RequestTest {
  enum class Body { kAny, kSeen, kUnseen, kPresent, kNone };

  std::optional<Matcher> method;  // as sent or with an override applied, upper case
  std::optional<Matcher> scheme;
  std::optional<Matcher> host;         // any of the names and addresses that the request may reach
  std::optional<Matcher> only_host;    // all of them: what makes a rule milder must hold for each
  std::optional<Matcher> port;         // in decimal, the scheme's where none is given
  std::optional<Matcher> unix_socket;  // path of the socket that it goes to instead; no match where there is none
  std::optional<Matcher> path;         // normalised
  std::vector<NamedTest> headers;
  std::vector<NamedTest> query;  // decoded parameters of the URL
  std::vector<NamedTest> json;   // dotted paths into a JSON body; a text, number or boolean as written
  Body body = Body::kAny;
  std::optional<GraphqlTest> graphql;
  std::vector<RequestTest> any_of;
  std::vector<RequestTest> none_of;
};

// One statement of a query language; everything given must hold for the same one.
struct StatementTest {
  std::optional<Matcher> effect;    // "destroy", "write", "escalate", "unseen", ...
  std::optional<Matcher> verb;      // "drop", "alter drop", ...
  std::optional<Matcher> kind;      // "table", "database", "rows", ...
  std::optional<Matcher> name;      // as written, without quotes
  std::optional<Matcher> database;  // that it is run in
  std::optional<Matcher> source;    // "command line", "standard input", a file's name
  std::optional<bool> where;        // a condition that is not always true
};

// One command line of a tool; everything given must hold.
struct CallTest {
  std::vector<std::string> commands;  // sub-commands, "stash drop"; one of them
  std::vector<OptionTest> options_any, options_all, options_none;
  size_t min_operands = 0;
  size_t max_operands = SIZE_MAX;
  std::optional<Matcher> operand_any, operand_all, operand_none;
  std::vector<std::pair<size_t, Matcher>> operands_at;  // by place, 0 is the first; one that was not seen fits nothing
  std::vector<NamedTest> environment;  // variables that are set
  std::optional<Matcher> cwd;
  std::vector<CallTest> any_of;
  std::vector<CallTest> none_of;
};

// A command line of a program that no pack describes, or a sub-command that its tool's model does not have; see
// unlisted.h. The options and operands of the rule are then the words as written.
struct UnlistedTest {
  std::vector<std::string> verbs;  // in lower case; one of them says what is to be done
  bool noun = false;               // a word beside the verb says to what
  bool options = false;            // the name of an option may say it: sync --delete
};

// Where the id of the resource stands.
struct ResourceSource {
  enum class Kind {
    kNone,
    kFixed,  // `id` itself
    kWorkingDirectory,
    kOperands,       // each one is a resource
    kOperand,        // number `index`, negative from the end
    kOperandPrefix,  // what follows `id` in each operand that starts with it (dd of=)
    kOption,         // values of the option `id`
    kArgument,       // GraphQL: the first argument whose dotted path or its last name is `id`
    kJson,           // dotted path into the JSON body
    kQuery,          // parameter of the URL
    kUrl,            // host and path
    kPath,           // regular expression over the path; its first group
    kProgram,        // each text that the call is given
    kStatement,      // the database that a statement is about or is run in; else the object it names
  };
  Kind kind = Kind::kNone;
  std::string id;
  int index = 0;
};

// What shows how much would be lost and how near it is; see evidence.h.
enum class Evidence {
  kNone,
  kPath,
  kOverwrite,
  kTreePart,
  kWorktree,
  kUntracked,
  kGitPath,
  kRepository,
  kRemoteRef,
  kDatabase,
  kProjectDatabase,
  kComposeProject,
  kVolume,
  kContainerStore,
  kCluster,
  kInfrastructure,
  kPlan,
  kProcess,
  kUnit,
  kPackageData,
  kCrontab,
  kPythonEnvironment,
  kLinkedProject,
  kRemoteHost,
};

struct RuleCase {
  bool fires = false;
  int line = 0;
  int column = 0;
  std::vector<std::string> argv;
  std::string cwd;
  std::vector<std::string> environment;
  std::map<std::string, std::string> paths;  // path to what is there: see cases.h
  std::map<std::string, std::string> files;  // path to content
  std::map<std::string, std::string> host;   // what the host shows: see cases.h
  std::optional<std::string> input;          // what lies ready on descriptor 0
  bool git_known = false;
  std::map<std::string, std::string> git;
  std::map<std::string, std::string> tags;  // session, destination, credential, resource to an environment
  std::string verdict;                      // empty: any that stands above or below, see cases.h
  std::optional<std::string> resource;
};

struct Rule {
  std::string id;
  std::string file;
  int line = 0;
  std::string family;
  std::string title;
  std::string why;  // one clause for the reason: "deletes a volume for good"
  v1::Effect effect = v1::EFFECT_UNSPECIFIED;
  v1::Recoverability recoverability = v1::RECOVERABILITY_UNSPECIFIED;  // unspecified: by facts
  std::string resource_type;
  ResourceSource resource;
  Evidence evidence = Evidence::kNone;
  std::vector<std::string> folder_options;  // where there are any: without one of them a folder stays (rm)
  std::vector<std::string> techniques;
  std::vector<std::string> references;
  std::vector<std::string> blind_spots;
  RuleMode mode = RuleMode::kObserve;
  v1::Verdict verdict = v1::VERDICT_UNSPECIFIED;  // unspecified: by the decision table
  std::vector<std::string> replaces;              // ids of rules that do not count where this one fires

  std::vector<std::string> tools;  // canonical names; empty: any tool that sends requests, or what no pack describes
  CallTest call;
  std::optional<RequestTest> request;
  std::optional<UnlistedTest> unlisted;
  std::shared_ptr<const SigmaRule> sigma;  // instead of tools: about every program, or every connect
  std::optional<StatementTest> statement;
  std::optional<Matcher> program;  // a call in program text, by its name: "shutil.rmtree"
  std::optional<Matcher> program_text;  // one of the texts that it is given
  int conditions = 0;  // how special it is: of two rules with the same verdict the one with more names the act
  std::vector<RuleCase> cases;
  std::string hash;  // hexadecimal; over when it fires and what follows, the models of its tools included
};

}  // namespace holdpoint
