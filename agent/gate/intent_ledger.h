#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "absl/time/time.h"
#include "agent/base/clock.h"
#include "agent/base/ids.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {

// What sessions did before: attempts that were refused, and losses that passed in small pieces. Lives in the gate,
// because the judge may start again at any moment, and travels to the judge with each question; footprints come from the
// judge and nothing here looks into them. Pure: time comes in.
//
// Bounded, whatever sessions do: of what does not fit the oldest is forgotten. Small losses are kept by user, so that
// they count over sessions, also ended ones, until the window has passed.
class IntentLedger {
 public:
  struct Limits {
    size_t attempts = 64;   // of one session
    size_t targets = 128;   // of all of them
    size_t sessions = 1024;
    size_t losses = 512;    // entries of one user
    size_t users = 256;
    size_t tallies = 32;    // in one question
  };
  IntentLedger() : IntentLedger(Limits{}) {}
  explicit IntentLedger(Limits limits) : limits_(limits) {}

  // What the judge is told with an act of this session. Empty for most.
  v1::History Of(SessionNumber session, uint32_t uid, BootTime now, absl::Duration window) const;

  // An act was refused or denied, with this ticket. The same act again adds nothing.
  void Refused(SessionNumber session, const v1::Judgement& judgement, const std::string& ticket,
               const v1::Footprint& footprint);
  // An owner has let it through: what was tried with this ticket, before and after it, is no longer held against the
  // session; the losses of `uid` have been looked at where they were the reason.
  void Approved(SessionNumber session, uint32_t uid, const std::string& ticket, bool for_losses);
  // An act passed.
  void Passed(SessionNumber session, uint32_t uid, const v1::Footprint& footprint, BootTime now);
  // The session has ended; what its user lost stays.
  void Forget(SessionNumber session) { attempts_.erase(session); }

 private:
  struct Attempts {
    std::deque<v1::History::Attempt> refused;  // oldest first
    uint32_t repeated = 0;
  };
  struct Loss {
    BootTime when;
    SessionNumber session = 0;
    std::string family, pool;
    uint32_t count = 0;
  };

  Limits limits_;
  std::map<SessionNumber, Attempts> attempts_;
  std::map<uint32_t, std::deque<Loss>> losses_;  // by user, oldest first
};

}  // namespace holdpoint
