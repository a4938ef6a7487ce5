#include "agent/suggest/sightings.h"

#include <arpa/inet.h>

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/base/escape.h"
#include "agent/environment/tags.h"
#include "agent/suggest/words.h"

namespace holdpoint {
namespace {

std::string AddressBytes(const std::string& text) {
  unsigned char bytes[16];
  if (inet_pton(AF_INET, text.c_str(), bytes) == 1) return std::string(reinterpret_cast<char*>(bytes), 4);
  if (inet_pton(AF_INET6, text.c_str(), bytes) == 1) return std::string(reinterpret_cast<char*>(bytes), 16);
  return "";
}

// Only these are somebody's own; a public address is better known by its host.
bool IsPrivate(const std::string& bytes) {
  const auto at = [&bytes](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  if (bytes.size() == 4) {
    return at(0) == 10 || (at(0) == 172 && (at(1) & 0xf0) == 16) || (at(0) == 192 && at(1) == 168) ||
           (at(0) == 100 && (at(1) & 0xc0) == 64);
  }
  return bytes.size() == 16 && (at(0) & 0xfe) == 0xfc;
}

std::string BaseName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

void Sightings::Add(const v1::Envelope& event) {
  if (event.has_exec()) {
    const v1::Process& process = event.exec().process();
    const v1::Judgement& judgement = event.exec().judgement();
    const std::string program = BaseName(process.executable());
    const std::vector<std::string> argv(process.argv().begin(), process.argv().end());
    for (const NamedThing& thing : ThingsNamed(process.executable(), argv, process.working_directory())) {
      if (thing.kind == NamedThing::Kind::kHost && !AddressBytes(thing.name).empty()) continue;  // Its connect tells more.
      const auto kind = thing.kind == NamedThing::Kind::kHost             ? Proposal::Kind::kHost
                        : thing.kind == NamedThing::Kind::kCredentialFile ? Proposal::Kind::kCredentialFile
                                                                          : Proposal::Kind::kResource;
      See({kind, thing.type, thing.name, 0}, event, &judgement, program, 1);
    }
    for (const v1::Credential& credential : judgement.credentials()) {
      if (!credential.tag_name().empty() || credential.fingerprint().empty()) continue;
      See({Proposal::Kind::kCredential, "", credential.fingerprint(), 0}, event, &judgement, program, 1);
    }
  }
  if (event.has_connect()) {
    SeeAddress(event.connect().address(), event.connect().port(), event, &event.connect().judgement(), 1);
  }
  if (event.has_rollup() && event.rollup().kind() == "connect") {
    const std::string& subject = event.rollup().subject();
    const size_t colon = subject.rfind(':');
    uint32_t port = 0;
    if (colon == std::string::npos || !absl::SimpleAtoi(subject.substr(colon + 1), &port)) return;
    SeeAddress(subject.substr(0, colon), port, event, nullptr, event.rollup().count());
  }
}

void Sightings::SeeAddress(const std::string& text, uint32_t port, const v1::Envelope& event,
                           const v1::Judgement* judgement, uint64_t count) {
  const std::string bytes = AddressBytes(text);
  if (!IsPrivate(bytes)) return;
  See({Proposal::Kind::kAddress, "", text, port}, event, judgement, "", count);
}

void Sightings::See(const Key& key, const v1::Envelope& event, const v1::Judgement* judgement,
                    const std::string& program, uint64_t count) {
  if (std::get<0>(key) == Proposal::Kind::kHost && (std::get<2>(key) == "localhost" || std::get<2>(key).empty())) return;
  if (!seen_.contains(key) && seen_.size() >= kMaxSightings) return;
  Seen& seen = seen_[key];
  seen.count += count;
  if (seen.program.empty()) seen.program = EscapeAndClip(program, 32);
  if (configuration_.Find(event.environment()) != nullptr) {
    seen.environments.insert(event.environment());
  } else {
    seen.unknown = true;
  }
  if (judgement == nullptr) return;
  seen.stopped = seen.stopped || judgement->verdict() >= v1::VERDICT_HOLD;
  const std::string& target = judgement->tags().target().environment();
  if (configuration_.Find(target) != nullptr) seen.environments.insert(target);
}

// By the configuration's own words; that a name looks like production is no word.
bool Sightings::Tagged(const Key& key) const {
  Configuration plain = configuration_;
  plain.look_alike.environment.clear();
  plain.look_alike.patterns.clear();
  const auto& [kind, type, name, port] = key;
  switch (kind) {
    case Proposal::Kind::kHost:
      return DestinationTag(plain, {.host = name, .address = "", .port = port}).known();
    case Proposal::Kind::kAddress:
      return DestinationTag(plain, {.host = "", .address = AddressBytes(name), .port = port}).known();
    case Proposal::Kind::kCredential: {
      CredentialUse use;
      use.fingerprint = name;
      return CredentialTag(plain, use).tag.known();
    }
    case Proposal::Kind::kCredentialFile: {
      CredentialUse use;
      use.file = name;
      return CredentialTag(plain, use).tag.known();
    }
    case Proposal::Kind::kResource:
      return ResourceTag(plain, type, name).tag.known();
  }
  return true;
}

std::string Sightings::ProtectedEnvironment() const {
  const EnvironmentConfig* named = configuration_.Find(configuration_.look_alike.environment);
  if (named != nullptr && named->is_protected) return named->name;
  for (const EnvironmentConfig& environment : configuration_.environments) {
    if (environment.is_protected) return environment.name;
  }
  return "";
}

Proposal Sightings::Propose(const Key& key, const Seen& seen) const {
  Proposal proposal;
  std::tie(proposal.kind, proposal.type, proposal.name, proposal.port) = key;
  EnvironmentTag strictest;
  for (const std::string& environment : seen.environments) {
    strictest = Strictest(configuration_, strictest, MakeTag(configuration_, environment, ""));
  }
  const bool looks = proposal.kind != Proposal::Kind::kCredential && LooksLikeProduction(configuration_, proposal.name);
  if (strictest.is_protected) {
    proposal.environment = strictest.environment;
  } else if (looks || seen.stopped) {
    proposal.environment = ProtectedEnvironment();
  } else if (seen.environments.size() == 1 && !seen.unknown) {
    proposal.environment = strictest.environment;
  }
  proposal.why = absl::StrCat("seen ", seen.count, seen.count == 1 ? " time" : " times",
                              seen.environments.empty() ? "" : absl::StrCat(" with ", absl::StrJoin(seen.environments, ", ")),
                              seen.unknown ? ", and with no known environment" : "",
                              seen.program.empty() ? "" : absl::StrCat(", by ", seen.program),
                              looks ? "; the name looks like production" : "",
                              seen.stopped ? "; acts on it were stopped" : "");
  return proposal;
}

std::vector<Proposal> Sightings::Proposals() const {
  std::vector<Proposal> proposals;
  for (const auto& [key, seen] : seen_) {
    if (!Tagged(key)) proposals.push_back(Propose(key, seen));
  }
  return proposals;
}

}  // namespace holdpoint
