// Databases: where a client's connection leads, and whether that is a server on this host. A tunnel, a port-forward and
// a proxy listen on loopback too, and lead anywhere.
#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/policy/database_target.h"
#include "agent/policy/evidence.h"
#include "agent/policy/host_evidence.h"
#include "agent/policy/statements.h"

namespace holdpoint {
namespace {

using Place = Assessment::Place;

// Roles, logs and the like belong to the whole server.
bool IsOfServer(absl::string_view kind) {
  static constexpr absl::string_view kKinds[] = {"role",   "user", "owned",  "tablespace", "subscription", "replication slot",
                                                 "large object", "file", "server", "binary logs"};
  return std::find(std::begin(kKinds), std::end(kKinds), kind) != std::end(kKinds);
}

// The database that loses something; nothing where that can't be told, or where others lose something too.
std::optional<std::string> LosingDatabase(const DatabaseTarget& target, const StatementView* view) {
  if (view == nullptr) return target.database;
  const SqlStatement& statement = view->statement;
  if (view->elsewhere || IsOfServer(statement.kind)) return std::nullopt;
  const bool qualified = target.engine == "mysql" || target.engine == "clickhouse";  // by the database: "shop.orders"
  const bool whole = statement.kind == "database" || statement.kind == "keyspace" || (qualified && statement.kind == "schema");
  const size_t dot = statement.name.find('.');
  if (whole) return statement.name;
  return qualified && dot != std::string::npos ? statement.name.substr(0, dot) : target.database;
}

// A name, or an owner, says that it is there to be thrown away. A server of Redis has no names.
bool IsDisposable(const DatabaseTarget& target, const std::string& name, const AssessmentInput& input) {
  if (IsTestName(name) || (target.engine == "redis" && name.empty())) return true;
  if (input.configuration == nullptr) return false;
  const ResourceMatch match = ResourceTag(*input.configuration, "database", name);
  return match.tag.known() && !match.tag.is_protected;
}

// Of several places that it may lead to, the one where a server is: `target` names only that then.
Served WhoServesIt(DatabaseTarget* target, FactBook* facts, std::vector<v1::Evidence>* evidence) {
  Served found{Served::Who::kNobody, ""};
  std::string at;
  for (const std::string& host : target->hosts) {
    const Served served = WhoServes(host, target->port, ServersOf(target->engine), facts, evidence);
    if (served.who == Served::Who::kNobody && target->hosts.size() > 1) continue;
    if (served.who != Served::Who::kServer) return served;
    found = served;
    if (at.empty()) at = host;
  }
  if (!at.empty()) target->hosts = {at};
  return found;
}

Assessment Make(Place place, std::string because) {
  return Assessment{
      .recoverability = v1::RECOVERABILITY_IRREVERSIBLE, .place = place, .because = std::move(because)};
}

// Everything but how much would be lost.
Assessment Locate(DatabaseTarget target, const std::string& database, const AssessmentInput& input, Served* served) {
  Assessment assessment;
  assessment.evidence = target.evidence;
  if (!target.secret.empty()) assessment.secrets.push_back(target.secret);
  if (!target.problem.empty()) {
    assessment = Make(Place::kUnknown, absl::StrCat("which database this is was not seen: ", target.problem));
    assessment.blind_spot = absl::StrCat("database unseen: ", target.problem);
    return assessment;
  }
  *served = WhoServesIt(&target, input.facts, &assessment.evidence);
  target.database = database;
  assessment.because = DescribeServed(*served);
  assessment.resource = NameOf(target);
  if (served->who == Served::Who::kUnseen) assessment.blind_spot = "listener unseen";
  if (served->who == Served::Who::kRemote) {
    for (const std::string& host : target.hosts) {
      assessment.leads_to.push_back(Destination{.host = host, .address = "", .port = target.port});
    }
  }
  return assessment;
}

}  // namespace

Assessment AssessDatabase(absl::string_view, const AssessmentInput& input) {
  const DatabaseTarget target = TargetOfClient(input);
  const std::optional<std::string> losing = LosingDatabase(target, input.statement);
  Served served;
  Assessment assessment = Locate(target, losing.value_or(target.database), input, &served);
  if (served.who == Served::Who::kServer) {
    const bool disposable = losing.has_value() && IsDisposable(target, *losing, input);
    assessment.place = disposable ? Place::kLocal : Place::kOrdinary;
    absl::StrAppend(&assessment.because, disposable ? "" : ", and nothing says that it is for tests");
  }
  if (served.who == Served::Who::kNobody) {
    assessment.place = Place::kUnknown;
    assessment.because = "nobody listens there by now";
  }
  return assessment;
}

Assessment AssessProjectDatabase(const AssessmentInput& input) {
  const DatabaseTarget target = TargetOfProject(input);
  Served served;
  if (target.engine == "sqlite" && target.problem.empty()) {
    Assessment assessment = Make(Place::kOrdinary, "a file of this project");
    assessment.evidence = target.evidence;
    assessment.resource = NameOf(target);
    return assessment;
  }
  Assessment assessment = Locate(target, target.database, input, &served);
  // Development data that somebody made by hand is lost for good on this host as anywhere else.
  if (served.who == Served::Who::kServer) assessment.place = Place::kOrdinary;
  return assessment;
}

}  // namespace holdpoint
