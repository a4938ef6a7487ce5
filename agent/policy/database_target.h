#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "agent/policy/evidence.h"

namespace holdpoint {

// Which database a command talks to.
struct DatabaseTarget {
  std::string engine;              // "postgres", "mysql", "redis", "mongodb", "clickhouse", "cassandra", "sqlite"
  std::vector<std::string> hosts;  // names, addresses, absolute paths of sockets: any of them
  uint32_t port = 0;
  std::string database;  // empty: not named
  std::string secret;    // a password that it was given
  std::string problem;   // why the rest is not known; empty where it is
  std::vector<v1::Evidence> evidence;
};

// What a client's own words and variables say, by the client's rules of what comes first: options, a connection text,
// variables, defaults. Files that may say otherwise (a service file, ~/.my.cnf) are asked for; where they do, the target
// is not known.
DatabaseTarget TargetOfClient(const AssessmentInput& input);

// What a schema tool works on: the URL in its options or in DATABASE_URL, else in the .env of the working directory and,
// for prisma, beside its schema.
DatabaseTarget TargetOfProject(const AssessmentInput& input);

// postgres://user:secret@host:5432/name?host=/run/x, also jdbc: in front, and the words of libpq.
DatabaseTarget TargetOfUrl(absl::string_view url);

// "postgres db1:5432/shop"; no user and no secret.
std::string NameOf(const DatabaseTarget& target);

// The base names of the programs that serve this engine.
absl::Span<const absl::string_view> ServersOf(absl::string_view engine);

}  // namespace holdpoint
