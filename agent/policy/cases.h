#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/policy/policy.h"

namespace holdpoint {

// Runs every case of every rule with the built-in configuration, in a staging session of the user dev (home /home/dev)
// in the workspace /srv/shop, a git checkout of the branch "feature".
//
// A case that fires: the rule decides, with audit or more, or with exactly the given verdict and resource. A case that
// passes: this rule does not stop the act (another verdict than hold and above, or another rule); with a verdict given,
// exactly that one. Modes do not count. What a case says of the world:
//   paths: {build: "directory ignored"}   what is there: missing, file, directory, link, other; ignored, clean (tracked
//                                         and unchanged), root (of a repository), repository=DIR, to=DIR (a link)
//   files: {body.json: "text"}            content of a file that the command names
//   host:  {"listener 127.0.0.1:5432": /usr/lib/postgresql/15/bin/postgres}   also "listener /path" and localhost:PORT;
//                                         "none", "own PROGRAM" (no administrator put it there), "container PROGRAM",
//                                         "bridge DEVICE"
//          {"process 4242": session}      or own, other, service, gone
//          {"plan p.bin": "aws_db.x"}     what it takes away, divided by spaces
//          {"file /x": missing}           or a problem: "is a FIFO", cut, unsteady
//          {input: open}                 more may follow on what is on its standard input
//          {crontab: saved}               or unsaved, none
//          {volumes: a b, images: "a:1"}  all that the host keeps
//   input: "text"                         what lies ready on its standard input
//   git:   {dirty: 3, untracked: 2, branch: x, default_branch: main, upstream_local: true, alias.NAME: "..."}
//   tags:  {session: x, destination: x, credential: x, resource: x}
// What a case does not say is not known.
//
// Errors: kFailedPrecondition, "FILE:LINE:COL: rule ID: case ...: wanted X, got Y" for the first case that fails.
absl::Status RunCases(const Policy& policy);

// One rule's cases; the same.
absl::Status RunCases(const Policy& policy, const Rule& rule);

// The parts, for those who write a case's command line otherwise: the act that the case describes, and what is decided
// about `act` in the case's world. Errors: kInvalidArgument, what the case says of the world and cannot be.
ExecAct ActOf(const RuleCase& c);
absl::StatusOr<v1::Judgement> JudgeInCase(const Policy& policy, const Rule& rule, const RuleCase& c, const ExecAct& act);
// What becomes of a case's act in its world. Errors: kInvalidArgument, a word of it that is not understood.
absl::StatusOr<v1::Judgement> JudgeCase(const Policy& policy, const RuleCase& c, const Configuration& configuration);

}  // namespace holdpoint
