#include "agent/environment/tags.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/environment/address.h"
#include "agent/environment/glob.h"

namespace holdpoint {
namespace {

constexpr char kLooksLikeProduction[] = "name looks like production";

// Position in the configuration; unknown names come last.
size_t Position(const Configuration& configuration, absl::string_view environment) {
  size_t i = 0;
  while (i < configuration.environments.size() && configuration.environments[i].name != environment) ++i;
  return i;
}

void Raise(const Configuration& configuration, EnvironmentTag tag, EnvironmentTag* to) {
  *to = Strictest(configuration, *to, tag);
}

// The tag that a name which looks like production raises to; unknown where it does not.
EnvironmentTag LookAlikeTag(const Configuration& configuration, absl::string_view name) {
  if (configuration.look_alike.environment.empty() || !LooksLikeProduction(configuration, name)) return {};
  return MakeTag(configuration, configuration.look_alike.environment, kLooksLikeProduction);
}

bool PortsHold(const DestinationConfig& entry, uint32_t port) {
  if (port == 0) return true;
  return std::any_of(entry.ports.begin(), entry.ports.end(),
                     [port](const PortRange& range) { return range.low <= port && port <= range.high; });
}

struct RangeMatch {
  const DestinationConfig* entry = nullptr;
  const AddressRange* range = nullptr;
  uint32_t ports = 0;  // how many the matching port range has
};

// Longest prefix, then narrowest ports, then strictest environment, then first in the file.
bool MoreSpecific(const Configuration& configuration, const RangeMatch& a, const RangeMatch& b) {
  if (b.entry == nullptr) return true;
  const auto key = [&](const RangeMatch& match) {
    const EnvironmentConfig* environment = configuration.Find(match.entry->environment);
    return std::make_tuple(-static_cast<int>(match.range->prefix_length), match.ports,
                           environment == nullptr || !environment->is_protected,
                           Position(configuration, match.entry->environment));
  };
  return key(a) < key(b);
}

RangeMatch FindRange(const Configuration& configuration, absl::string_view address, uint32_t port) {
  RangeMatch best;
  for (const DestinationConfig& entry : configuration.destinations) {
    for (const AddressRange& range : entry.ranges) {
      if (!RangeHolds(range, address)) continue;
      for (const PortRange& ports : entry.ports) {
        if (port != 0 && (port < ports.low || port > ports.high)) continue;
        const RangeMatch match{&entry, &range, static_cast<uint32_t>(ports.high - ports.low)};
        if (MoreSpecific(configuration, match, best)) best = match;
      }
    }
  }
  return best;
}

struct DestinationMatch {
  const DestinationConfig* entry = nullptr;
  EnvironmentTag tag;
};

DestinationMatch MatchDestination(const Configuration& configuration, const Destination& destination) {
  std::string host = absl::AsciiStrToLower(destination.host);
  if (!host.empty() && host.back() == '.') host.pop_back();
  DestinationMatch match;
  for (const DestinationConfig& entry : configuration.destinations) {
    if (host.empty() || !PortsHold(entry, destination.port)) continue;
    for (const std::string& glob : entry.hosts) {
      if (!GlobMatches(glob, host)) continue;
      const EnvironmentTag tag = MakeTag(configuration, entry.environment, absl::StrCat("host ", glob));
      if (match.entry == nullptr || &Strictest(configuration, match.tag, tag) == &tag) match = {&entry, tag};
    }
  }
  if (match.entry != nullptr) return match;

  std::string address = UnmapAddress(destination.address);
  if (address.empty()) address = AddressFromText(host);
  if (const RangeMatch range = FindRange(configuration, address, destination.port); range.entry != nullptr) {
    match = {range.entry, MakeTag(configuration, range.entry->environment, absl::StrCat("cidr ", range.range->text))};
  }
  Raise(configuration, LookAlikeTag(configuration, host), &match.tag);
  return match;
}

}  // namespace

v1::Tag ToProto(const EnvironmentTag& tag) {
  v1::Tag proto;
  proto.set_environment(tag.environment);
  proto.set_source(tag.source);
  proto.set_protected_(tag.is_protected);
  return proto;
}

EnvironmentTag MakeTag(const Configuration& configuration, absl::string_view environment, absl::string_view source) {
  const EnvironmentConfig* found = configuration.Find(environment);
  if (found == nullptr) return {};
  return {found->name, std::string(source), found->is_protected};
}

const EnvironmentTag& Strictest(const Configuration& configuration, const EnvironmentTag& a, const EnvironmentTag& b) {
  if (a.known() != b.known()) return a.known() ? a : b;
  if (a.is_protected != b.is_protected) return a.is_protected ? a : b;
  return Position(configuration, b.environment) < Position(configuration, a.environment) ? b : a;
}

bool LooksLikeProduction(const Configuration& configuration, absl::string_view name) {
  const LookAlike& words = configuration.look_alike;
  const std::string lower = absl::AsciiStrToLower(name.substr(0, 4096));
  for (size_t begin = 0; begin < lower.size();) {
    size_t end = begin;
    while (end < lower.size() && absl::ascii_isalnum(static_cast<unsigned char>(lower[end]))) ++end;
    const absl::string_view word = absl::string_view(lower).substr(begin, end - begin);
    const auto matches = [word](const std::string& glob) { return GlobMatches(glob, word); };
    if (!word.empty() && std::any_of(words.patterns.begin(), words.patterns.end(), matches) &&
        std::none_of(words.except.begin(), words.except.end(), matches)) {
      return true;
    }
    begin = end + 1;
  }
  return false;
}

EnvironmentTag SessionTag(const Configuration& configuration, const SessionFacts& facts) {
  EnvironmentTag tag;
  if (!facts.launch.empty()) {
    tag = MakeTag(configuration, facts.launch, "flag");
  } else {
    for (const SessionRule& rule : configuration.sessions.workspaces) {
      if (!FolderGlobMatches(rule.glob, facts.workspace, facts.home)) continue;
      Raise(configuration, MakeTag(configuration, rule.environment, absl::StrCat("workspace ", rule.glob)), &tag);
    }
    for (const SessionRule& rule : configuration.sessions.branches) {
      if (facts.branch.empty() || !GlobMatches(rule.glob, facts.branch)) continue;
      Raise(configuration, MakeTag(configuration, rule.environment, absl::StrCat("branch ", rule.glob)), &tag);
    }
    if (facts.unattended && !configuration.sessions.unattended_environment.empty()) {
      Raise(configuration, MakeTag(configuration, configuration.sessions.unattended_environment, "unattended"), &tag);
    }
    if (!tag.known() && facts.launched) {
      tag = MakeTag(configuration, configuration.sessions.launch_default, "default of holdpoint run");
    }
    if (!tag.known()) tag = MakeTag(configuration, configuration.sessions.default_environment, "default");
  }
  Raise(configuration, MakeTag(configuration, facts.enclosing, "enclosing session"), &tag);
  return tag;
}

bool Unattended(const Configuration& configuration, absl::Span<const std::string> environment) {
  for (const std::string& word : environment) {
    for (const std::string& variable : configuration.sessions.unattended_variables) {
      if (word.size() <= variable.size() || word[variable.size()] != '=' || !absl::StartsWith(word, variable)) continue;
      const absl::string_view value = absl::string_view(word).substr(variable.size() + 1);
      if (!value.empty() && value != "0" && !absl::EqualsIgnoreCase(value, "false")) return true;
    }
  }
  return false;
}

EnvironmentTag DestinationTag(const Configuration& configuration, const Destination& destination) {
  return MatchDestination(configuration, destination).tag;
}

ConnectRefusal DestinationRefusal(const Configuration& configuration, const Destination& destination) {
  const DestinationMatch match = MatchDestination(configuration, destination);
  return match.entry == nullptr ? ConnectRefusal::kNever : match.entry->refuse;
}

CredentialMatch CredentialTag(const Configuration& configuration, const CredentialUse& use) {
  CredentialMatch match;
  for (const CredentialConfig& credential : configuration.credentials) {
    std::string source;
    for (const std::string& fingerprint : credential.fingerprints) {
      if (fingerprint == use.fingerprint) source = "fingerprint";
    }
    for (const std::string& variable : credential.variables) {
      if (source.empty() && variable == use.variable) source = absl::StrCat("variable ", variable);
    }
    for (const std::string& glob : credential.files) {
      if (source.empty() && PathGlobMatches(glob, use.file, use.home)) source = absl::StrCat("file ", glob);
    }
    if (source.empty()) continue;
    const EnvironmentTag tag =
        MakeTag(configuration, credential.environment, absl::StrCat("credential ", credential.name, ", ", source));
    if (match.name.empty() || &Strictest(configuration, match.tag, tag) == &tag) match = {tag, credential.name};
  }
  const size_t slash = use.file.rfind('/');
  Raise(configuration, LookAlikeTag(configuration, slash == std::string::npos ? "" : use.file.substr(slash + 1)),
        &match.tag);
  return match;
}

ResourceMatch ResourceTag(const Configuration& configuration, absl::string_view type, absl::string_view id,
                          absl::string_view home) {
  ResourceMatch match;
  bool found = false;
  for (const ResourceConfig& resource : configuration.resources) {
    if (resource.type != "*" && resource.type != type) continue;
    const bool matches = type == "path" ? FolderGlobMatches(resource.id, id, home) : GlobMatches(resource.id, id);
    if (!matches) continue;
    const EnvironmentTag tag =
        MakeTag(configuration, resource.environment, absl::StrCat("resource ", resource.type, " ", resource.id));
    if (!found || &Strictest(configuration, match.tag, tag) == &tag) match = {tag, resource.backups};
    found = true;
  }
  // A path in a checkout is full of words; only what names a thing elsewhere is a hint.
  if (!found && type != "path") match.tag = LookAlikeTag(configuration, id);
  return match;
}

ActTags CombineTags(const Configuration& configuration, EnvironmentTag session, EnvironmentTag destination,
                    EnvironmentTag credential, EnvironmentTag resource, bool local) {
  ActTags tags;
  tags.target = Strictest(configuration, Strictest(configuration, destination, credential), resource);
  for (const EnvironmentTag* tag : {&destination, &credential, &resource}) {
    tags.crossing = tags.crossing || (tag->known() && tag->environment != session.environment);
  }
  if (tags.target.is_protected || session.is_protected) {
    tags.column = Column::kProtected;
  } else if (local) {
    tags.column = Column::kLocal;
  } else if (tags.target.known() && tags.target.environment == session.environment && !tags.crossing) {
    tags.column = Column::kOrdinary;
  } else {
    tags.column = Column::kUnknown;
  }
  tags.session = std::move(session);
  tags.destination = std::move(destination);
  tags.credential = std::move(credential);
  tags.resource = std::move(resource);
  return tags;
}

v1::Tags ToProto(const ActTags& tags) {
  v1::Tags proto;
  *proto.mutable_session() = ToProto(tags.session);
  *proto.mutable_destination() = ToProto(tags.destination);
  *proto.mutable_credential() = ToProto(tags.credential);
  *proto.mutable_resource() = ToProto(tags.resource);
  *proto.mutable_target() = ToProto(tags.target);
  proto.set_crossing(tags.crossing);
  return proto;
}

}  // namespace holdpoint
