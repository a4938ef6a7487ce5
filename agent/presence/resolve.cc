#include "agent/presence/resolve.h"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/presence/account.h"

namespace holdpoint {
namespace {

constexpr int kAccountsLookedAt = 4096;  // for members by first group

bool IsPrintable(absl::string_view name) {
  return !name.empty() && name.size() < 64 &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) { return c > ' ' && c < 0x7f; });
}

void AddUser(const char* name, const std::string& through, const PresenceFolders& folders,
             std::vector<EligibleOwner>& owners) {
  if (owners.size() == kMaxEligibleOwners || !IsPrintable(name)) return;
  const passwd* account = getpwnam(name);
  if (account == nullptr) return;
  const uid_t uid = account->pw_uid;
  std::string methods = PresenceMethods(name, folders);
  if (methods.empty()) return;
  const auto same = [&](const EligibleOwner& owner) { return owner.user == name && owner.through == through; };
  if (std::any_of(owners.begin(), owners.end(), same)) return;
  owners.push_back({.user = name, .uid = uid, .through = through, .methods = std::move(methods)});
}

void AddGroup(const std::string& group, const std::string& through, const PresenceFolders& folders,
              std::vector<EligibleOwner>& owners) {
  const struct group* entry = getgrnam(group.c_str());
  if (entry == nullptr) return;
  const gid_t gid = entry->gr_gid;
  std::vector<std::string> members;
  for (char** member = entry->gr_mem; *member != nullptr && members.size() < kMaxEligibleOwners; ++member) {
    members.emplace_back(*member);
  }
  setpwent();
  for (int i = 0; i < kAccountsLookedAt && members.size() < 2 * kMaxEligibleOwners; ++i) {
    const passwd* account = getpwent();
    if (account == nullptr) break;
    if (account->pw_gid == gid) members.emplace_back(account->pw_name);
  }
  endpwent();
  for (const std::string& member : members) AddUser(member.c_str(), through, folders, owners);
}

}  // namespace

absl::StatusOr<std::vector<EligibleOwner>> ResolveOwners(const std::vector<std::string>& names,
                                                         const PresenceFolders& folders) {
  if (names.size() > kMaxOwnerNames) {
    return absl::InvalidArgumentError(
        absl::StrCat("resolve: at most ", kMaxOwnerNames, " names, got ", names.size()));
  }
  std::vector<EligibleOwner> owners;
  for (const std::string& name : names) {
    if (!IsPrintable(name)) continue;
    if (name[0] == '%') {
      AddGroup(name.substr(1), name, folders, owners);
    } else {
      AddUser(name.c_str(), name, folders, owners);
    }
  }
  for (const char* group : {"sudo", "wheel", "admin"}) {
    if (!names.empty() || !owners.empty()) break;
    AddGroup(group, absl::StrCat("%", group), folders, owners);
  }
  return owners;
}

}  // namespace holdpoint
