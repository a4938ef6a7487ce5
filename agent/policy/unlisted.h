#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "agent/policy/rule.h"
#include "agent/policy/tool.h"

// Command lines of programs that no pack describes. Most are written alike: options, and among the first other words
// what is to be done: "db delete NAME", "apps:destroy NAME", "delete-cluster NAME", "deleteCluster".
namespace holdpoint {

// Options are the words that begin with a dash, under their name as written ("--dry-run" is dry-run, "-rf" is rf), with
// the value that "=" attaches; every other word is an operand, a value that stands behind its option included. Pure;
// linear in argv (argv[0] is the program).
ToolCall ParseUnlisted(absl::Span<const std::string> argv);

// Whether one of the words that say what is to be done is one of the test's verbs, or begins or ends with one:
// "delete", "delete-cluster", "batch-delete-image", "apps:destroy", "TerminateInstances"; where the test wants them also
// an option ("--delete-excluded", not "--no-delete"). What looks like a path, a file, a number or a sentence says nothing,
// and ends the search unless an option stands before it. Pure.
bool Speaks(const UnlistedTest& test, const ToolCall& call);

}  // namespace holdpoint
