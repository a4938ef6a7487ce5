#pragma once

#include "holdpoint/v1/event.pb.h"

namespace holdpoint {

// How long a record is worth its place where there is too little of it.
enum class RecordClass {
  kOrdinary,  // goes first
  kContext,   // what the others are read by: starts, sessions, losses, tombstones; goes with the evidence
  kEvidence,  // refusals, holds, decisions and what became of them; has a place of its own on a full disk
};

// Pure.
RecordClass ClassOf(const v1::Envelope& event);

}  // namespace holdpoint
