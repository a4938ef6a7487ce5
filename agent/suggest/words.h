#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace holdpoint {

// Something that a command line names and that may belong to an environment.
struct NamedThing {
  enum class Kind { kHost, kCredentialFile, kResource };
  Kind kind = Kind::kHost;
  std::string type;  // of a resource: "kube-context", "aws-profile", "compose-file"
  std::string name;
};

// What the words of a recorded (redacted) argv name: hosts of URLs, of ssh and its kin and of database clients, contexts
// and configuration files of kubectl and helm, profiles of aws, files of docker compose. `cwd` makes paths absolute. A
// name that was redacted or cut, or that a configuration could not write down, is left out. Pure; the words are hostile.
std::vector<NamedThing> ThingsNamed(absl::string_view program, const std::vector<std::string>& argv,
                                    absl::string_view cwd);

// A host name or address that can stand in a configuration, lower case; empty for anything else.
std::string PlainHost(absl::string_view text);

}  // namespace holdpoint
