#pragma once

#include <cstdint>
#include <string>

#include "agent/cli/ticket_row.h"

namespace holdpoint {

// What a desktop shows of a ticket.
struct DesktopNote {
  bool wanted = false;   // false: nothing is shown, what is shown stays
  bool stays = false;    // until it is put away; else as long as the desktop likes
  uint8_t urgency = 1;   // of the Desktop Notifications Specification: 0 low, 1 normal, 2 critical
  std::string title, body;
};

// `change` as TicketFeed has it. Pure. ASCII; the body is plain text with line feeds.
DesktopNote DesktopNoteOf(const std::string& change, const TicketRow& row, int64_t now);

// For a server that takes markup in a body.
std::string EscapeMarkup(const std::string& text);

}  // namespace holdpoint
