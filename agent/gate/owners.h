#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/gate/event_loop.h"
#include "agent/presence/owners.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {

// Who may decide, as OS users. Names are looked up by holdpoint-presence, never in the gate: what NSS loads has no
// business in it. Answers come from the last look-up.
class Owners {
 public:
  Owners(EventLoop& loop, const Clock& clock, std::string presence_program)
      : loop_(loop), clock_(clock), presence_program_(std::move(presence_program)) {}

  // Looks up every owner that the configuration names; `done` once they are known (or the look-up failed, said in the
  // log: then the old answers stay).
  void Refresh(const v1::Configured& configured, std::function<void()> done);

  // Users behind the given names ("dana", "%sudo"), each once.
  std::vector<EligibleOwner> Of(const google::protobuf::RepeatedPtrField<std::string>& names) const;

  // True where at least one of them could decide over an act of `session_uid`: somebody else, or the one person that
  // there is.
  bool AnyFor(const google::protobuf::RepeatedPtrField<std::string>& names, uint32_t session_uid,
              bool two_persons) const;

 private:
  EventLoop& loop_;
  const Clock& clock_;
  const std::string presence_program_;
  std::map<std::string, std::vector<EligibleOwner>> by_name_;
};

}  // namespace holdpoint
