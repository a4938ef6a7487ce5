#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "agent/environment/configuration.h"
#include "holdpoint/v1/event.pb.h"

// Which environment a thing belongs to. Pure functions of the configuration and what is known of the thing.
// A tag without an environment is "unknown", which is stricter than an ordinary one when it comes to destroying.
namespace holdpoint {

struct EnvironmentTag {
  std::string environment;  // empty: unknown
  std::string source;       // for people: "flag", "workspace ~/src/shop-*", "cidr 10.1.0.0/16", "default"
  bool is_protected = false;

  bool known() const { return !environment.empty(); }
};

v1::Tag ToProto(const EnvironmentTag& tag);
// A tag of this environment; unknown where the configuration has none of that name.
EnvironmentTag MakeTag(const Configuration& configuration, absl::string_view environment, absl::string_view source);

// Of two known tags the protected one; of two alike the one whose environment stands first in the configuration.
// A known tag beats an unknown one.
const EnvironmentTag& Strictest(const Configuration& configuration, const EnvironmentTag& a, const EnvironmentTag& b);

// `name` looks like production by the configuration's words ("db.prod.example", "live-orders").
bool LooksLikeProduction(const Configuration& configuration, absl::string_view name);

struct SessionFacts {
  std::string launch = {};     // --env of `holdpoint run`, empty otherwise
  bool launched = false;       // by `holdpoint run`
  std::string workspace = {};  // absolute
  std::string home = {};
  std::string branch = {};
  bool unattended = false;     // see Unattended()
  std::string enclosing = {};  // environment of the session around it, empty otherwise
};

// A launch flag decides; else the strictest of what workspace, branch and being unattended say; else the default.
// An enclosing session's environment is never left for a less strict one.
EnvironmentTag SessionTag(const Configuration& configuration, const SessionFacts& facts);

// The environment ("NAME=VALUE" words) holds one of the configured CI variables with a value that means yes.
bool Unattended(const Configuration& configuration, absl::Span<const std::string> environment);

struct Destination {
  std::string host = {};     // as argv shows it, without brackets; may be an address in any form inet_aton(3) takes
  std::string address = {};  // 4 or 16 bytes in network order where known, empty otherwise
  uint32_t port = 0;         // 0: not known, then ports do not matter
};

// A host glob decides. Without one: the longest prefix that holds the address, then the narrowest ports, then the
// strictest; a host that looks like production raises that (it never lowers). IPv4 in IPv6 counts as IPv4.
EnvironmentTag DestinationTag(const Configuration& configuration, const Destination& destination);

// How the connect hook's table answers for the same entry; kNever where none matches.
ConnectRefusal DestinationRefusal(const Configuration& configuration, const Destination& destination);

struct CredentialUse {
  std::string variable = {};     // name of the environment variable it came from
  std::string file = {};         // absolute path it was read from
  std::string home = {};         // of the session, for ~ in globs
  std::string fingerprint = {};  // Fingerprint() of its value
};

struct CredentialMatch {
  EnvironmentTag tag;
  std::string name;  // of the configured credential; empty where none matched
};

// The strictest configured credential that matches by any of the fields given. A file whose name looks like
// production (".env.production") is raised.
CredentialMatch CredentialTag(const Configuration& configuration, const CredentialUse& use);

struct ResourceMatch {
  EnvironmentTag tag;
  std::string backups;
};

// The strictest configured resource of this type whose glob matches; without one an id that looks like production.
// `home` is for "~/" in ids of the type "path".
ResourceMatch ResourceTag(const Configuration& configuration, absl::string_view type, absl::string_view id,
                          absl::string_view home = "");

struct ActTags {
  EnvironmentTag session, destination, credential, resource;
  EnvironmentTag target;  // the strictest of destination, credential and resource
  bool crossing = false;  // some known tag of those three is not the session's
  Column column = Column::kUnknown;
};

// `local` is evidence that the target is local and disposable (loopback served here, the session's own files).
// Column: protected where target or session is; else local where `local`; else ordinary where the target is the
// session's environment; else unknown.
ActTags CombineTags(const Configuration& configuration, EnvironmentTag session, EnvironmentTag destination,
                    EnvironmentTag credential, EnvironmentTag resource, bool local);

v1::Tags ToProto(const ActTags& tags);

}  // namespace holdpoint
