#pragma once

#include <string>

#include "agent/gate/core.h"
#include "agent/notify/notice.h"

namespace holdpoint {

// What holdpoint-notify is told of a ticket, redacted as the judgement is and escaped; without a sequence.
Notice NoticeOf(const Core& core, const std::string& change, const Ticket& ticket);

// What the configuration says of notices.
NoticeSettings NoticeSettingsOf(const v1::Configured& configured, const v1::StreamId& stream);

}  // namespace holdpoint
