#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/cli/rows.h"

namespace holdpoint {

// A ticket as an owner is shown it. Every text is safe to print.
struct TicketRow {
  struct Tag {
    std::string what, environment, source;
    bool protected_environment = false;
  };
  std::string ticket, state, environment, summary, reason, rule, session, coding_agent, user, command, working_directory;
  std::string effect, recoverability, resource, backups, rollback, owners, decided_by, decision_reason, scope;
  std::vector<std::string> started_by, blind_spots, deciders, approved_by;
  std::vector<Tag> tags;
  bool protected_environment = false, may_decide = false, two_persons = false;
  int64_t deadline = 0, expires = 0, opened = 0;  // Unix seconds, 0 for none

  bool held() const { return state == "held"; }
  bool waits() const { return state == "held" || state == "open"; }
};

TicketRow TicketRowOf(const Json& row);

}  // namespace holdpoint
