#pragma once

#include <string>

#include "holdpoint/v1/event.pb.h"

namespace holdpoint {

// One event for people: one line, or two where a judgement gives a reason; no line feed at the end. Times are UTC.
// Everything that came from a session is escaped and clipped; the only control bytes are our own colours, and those
// only with `color`. Pure.
std::string RenderEvent(const v1::Envelope& event, bool color);

// What the line says behind time, word and session: what the event is about. Escaped and clipped. Pure.
std::string EventText(const v1::Envelope& event);

}  // namespace holdpoint
