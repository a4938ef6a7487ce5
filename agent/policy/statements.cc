#include "agent/policy/statements.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/policy/connection_text.h"
#include "agent/policy/host_evidence.h"
#include "agent/policy/input.h"
#include "agent/policy/paths.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxStatements = 512;
constexpr int kMaxFiles = 16;
constexpr char kCommandLine[] = "command line";
constexpr char kCut[] = "cut";  // the verb of what follows on the text that was read
constexpr char kStandardInput[] = "standard input";

// "b" of "tcp:b,1433" as sqlcmd writes it, of "user@b", of "b:5432".
Destination DestinationOf(absl::string_view host, absl::string_view port) {
  (void)(absl::ConsumePrefix(&host, "tcp:") || absl::ConsumePrefix(&host, "np:"));
  if (const size_t at = host.rfind('@'); at != absl::string_view::npos) host.remove_prefix(at + 1);
  if (const size_t comma = host.find(','); comma != absl::string_view::npos) {
    port = host.substr(comma + 1);
    host = host.substr(0, comma);
  }
  if (const size_t colon = host.find(':'); colon != absl::string_view::npos && host.find(':', colon + 1) == absl::string_view::npos) {
    port = host.substr(colon + 1);
    host = host.substr(0, colon);
  }
  Destination destination;
  destination.host = std::string(host);
  if (!absl::SimpleAtoi(port, &destination.port)) destination.port = 0;
  return destination;
}

std::string DatabaseOf(const ToolCall& call, const ExecAct& act) {
  const SqlSource& source = *call.tool->sql;
  std::string database;
  for (const std::string& option : source.database) {
    if (const std::string* value = call.Value(option)) database = *value;
  }
  const size_t place = static_cast<size_t>(source.database_operand);
  if (database.empty() && source.database_operand >= 0 && place < call.operands.size()) database = call.operands[place].value;
  if (IsConnectionText(database)) return ReadConnectionText(database).database;
  if (database.empty() && !source.database_variable.empty()) return Variable(act, source.database_variable);
  return database;
}

class Statements {
 public:
  Statements(const ToolCall& call, const ExecAct& act, FactBook* facts)
      : source_(*call.tool->sql), call_(call), act_(act), facts_(facts), database_(DatabaseOf(call, act)) {}

  std::vector<StatementView> Read() {
    for (const std::string& option : source_.idle) {
      if (call_.Has(option)) return {};
    }
    const bool other = !call_.operands.empty() && call_.tool->known.count(call_.operands[0].value) != 0;
    if (other) return {};  // a sub-command that runs no SQL
    bool any = false;
    // In the order of the command line: what one says holds for the next.
    for (const ParsedOption& option : call_.options) {
      const auto is_in = [&](const std::vector<std::string>& names) {
        return std::find(names.begin(), names.end(), option.name) != names.end();
      };
      if (is_in(source_.options)) {
        Text(option.value.value_or(""), kCommandLine);
        any = true;
      } else if (is_in(source_.files)) {
        File(option.value.value_or("-"));
        any = true;
      }
    }
    if (source_.operands >= 0) {
      for (size_t i = static_cast<size_t>(source_.operands); i < call_.operands.size(); ++i) {
        Text(call_.operands[i].value, kCommandLine);
        any = true;
      }
    }
    if (source_.input && (!any || source_.input_always)) Input();
    return std::move(views_);
  }

 private:
  void Unseen(std::string note, const std::string& where, bool cut) {
    Add({.verb = cut ? kCut : "", .effect = SqlEffect::kUnseen, .kind = "", .name = "", .note = std::move(note)}, where);
  }

  void Add(SqlStatement statement, const std::string& where) {
    if (views_.size() >= kMaxStatements) return;
    if (views_.size() + 1 == kMaxStatements) {
      statement = {.verb = kCut, .effect = SqlEffect::kUnseen, .note = absl::StrCat("more than ", kMaxStatements, " statements")};
    }
    views_.push_back({std::move(statement), where, database_, elsewhere_});
  }

  void Text(const std::string& text, const std::string& where) {
    SqlScript script = ParseSql(text, {.dialect = source_.dialect, .client = true});
    for (SqlStatement& statement : script.statements) Add(std::move(statement), where);
    for (const SqlLead& lead : script.leads) {
      if (lead.kind == SqlLead::Kind::kFile) File(lead.text);
      // What follows is run there; what stood before is not known to have been.
      if (lead.kind == SqlLead::Kind::kDatabase) {
        Add({.verb = "connect", .effect = SqlEffect::kNone, .kind = "database", .name = lead.text}, where);
        database_.clear();
        elsewhere_ = true;
        for (StatementView& view : views_) {
          view.database.clear();
          view.elsewhere = true;
        }
      }
    }
  }

  void File(const std::string& name) {
    if (!files_.insert(name).second) return;
    if (files_.size() > kMaxFiles) return Unseen("more files than are looked at", name, /*cut=*/true);
    Take(ReadNamedText(act_, name, facts_), name == "-" ? kStandardInput : name);
  }

  void Input() {
    if (!files_.insert("-").second) return;
    Take(ReadInput(act_, facts_), kStandardInput);
  }

  void Take(const InputText& input, const std::string& where) {
    if (!input.expected) return;
    if (!input.text.empty()) Text(input.text, where);
    if (!input.whole) Unseen(input.unseen, where, input.cut);
  }

  const SqlSource& source_;
  const ToolCall& call_;
  const ExecAct& act_;
  FactBook* facts_;
  std::string database_;
  bool elsewhere_ = false;
  std::set<std::string> files_;
  std::vector<StatementView> views_;
};

}  // namespace

std::vector<StatementView> ReadStatements(const ToolCall& call, const ExecAct& act, FactBook* facts) {
  if (!call.tool->sql.has_value() || call.tool->sql->program) return {};
  return Statements(call, act, facts).Read();
}

std::vector<StatementView> StatementsOfProgram(const ToolCall& call, const ProgramOfAct& program) {
  std::vector<StatementView> views;
  for (const ProgramCall& each : program.calls) {
    const std::string* text = SqlOf(each);
    if (text == nullptr || views.size() >= kMaxStatements) continue;
    SqlScript script = ParseSql(*text, {.dialect = call.tool->sql->dialect, .client = false});
    for (SqlStatement& statement : script.statements) {
      // A text in a program may be one of many things: what is not known for a statement is none.
      if (statement.effect != SqlEffect::kUnseen) views.push_back({std::move(statement), program.source, "", true});
    }
  }
  return views;
}

// The servers that a connection text names; none where it is no such text.
bool AddServers(absl::string_view text, std::vector<Destination>* servers) {
  const ConnectionText read = ReadConnectionText(text);
  for (const ConnectionText::Host& host : read.hosts) {
    Destination destination;
    destination.host = host.name;
    destination.port = host.port != 0 ? host.port : read.port;
    servers->push_back(std::move(destination));
  }
  return !read.hosts.empty();
}

std::vector<Destination> ServersOfCall(const ToolCall& call, const ExecAct& act) {
  std::vector<Destination> servers;
  if (!act.remote_host.empty()) servers.push_back(DestinationOf(act.remote_host, ""));
  if (call.tool == nullptr || !call.tool->server.has_value()) return servers;
  const ServerSource& source = *call.tool->server;
  std::string port;
  for (const std::string& option : source.ports) {
    if (const std::string* value = call.Value(option)) port = *value;
  }
  for (const ParsedOption& option : call.options) {
    if (!option.value.has_value()) continue;
    const bool names = std::find(source.options.begin(), source.options.end(), option.name) != source.options.end();
    if (!AddServers(*option.value, &servers) && names) servers.push_back(DestinationOf(*option.value, port));
  }
  for (const ParsedOperand& operand : call.operands) {
    AddServers(operand.value, &servers);
  }
  if (source.operand >= 0 && static_cast<size_t>(source.operand) < call.operands.size()) {
    servers.push_back(DestinationOf(call.operands[static_cast<size_t>(source.operand)].value, port));
  }
  // The environment counts where the command line says nothing.
  for (size_t i = 0; servers.empty() && i < source.environment.size(); ++i) {
    const std::string value = Variable(act, source.environment[i]);
    if (!AddServers(value, &servers) && !value.empty() && !absl::StrContains(value, "=")) {
      servers.push_back(DestinationOf(value, ""));
    }
  }
  return servers;
}

}  // namespace holdpoint
