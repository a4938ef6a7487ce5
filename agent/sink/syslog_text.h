#pragma once

#include <string>

#include "agent/sink/line_target.h"

namespace holdpoint {

// The largest datagram to a remote syslog: more is taken by few.
inline constexpr size_t kMaxSyslogDatagram = 8192;

// The facility of all messages: security and authorisation, private (10).
int SyslogPriority(Level level);

// For the local socket, as the C library writes it: "<PRI>Nov 14 22:13:20 holdpoint: TEXT". UTC. Pure.
std::string LocalSyslogMessage(const OutLine& line);

// RFC 5424: "<PRI>1 TIME HOST holdpoint - ACTION - TEXT". What does not belong into a header field is left out of it. Pure.
std::string RemoteSyslogMessage(const OutLine& line);

// RFC 6587, octet counting: "LENGTH MESSAGE", for TCP and TLS.
std::string SyslogFrame(const std::string& message);

// `message`, cut to `max` with a note at its end.
std::string CutMessage(std::string message, size_t max);

}  // namespace holdpoint
