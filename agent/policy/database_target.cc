#include "agent/policy/database_target.h"

#include <array>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/parse/uri.h"
#include "agent/policy/connection_text.h"
#include "agent/policy/host_evidence.h"
#include "agent/policy/paths.h"

namespace holdpoint {
namespace {

struct Engine {
  absl::string_view scheme, name;
  uint32_t port;
};
constexpr std::array<Engine, 15> kEngines = {{{"postgres", "postgres", 5432},
                                              {"postgresql", "postgres", 5432},
                                              {"cockroachdb", "postgres", 26257},
                                              {"pgsql", "postgres", 5432},
                                              {"postgis", "postgres", 5432},
                                              {"mysql", "mysql", 3306},
                                              {"mysql2", "mysql", 3306},
                                              {"mariadb", "mysql", 3306},
                                              {"redis", "redis", 6379},
                                              {"rediss", "redis", 6379},
                                              {"valkey", "redis", 6379},
                                              {"mongodb", "mongodb", 27017},
                                              {"clickhouse", "clickhouse", 9000},
                                              {"sqlserver", "sqlserver", 1433},
                                              {"cassandra", "cassandra", 9042}}};

const Engine* FindEngine(absl::string_view scheme) {
  for (const Engine& engine : kEngines) {
    if (engine.scheme == scheme) return &engine;
  }
  return nullptr;
}

DatabaseTarget Unknown(std::string problem) {
  DatabaseTarget target;
  target.problem = std::move(problem);
  return target;
}

uint32_t PortOf(absl::string_view text, uint32_t otherwise) {
  uint32_t port = 0;
  return absl::SimpleAtoi(text, &port) && port > 0 && port <= 65535 ? port : otherwise;
}

// A text that names no engine is libpq's.
DatabaseTarget TargetOf(ConnectionText text, absl::string_view engine) {
  DatabaseTarget target;
  target.engine = std::string(engine);
  for (ConnectionText::Host& host : text.hosts) target.hosts.push_back(std::move(host.name));
  target.port = text.port;
  target.database = std::move(text.database);
  target.secret = std::move(text.secret);
  target.problem = std::move(text.problem);
  return target;
}

void AddHosts(absl::string_view text, DatabaseTarget* target) {
  ConnectionText read = ReadHosts(text);
  for (ConnectionText::Host& host : read.hosts) target->hosts.push_back(std::move(host.name));
  if (read.port != 0) target->port = read.port;
  if (!read.problem.empty()) target->problem = std::move(read.problem);
}

std::string ValueOr(const ToolCall& call, absl::string_view option, std::string otherwise) {
  const std::string* value = call.Value(option);
  return value == nullptr ? std::move(otherwise) : *value;
}

// What a connection text leaves open is filled in from options and variables.
void FillPostgres(const AssessmentInput& input, DatabaseTarget* target) {
  const ExecAct& act = input.act;
  if (target->hosts.empty()) {
    std::string host = Variable(act, "PGHOSTADDR");
    if (host.empty()) host = ValueOr(input.call, "host", Variable(act, "PGHOST"));
    if (const std::string* given = input.call.Value("host"); given != nullptr) host = *given;
    AddHosts(host, target);
  }
  if (target->port == 0) target->port = PortOf(ValueOr(input.call, "port", Variable(act, "PGPORT")), 5432);
  if (target->secret.empty()) target->secret = Variable(act, "PGPASSWORD");
  if (!Variable(act, "PGSERVICE").empty()) target->problem = "a service of libpq";
  // A host that is a folder holds the socket; none at all is the folder that libpq was built with.
  std::vector<std::string> folders;
  for (std::string& host : target->hosts) {
    if (absl::StartsWith(host, "/")) host = absl::StrCat(CleanPath(host), "/.s.PGSQL.", target->port);
  }
  if (target->hosts.empty()) {
    target->hosts = {absl::StrCat("/var/run/postgresql/.s.PGSQL.", target->port),
                     absl::StrCat("/tmp/.s.PGSQL.", target->port)};
  }
}

DatabaseTarget OfPostgres(const AssessmentInput& input) {
  const ToolCall& call = input.call;
  const bool drops = call.tool->names[0] == "dropdb";
  std::string database = ValueOr(call, drops ? "maintenance-db" : "database", "");
  if (!drops && database.empty() && !call.operands.empty()) database = call.operands[0].value;
  DatabaseTarget target;
  target.engine = "postgres";
  if (IsConnectionText(database)) {
    target = TargetOfUrl(database);
    if (target.engine != "postgres" && target.problem.empty()) target.problem = "a connection that was not understood";
  } else {
    target.database = database.empty() ? Variable(input.act, "PGDATABASE") : database;
  }
  if (drops) target.database = call.operands.empty() ? "" : call.operands[0].value;
  FillPostgres(input, &target);
  return target;
}

// A client that reads ~/.my.cnf may be led elsewhere by it.
void AskMyCnf(const AssessmentInput& input, DatabaseTarget* target) {
  for (const absl::string_view option : {"defaults-file", "defaults-extra-file", "login-path", "defaults-group-suffix"}) {
    if (input.call.Has(option)) target->problem = absl::StrCat("--", option);
  }
  if (input.act.home.empty() || !target->problem.empty()) return;
  const ContextFile file = ReadContextFile(CleanPath(absl::StrCat(input.act.home, "/.my.cnf")), input.facts);
  if (file.missing()) return;
  if (!file.read()) {
    target->problem = file.problem;
    return;
  }
  for (absl::string_view line : absl::StrSplit(file.text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    const absl::string_view name = absl::StripTrailingAsciiWhitespace(line.substr(0, line.find('=')));
    if (name == "host" || name == "port" || name == "socket" || absl::StartsWith(line, "!include")) {
      target->problem = absl::StrCat(file.path, " says where it leads");
    }
  }
}

DatabaseTarget OfMysql(const AssessmentInput& input) {
  const ToolCall& call = input.call;
  DatabaseTarget target;
  target.engine = "mysql";
  target.port = PortOf(ValueOr(call, "port", Variable(input.act, "MYSQL_TCP_PORT")), 3306);
  const bool admin = call.tool->names[0] == "mysqladmin";
  target.database = ValueOr(call, "database", "");
  if (admin && call.operands.size() >= 2) target.database = call.operands.back().value;
  if (!admin && target.database.empty() && !call.operands.empty()) target.database = call.operands[0].value;
  target.secret = ValueOr(call, "password", Variable(input.act, "MYSQL_PWD"));
  const std::string host = ValueOr(call, "host", Variable(input.act, "MYSQL_HOST"));
  const std::string socket = ValueOr(call, "socket", Variable(input.act, "MYSQL_UNIX_PORT"));
  if (host.empty() || (host == "localhost" && ValueOr(call, "protocol", "") != "tcp")) {
    target.hosts = !socket.empty() ? std::vector<std::string>{AbsolutePath(input.act, socket)}
                                   : std::vector<std::string>{"/run/mysqld/mysqld.sock", "/var/run/mysqld/mysqld.sock"};
  } else {
    target.hosts = {NormalizeHost(host)};
  }
  AskMyCnf(input, &target);
  return target;
}

DatabaseTarget OfRedis(const AssessmentInput& input) {
  if (const std::string* url = input.call.Value("u"); url != nullptr) return TargetOfUrl(*url);
  DatabaseTarget target;
  target.engine = "redis";
  target.port = PortOf(ValueOr(input.call, "p", ""), 6379);
  target.hosts = {NormalizeHost(ValueOr(input.call, "h", "127.0.0.1"))};
  if (const std::string* socket = input.call.Value("s"); socket != nullptr) {
    target.hosts = {AbsolutePath(input.act, *socket)};
  }
  target.secret = ValueOr(input.call, "a", Variable(input.act, "REDISCLI_AUTH"));
  return target;
}

DatabaseTarget OfMongo(const AssessmentInput& input) {
  const std::string word = input.call.operands.empty() ? "" : input.call.operands[0].value;
  if (absl::StrContains(word, "://")) return TargetOfUrl(word);
  DatabaseTarget target;
  target.engine = "mongodb";
  target.port = 27017;
  // "db", "host/db", "host:port/db".
  const size_t slash = word.find('/');
  const std::string host = slash == std::string::npos ? ValueOr(input.call, "host", "127.0.0.1") : word.substr(0, slash);
  if (absl::StrContains(host, "://")) return TargetOfUrl(host);
  AddHosts(host, &target);
  if (target.port == 0) target.port = 27017;
  target.port = PortOf(ValueOr(input.call, "port", ""), target.port);
  target.database = slash == std::string::npos ? word : word.substr(slash + 1);
  return target;
}

DatabaseTarget OfClickhouse(const AssessmentInput& input) {
  if (!Variable(input.act, "CLICKHOUSE_HOST").empty() || input.call.Has("connection") || input.call.Has("config-file")) {
    return Unknown("a configured connection");
  }
  DatabaseTarget target;
  target.engine = "clickhouse";
  target.port = PortOf(ValueOr(input.call, "port", ""), input.call.Has("secure") ? 9440 : 9000);
  target.hosts = {NormalizeHost(ValueOr(input.call, "host", "localhost"))};
  target.database = ValueOr(input.call, "database", "default");
  return target;
}

DatabaseTarget OfText(absl::string_view url, const v1::Evidence& evidence) {
  DatabaseTarget target = TargetOfUrl(url);
  target.evidence.push_back(evidence);
  return target;
}

// DATABASE_URL of a file; nothing where it is not there or does not name one.
std::optional<DatabaseTarget> OfFile(const std::string& path, absl::string_view variable, FactBook* facts) {
  const ContextFile file = ReadContextFile(path, facts);
  if (file.missing()) return std::nullopt;
  if (!file.read()) return Unknown(file.problem);
  const std::string url = Dotenv(file.text).Find(variable);
  if (url.empty()) return std::nullopt;
  return OfText(url, MakeEvidence(variable, NameOf(TargetOfUrl(url)), path, file.changed_unix_ns));
}

}  // namespace

DatabaseTarget TargetOfUrl(absl::string_view url) {
  absl::ConsumePrefix(&url, "jdbc:");
  const size_t scheme_end = url.find(':');
  const std::string first = absl::AsciiStrToLower(url.substr(0, scheme_end));
  if (first == "file" || first == "sqlite" || absl::StartsWith(first, "sqlite+")) {
    DatabaseTarget target;
    target.engine = "sqlite";
    target.database = std::string(absl::StripPrefix(url.substr(scheme_end + 1), "//"));
    return target;
  }
  ConnectionText text = ReadConnectionText(url);
  if (text.scheme.empty()) {
    if (text.hosts.empty() && !text.problem.empty()) return Unknown(std::move(text.problem));
    return TargetOf(std::move(text), "postgres");
  }
  if (text.scheme == "mongodb+srv") return Unknown("names of DNS lead to its servers");
  const Engine* engine = FindEngine(absl::string_view(text.scheme).substr(0, text.scheme.find('+')));
  if (engine == nullptr) return Unknown("a connection that was not understood");
  DatabaseTarget target = TargetOf(std::move(text), engine->name);
  if (target.port == 0) target.port = engine->port;
  return target;
}

DatabaseTarget TargetOfClient(const AssessmentInput& input) {
  if (input.act.environment_cut) return Unknown("the environment was not seen whole");
  const std::string tool = NameOfTool(input.call);
  if (tool == "psql" || tool == "dropdb" || tool == "pg_restore") return OfPostgres(input);
  if (tool == "mysql" || tool == "mysqladmin") return OfMysql(input);
  if (tool == "redis-cli") return OfRedis(input);
  if (tool == "mongosh") return OfMongo(input);
  if (tool == "clickhouse-client") return OfClickhouse(input);
  return Unknown("a client whose connection is not looked up");
}

DatabaseTarget TargetOfProject(const AssessmentInput& input) {
  for (const absl::string_view option : {"url", "database-url", "database", "to-url"}) {
    const std::string* url = input.call.Value(option);
    if (url != nullptr && IsConnectionText(*url)) {
      return OfText(*url, MakeEvidence(absl::StrCat("--", option), NameOf(TargetOfUrl(*url)), "argv"));
    }
  }
  if (input.act.environment_cut) return Unknown("the environment was not seen whole");
  if (const std::string url = Variable(input.act, "DATABASE_URL"); !url.empty()) {
    return OfText(url, MakeEvidence("DATABASE_URL", NameOf(TargetOfUrl(url)), "environment"));
  }
  std::vector<std::string> folders = {CleanPath(input.act.cwd)};
  if (NameOfTool(input.call) == "prisma") {
    const std::string* schema = input.call.Value("schema");
    folders.push_back(schema == nullptr ? absl::StrCat(folders[0], "/prisma")
                                        : std::string(ParentPath(CleanPath(AbsolutePath(input.act, *schema)))));
  }
  for (const std::string& folder : folders) {
    for (const absl::string_view name : {"/.env.local", "/.env"}) {
      if (name == "/.env.local" && NameOfTool(input.call) == "prisma") continue;
      std::optional<DatabaseTarget> target = OfFile(absl::StrCat(folder, name), "DATABASE_URL", input.facts);
      if (target.has_value()) return *std::move(target);
    }
  }
  return Unknown("no DATABASE_URL in the environment or an .env file");
}

std::string NameOf(const DatabaseTarget& target) {
  if (target.engine.empty()) return "";
  if (target.engine == "sqlite") return absl::StrCat("sqlite ", target.database);
  std::string at = absl::StrJoin(target.hosts, ",");
  if (!at.empty() && at[0] != '/') absl::StrAppend(&at, ":", target.port);
  return absl::StrCat(target.engine, " ", at, target.database.empty() ? "" : "/", target.database);
}

absl::Span<const absl::string_view> ServersOf(absl::string_view engine) {
  static constexpr std::array<absl::string_view, 3> kPostgres = {"postgres", "postmaster", "cockroach"};
  static constexpr std::array<absl::string_view, 2> kMysql = {"mysqld", "mariadbd"};
  // Distributions link the server and its checking tool to one file.
  static constexpr std::array<absl::string_view, 5> kRedis = {"redis-server", "redis-check-rdb", "valkey-server",
                                                              "valkey-check-rdb", "keydb-server"};
  static constexpr std::array<absl::string_view, 1> kMongo = {"mongod"};
  static constexpr std::array<absl::string_view, 2> kClickhouse = {"clickhouse", "clickhouse-server"};
  if (engine == "postgres") return kPostgres;
  if (engine == "mysql") return kMysql;
  if (engine == "redis") return kRedis;
  if (engine == "mongodb") return kMongo;
  if (engine == "clickhouse") return kClickhouse;
  return {};
}

}  // namespace holdpoint
