#include "agent/policy/host_evidence.h"

#include <re2/re2.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/policy/paths.h"

namespace holdpoint {
namespace {

using Who = Served::Who;

bool IsLoopback(absl::string_view host) {
  return absl::StartsWith(host, "127.") || host == "::1" || host == "0.0.0.0" || host == "::";
}

std::string Place(const v1::ListenerWanted& wanted) {
  if (!wanted.unix_socket().empty()) return wanted.unix_socket();
  return absl::StrCat(wanted.address(), ":", wanted.port());
}

// Of two answers for one name the one that says less good.
int Rank(Who who) {
  switch (who) {
    case Who::kServer:
      return 0;
    case Who::kNobody:
      return 1;
    case Who::kRemote:
      return 2;
    case Who::kOther:
      return 3;
    case Who::kUnseen:
      return 4;
  }
  return 4;
}

}  // namespace

v1::Evidence MakeEvidence(absl::string_view fact, absl::string_view value, absl::string_view source,
                          int64_t changed_unix_ns) {
  v1::Evidence evidence;
  evidence.set_fact(std::string(fact));
  evidence.set_value(std::string(value));
  evidence.set_source(std::string(source));
  evidence.set_changed_unix_ns(changed_unix_ns);
  return evidence;
}

std::string NameOfTool(const ToolCall& call) { return call.tool == nullptr ? "" : call.tool->names[0]; }

std::string Variable(const ExecAct& act, absl::string_view name) {
  for (const absl::string_view word : act.environment) {
    if (word.size() > name.size() && word[name.size()] == '=' && absl::StartsWith(word, name)) {
      return std::string(word.substr(name.size() + 1));
    }
  }
  return "";
}

ContextFile ReadContextFile(const std::string& path, FactBook* facts) {
  ContextFile file;
  file.path = path;
  const v1::ContentFact* fact = facts->Content(path);
  if (fact == nullptr) {
    file.problem = absl::StrCat(path, ": not read");
    return file;
  }
  if (fact->missing()) {
    file.state = ContextFile::State::kMissing;
    return file;
  }
  if (!fact->problem().empty()) {
    file.problem = absl::StrCat(path, ": ", fact->problem());
  } else if (fact->cut()) {
    file.problem = absl::StrCat(path, ": too large to be read whole");
  } else if (fact->unsteady()) {
    file.problem = absl::StrCat(path, ": changed while it was read");
  } else {
    file.state = ContextFile::State::kRead;
    file.text = fact->content();
    file.changed_unix_ns = fact->changed_unix_ns();
  }
  return file;
}

Dotenv::Dotenv(absl::string_view text) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (absl::ConsumePrefix(&line, "export ")) line = absl::StripLeadingAsciiWhitespace(line);
    const size_t equals = line.find('=');
    if (line.empty() || line[0] == '#' || equals == absl::string_view::npos) continue;
    const absl::string_view name = absl::StripTrailingAsciiWhitespace(line.substr(0, equals));
    absl::string_view value = absl::StripLeadingAsciiWhitespace(line.substr(equals + 1));
    if (!value.empty() && (value[0] == '"' || value[0] == '\'')) {
      const size_t end = value.find(value[0], 1);
      value = value.substr(1, end == absl::string_view::npos ? end : end - 1);
    } else {
      value = absl::StripTrailingAsciiWhitespace(value.substr(0, value.find(" #")));
    }
    values_.emplace_back(name, value);
  }
}

std::string Dotenv::Find(absl::string_view name) const {
  for (auto it = values_.rbegin(); it != values_.rend(); ++it) {
    if (it->first == name) return it->second;
  }
  return "";
}

const YamlNode* Entry(const YamlNode& map, absl::string_view key) {
  for (const YamlEntry& entry : map.entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

std::string TextAt(const YamlNode& map, absl::string_view key) {
  const YamlNode* node = Entry(map, key);
  return node == nullptr ? "" : node->text;
}

std::string TextAt(const JsonValue& object, absl::string_view key) {
  const JsonValue* value = object.Find(key);
  return value == nullptr || value->kind == JsonValue::Kind::kNull ? "" : value->text;
}

bool IsTestName(absl::string_view name) {
  static const re2::RE2 kTest(
      "(?i)([a-z0-9]+[_-])*(test|tests|testing|dev|devel|develop|development|tmp|temp|scratch|sandbox|ci)(db)?"
      "([_-][a-z0-9]+)*[0-9]*");
  static const re2::RE2 kReal("(?i)prod|live|master|main");
  const std::string text(name);
  return text.size() <= 256 && re2::RE2::FullMatch(text, kTest) && !re2::RE2::PartialMatch(text, kReal);
}

Served WhoServes(const v1::ListenerWanted& wanted, absl::Span<const absl::string_view> programs, FactBook* facts,
                 std::vector<v1::Evidence>* evidence) {
  const v1::ListenerFact* fact = facts->Listener(wanted);
  if (fact == nullptr || !fact->looked() || !fact->problem().empty()) return {};
  if (wanted.unix_socket().empty() && !fact->local()) return {Who::kRemote, ""};
  if (!fact->listens()) return {Who::kNobody, ""};
  const bool behind = !fact->behind().empty();
  const std::string& path = behind ? fact->behind() : fact->executable();
  Served served{path.empty() ? Who::kUnseen : Who::kOther, std::string(BaseName(path))};
  const bool named = std::find(programs.begin(), programs.end(), served.program) != programs.end();
  if (named && (behind || fact->only_root_writes())) served.who = Who::kServer;
  evidence->push_back(MakeEvidence(absl::StrCat("listener of ", Place(wanted)), path, kKernel, fact->started_unix_ns()));
  return served;
}

Served WhoServes(absl::string_view host, uint32_t port, absl::Span<const absl::string_view> programs, FactBook* facts,
                 std::vector<v1::Evidence>* evidence) {
  if (absl::StartsWith(host, "/")) {
    v1::ListenerWanted wanted;
    wanted.set_unix_socket(std::string(host));
    return WhoServes(wanted, programs, facts, evidence);
  }
  std::vector<std::string> addresses;
  if (host == "localhost") {
    addresses = {"127.0.0.1", "::1"};
  } else if (host == "0.0.0.0" || host == "::") {
    addresses = {host == "::" ? "::1" : "127.0.0.1"};
  } else if (IsLoopback(host)) {
    addresses = {std::string(host)};
  } else {
    return {Who::kRemote, ""};
  }
  Served worst{Who::kNobody, ""};
  bool first = true;
  for (const std::string& address : addresses) {
    v1::ListenerWanted wanted;
    wanted.set_address(address);
    wanted.set_port(port);
    const Served served = WhoServes(wanted, programs, facts, evidence);
    if (served.who == Who::kNobody && addresses.size() > 1) continue;
    if (first || Rank(served.who) > Rank(worst.who)) worst = served;
    first = false;
  }
  return worst;
}

std::string DescribeServed(const Served& served) {
  switch (served.who) {
    case Who::kUnseen:
      return "who listens there was not seen";
    case Who::kNobody:
      return "nobody listens there";
    case Who::kServer:
      return absl::StrCat(served.program, " on this host");
    case Who::kOther:
      return absl::StrCat("what listens there is no such server but ", served.program, ", which may lead anywhere");
    case Who::kRemote:
      return "on another host";
  }
  return "";
}

}  // namespace holdpoint
