#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "agent/environment/yaml.h"
#include "agent/parse/json_body.h"
#include "agent/policy/evidence.h"
#include "holdpoint/v1/judge.pb.h"

// What the evidence about things outside the file system is made of: variables, small files that say where a command
// leads, and who listens there. A file whose content was not read whole says nothing: the strictest stands. Pure.
namespace holdpoint {

inline constexpr absl::string_view kKernel = "kernel";  // source of what no file says

v1::Evidence MakeEvidence(absl::string_view fact, absl::string_view value, absl::string_view source,
                          int64_t changed_unix_ns = 0);

// As its pack calls it; empty for a program that none describes.
std::string NameOfTool(const ToolCall& call);

// The value that NAME has in the act's environment, the first one as getenv(3) takes it; empty where it has none.
std::string Variable(const ExecAct& act, absl::string_view name);

struct ContextFile {
  enum class State { kUnseen, kMissing, kRead };
  State state = State::kUnseen;
  std::string path;
  std::string text;
  std::string problem;  // of kUnseen: "/srv/shop/.env: is a FIFO"
  int64_t changed_unix_ns = 0;

  bool missing() const { return state == State::kMissing; }
  bool read() const { return state == State::kRead; }
};
// `path` is absolute. Cut, changed while it was read, no regular file, not yet looked at: kUnseen.
ContextFile ReadContextFile(const std::string& path, FactBook* facts);

// NAME=VALUE lines: quotes and `export` taken off, comments left out, nothing expanded. Of a name that stands there
// twice the last one counts: Find gives that.
class Dotenv {
 public:
  explicit Dotenv(absl::string_view text);
  std::string Find(absl::string_view name) const;  // empty where it has none

 private:
  std::vector<std::pair<std::string, std::string>> values_;
};

// The value of a key of a map; null where there is none. ParseYaml knows no aliases: a file that has them is not read.
const YamlNode* Entry(const YamlNode& map, absl::string_view key);
std::string TextAt(const YamlNode& map, absl::string_view key);  // of a scalar, else empty
std::string TextAt(const JsonValue& object, absl::string_view key);

// By its words a name of something that is made to be thrown away: "shop_test", "dev2"; never where another word of it
// says production.
bool IsTestName(absl::string_view name);

// Who takes connections at an address of this host.
struct Served {
  enum class Who {
    kUnseen,  // nobody looked, or what was found is not certain
    kNobody,
    kServer,  // one of `programs`, as an administrator installed it, or in a container of this host
    kOther,   // a tunnel, a proxy, anything else
    kRemote,  // the address is none of this host's
  };
  Who who = Who::kUnseen;
  std::string program;  // base name
};
Served WhoServes(const v1::ListenerWanted& wanted, absl::Span<const absl::string_view> programs, FactBook* facts,
                 std::vector<v1::Evidence>* evidence);
// A host and a port, or an absolute path of a socket; "localhost" is each loopback address on which anybody listens.
Served WhoServes(absl::string_view host, uint32_t port, absl::Span<const absl::string_view> programs, FactBook* facts,
                 std::vector<v1::Evidence>* evidence);

// For people: "an ssh tunnel or another program (ssh) listens there".
std::string DescribeServed(const Served& served);

}  // namespace holdpoint
