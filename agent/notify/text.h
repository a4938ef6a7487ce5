#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "agent/notify/notice.h"

// What a notice says, for each channel. Pure.
namespace holdpoint {

// One sentence without a line end: "HP-4K7Q is held, 20 s to decide (production; claude-code of dev): rm -rf /srv".
std::string Sentence(const Notice& notice);

// For a terminal: a bell, one line or two, each ended by CR LF. Printable ASCII but for those. Empty for changes that
// need no terminal.
std::string TerminalText(const Notice& notice, absl::string_view instance);

// The JSON body of a webhook, ASCII; docs/notify.md describes it.
std::string WebhookBody(const Notice& notice, const NoticeSettings& settings);

// "t=UNIX,v1=HEX", HEX the HMAC-SHA-256 of "UNIX.BODY" with `secret` as its key.
std::string WebhookSignature(absl::string_view secret, int64_t unix_seconds, absl::string_view body);

}  // namespace holdpoint
