#include "agent/gate/owners.h"

#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/escape.h"
#include "agent/base/log.h"
#include "agent/control/decide.h"
#include "agent/gate/child.h"

namespace holdpoint {
namespace {

constexpr absl::Duration kResolveBudget = absl::Seconds(10);

}  // namespace

void Owners::Refresh(const v1::Configured& configured, std::function<void()> done) {
  std::set<std::string> names;
  for (const v1::Environment& environment : configured.environments()) {
    names.insert(environment.approval().begin(), environment.approval().end());
  }
  if (names.empty()) return done();
  HelperRequest request;
  request.spec.path = presence_program_;
  request.spec.args = {"resolve"};
  request.spec.args.insert(request.spec.args.end(), folders_.begin(), folders_.end());
  request.spec.args.push_back("--");
  request.spec.args.insert(request.spec.args.end(), names.begin(), names.end());
  request.output_as = STDOUT_FILENO;
  request.budget = kResolveBudget;
  RunHelper(loop_, clock_, std::move(request), [this, done](absl::StatusOr<HelperResult> result) {
    if (result.ok() && result->wait_status != 0) {
      result = absl::InternalError(absl::StrCat("wait status ", result->wait_status));
    }
    absl::StatusOr<std::vector<EligibleOwner>> owners =
        result.ok() ? ParseEligibleOwners(result->output) : result.status();
    if (!owners.ok()) {
      LogError("owners can't be looked up: ", owners.status().message());
      return done();
    }
    by_name_.clear();
    for (EligibleOwner& owner : *owners) by_name_[owner.through].push_back(std::move(owner));
    done();
  });
}

std::vector<EligibleOwner> Owners::Of(const google::protobuf::RepeatedPtrField<std::string>& names) const {
  std::vector<EligibleOwner> all;
  std::set<std::string> seen;
  for (const std::string& name : names) {
    const auto found = by_name_.find(name);
    if (found == by_name_.end()) continue;
    for (const EligibleOwner& owner : found->second) {
      if (seen.insert(owner.user).second) all.push_back(owner);
    }
  }
  return all;
}

std::vector<EligibleOwner> Owners::All() const {
  std::vector<EligibleOwner> all;
  std::set<std::string> seen;
  for (const auto& [name, owners] : by_name_) {
    for (const EligibleOwner& owner : owners) {
      if (seen.insert(owner.user).second) all.push_back(owner);
    }
  }
  return all;
}

absl::StatusOr<EligibleOwner> Owners::Find(absl::string_view user) const {
  for (const EligibleOwner& owner : All()) {
    if (owner.user == user) return owner;
  }
  return absl::NotFoundError(absl::StrCat(EscapeAndClip(user, 64), " is no owner of an environment, or can prove nothing yet: "
                                                                   "no password, no code, no key"));
}

bool Owners::AnyFor(const google::protobuf::RepeatedPtrField<std::string>& names, uint32_t session_uid,
                    bool two_persons) const {
  return AnybodyMayDecide(Of(names), session_uid, two_persons);
}

}  // namespace holdpoint
