#pragma once

#include <string>
#include <vector>

#include "agent/judge/loaded_policy.h"
#include "holdpoint/v1/judge.pb.h"

// What the tests of the judge share: the shipped packs and the reference incident as messages.
namespace holdpoint::testworld {

inline constexpr char kToken[] = "9f0c2d4e-1111-4222-8333-444455556666";

std::vector<PolicyFile> ShippedPacks(const std::vector<std::string>& names = {"files", "git", "http", "wrappers"});

// The shipped packs, the given configuration ("" for the built-in one) and a fixed key.
v1::ToJudge ConfigureMessage(uint64_t id, const std::string& configuration = "");

// An exec in a staging session of the user 1000 in /srv/shop.
v1::ToJudge ExecMessage(uint64_t id, const std::string& executable, const std::vector<std::string>& argv);

// curl, POST, the anonymous mutation volumeDelete with one inline argument, no content type.
std::vector<std::string> IncidentArgv(const std::string& host = "backboard.railway.app");

}  // namespace holdpoint::testworld
