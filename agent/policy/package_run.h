#pragma once

#include <string>
#include <vector>

#include "agent/policy/act.h"
#include "agent/policy/fact_book.h"
#include "holdpoint/v1/judge.pb.h"

// Package managers of the system at their ordinary work. A maintainer script that is stopped half-way leaves a package
// neither installed nor removed, so what runs below such an act is recorded and not stopped. That is a cover, and a
// session must not be able to hide behind it: docs/decisions/2026-11-27-maintainer-scripts.md lists what is covered,
// what is not, and why. Pure.
namespace holdpoint {

// What this act is as a run of a package manager ("apt-get install"), or why it is none that covers anything.
struct PackageRun {
  std::string name;     // empty: covers nothing
  std::string because;  // why not; empty for what is no package manager at all
};

// `known_as`: the names of the very file that runs, on this host's PATH; empty for any other file. Asks `facts` about
// the manager's configuration and the packages named.
PackageRun PackageRunOf(const ExecAct& act, const std::vector<std::string>& known_as, const v1::SessionContext& session,
                        FactBook* facts);

// The programs that are meant, so that each of their runs is asked about.
const std::vector<std::string>& PackageManagers();

}  // namespace holdpoint
