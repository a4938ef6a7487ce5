#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "agent/environment/configuration.h"
#include "holdpoint/v1/event.pb.h"

namespace holdpoint {

// One thing that nothing tags yet, and the environment that is proposed for it.
struct Proposal {
  enum class Kind { kHost, kAddress, kCredential, kCredentialFile, kResource };
  Kind kind = Kind::kHost;
  std::string type;  // of a resource
  std::string name;  // host, address, fingerprint, path, id
  uint32_t port = 0;
  std::string environment;  // empty: nobody but a person can say it
  std::string why;          // "seen 12 times from staging, by psql"; printable ASCII
};

// Collects from the record what sessions used and the configuration does not tag. Pure and bounded.
//
// What is proposed is never of lower stakes than what was seen: a name that looks like production, and everything at
// which an act was held or refused, goes to a protected environment; of several environments a protected one decides,
// and without a protected one among them it is left to a person, as is what a session of no known environment used.
class Sightings {
 public:
  explicit Sightings(const Configuration& configuration) : configuration_(configuration) {}

  void Add(const v1::Envelope& event);
  std::vector<Proposal> Proposals() const;  // sorted by kind and name

 private:
  static constexpr size_t kMaxSightings = 5'000;
  using Key = std::tuple<Proposal::Kind, std::string, std::string, uint32_t>;  // kind, type, name, port
  struct Seen {
    std::set<std::string> environments;
    bool unknown = false;  // a session of no known environment used it
    bool stopped = false;  // an act on it was held or refused, or would have been
    uint64_t count = 0;
    std::string program;
  };

  void See(const Key& key, const v1::Envelope& event, const v1::Judgement* judgement, const std::string& program,
           uint64_t count);
  void SeeAddress(const std::string& text, uint32_t port, const v1::Envelope& event, const v1::Judgement* judgement,
                  uint64_t count);
  bool Tagged(const Key& key) const;
  std::string ProtectedEnvironment() const;
  Proposal Propose(const Key& key, const Seen& seen) const;

  const Configuration& configuration_;
  std::map<Key, Seen> seen_;
};

}  // namespace holdpoint
