#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace holdpoint {

// What an owner's key signs, somewhere else: one decision on one ticket, on one host and boot, until it ends.
struct Challenge {
  std::string ticket = {};
  std::string digest = {};    // of the act, 32 bytes
  std::string decision = {};  // "approve", "deny"
  std::string scope = {};     // "once", "session", "until:2026-12-31T18:00:00Z"; "none" of a denial
  std::string owner = {};     // who decides
  absl::Time expires = {};    // the ticket's end
};

// Where challenges come from. The nonce of a ticket is made from `key`, which is new with each run of the daemon.
struct ChallengeSource {
  std::string host_id = {}, boot_id = {};
  std::string key = {};
};

// One line of printable ASCII, without a line feed. The same question has the same line. Pure.
std::string ChallengeLine(const Challenge& challenge, const ChallengeSource& source);

// Each question is answered by a signature once, and not after its end. Forgets what has ended. Pure.
class AnsweredChallenges {
 public:
  // kPermissionDenied with a sentence: it has been answered, or has run out.
  absl::Status MayAnswer(const Challenge& challenge, const std::string& line, absl::Time now);
  // True once for each line.
  bool Answer(const Challenge& challenge, const std::string& line);

 private:
  std::map<std::string, absl::Time> answered_;  // line, end
};

}  // namespace holdpoint
