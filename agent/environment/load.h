#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/environment/configuration.h"

namespace holdpoint {

// Reads one configuration file from its bytes; `name` is what messages call it. Strict: whatever is not understood is
// an error "NAME:LINE:COL: KEY: wanted X, got Y" with code kFailedPrecondition, and nothing of the file counts.
// What the file leaves out is as in BuiltInConfiguration(). Empty bytes are the built-in configuration. Pure.
absl::StatusOr<Configuration> LoadConfiguration(absl::string_view name, absl::string_view bytes);

// What holds without a file: production (protected), staging, development and ci, all owned by the group sudo,
// sessions tagged development, no destinations. Made from the config/holdpoint.yaml that the build embeds.
const Configuration& BuiltInConfiguration();

// The text of config/holdpoint.yaml, which `holdpoint config show --default` prints.
absl::string_view BuiltInConfigurationText();

// What `holdpoint config check` says of a file.
struct ConfigurationReport {
  bool accepted = false;
  std::string problem;                // one sentence, where not accepted
  std::vector<std::string> summary;   // "environment production: protected, enforce, approval %sudo", ...
  std::vector<std::string> warnings;  // accepted, and yet probably not meant: a range that another one hides, ...
};
ConfigurationReport CheckConfiguration(absl::string_view name, absl::string_view bytes);

// Every key that LoadConfiguration knows, as paths: "environments[].owners.approval", "kafka.settings.*". For the
// test that keeps the JSON Schema in step.
std::vector<std::string> ConfigurationKeys();

}  // namespace holdpoint
