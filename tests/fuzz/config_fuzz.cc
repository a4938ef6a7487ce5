// The loaders of what people write: the configuration and the list of coding agents. Any bytes are either taken or
// answered by one line that begins with the file's name; what is taken names only environments that exist.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "agent/environment/coding_agents.h"
#include "agent/environment/configured.h"
#include "agent/environment/load.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void RequireOneSentence(const absl::Status& status) {
  const std::string message(status.message());
  Require(message.rfind("f.yaml:", 0) == 0);
  for (const char c : message) Require(c >= 0x20 && c <= 0x7e);
  Require(message.size() < 2000);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto agents = holdpoint::LoadCodingAgents("f.yaml", bytes);
  if (!agents.ok()) RequireOneSentence(agents.status());
  const auto configuration = holdpoint::LoadConfiguration("f.yaml", bytes);
  if (!configuration.ok()) {
    RequireOneSentence(configuration.status());
    return 0;
  }
  for (const auto& environment : configuration->environments) {
    Require(!environment.name.empty() && !environment.owners.approval.empty());
    Require(!environment.owners.rollback.empty() && !environment.owners.incident.empty());
  }
  for (const auto& destination : configuration->destinations) Require(configuration->Find(destination.environment));
  for (const auto& credential : configuration->credentials) Require(configuration->Find(credential.environment));
  holdpoint::v1::Configured configured;
  holdpoint::FillConfigured(*configuration, holdpoint::BuiltInCodingAgents(), &configured);
  return 0;
}
