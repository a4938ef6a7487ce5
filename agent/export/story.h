#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "agent/export/level.h"
#include "holdpoint/v1/event.pb.h"

namespace holdpoint {

// What became of an act, as far as its event knows.
enum class Disposition {
  kNone,      // no act
  kAllowed,   // it ran
  kLogged,    // it ran and is worth a record (audit)
  kDetected,  // it ran; in enforce it would have been stopped
  kApproved,  // it ran or will, because somebody let it
  kHeld,      // it waits
  kBlocked,   // it did not happen
};

// What all foreign formats say of an event, said once. Borrows from the event.
struct Story {
  Level level = Level::kInformational;
  bool alert = false;
  Disposition disposition = Disposition::kNone;
  std::string action;   // one of few words of ours: "exec-refused"
  std::string subject;  // what it is about, one line, escaped and clipped
  std::string reason;   // why; may be empty
  std::string uid;      // RUN_ID/SEQUENCE: tells an event from every other, and a repetition from a second event
  std::string type;     // of the body: "exec"
  std::string ticket;
  const v1::Process* process = nullptr;
  const v1::Judgement* judgement = nullptr;
};

// Pure.
Story StoryOf(const v1::Envelope& event);

// "exec refused: curl POST ...": one line for people.
std::string Message(const Story& story);

}  // namespace holdpoint
