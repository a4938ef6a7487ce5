#pragma once

#include <string>
#include <vector>

#include "agent/policy/evidence.h"

namespace holdpoint {

// The compose project that a command works on, from its files as compose finds them.
struct ComposeProject {
  std::string name;                  // empty where `problem` says why it is not known
  std::string folder;                // of its first file
  std::vector<std::string> volumes;  // as the engine calls them: those that `down -v` removes
  std::vector<std::string> images;   // that its services name
  bool own_name = false;             // something else than its folder's name says what it is called
  bool changed_since = false;        // a file of it changed since the session began, and git does not have that
  std::string problem;
  std::vector<v1::Evidence> evidence;
};

// Of `docker compose` and docker-compose with the options of the call; of other commands the project around the working
// directory.
ComposeProject FindComposeProject(const AssessmentInput& input);

// What the command talks to is the engine of this host, as far as options, variables and docker's configuration say.
// Empty where it is, else why that is not known.
std::string WhyNotThisEngine(const AssessmentInput& input);

}  // namespace holdpoint
