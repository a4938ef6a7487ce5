#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/base/clock.h"
#include "agent/gate/event_loop.h"
#include "agent/presence/owners.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {

// Who may decide, as OS users. Names are looked up by holdpoint-presence, never in the gate: what NSS loads has no
// business in it. Answers come from the last look-up.
class Owners {
 public:
  // `folders`: the arguments by which that program finds what owners prove with.
  Owners(EventLoop& loop, const Clock& clock, std::string presence_program, std::vector<std::string> folders)
      : loop_(loop), clock_(clock), presence_program_(std::move(presence_program)), folders_(std::move(folders)) {}

  // Looks up every owner that the configuration names; `done` once they are known (or the look-up failed, said in the
  // log: then the old answers stay).
  void Refresh(const v1::Configured& configured, std::function<void()> done);

  // Users behind the given names ("dana", "%sudo"), each once.
  std::vector<EligibleOwner> Of(const google::protobuf::RepeatedPtrField<std::string>& names) const;

  // Every owner that any environment names, each once. Find: kNotFound for a user who is none, or can prove nothing.
  std::vector<EligibleOwner> All() const;
  absl::StatusOr<EligibleOwner> Find(absl::string_view user) const;
  // Whether this name of the configuration stands for anybody who can prove to be there.
  bool Knows(const std::string& name) const { return by_name_.contains(name); }

  // True where at least one of them could decide over an act of `session_uid`: somebody else, or the one person that
  // there is.
  bool AnyFor(const google::protobuf::RepeatedPtrField<std::string>& names, uint32_t session_uid,
              bool two_persons) const;

 private:
  EventLoop& loop_;
  const Clock& clock_;
  const std::string presence_program_;
  const std::vector<std::string> folders_;
  std::map<std::string, std::vector<EligibleOwner>> by_name_;
};

}  // namespace holdpoint
