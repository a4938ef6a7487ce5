// Databases: where a client's connection leads, and whether that is a server on this host. A tunnel, a port-forward and
// a proxy listen on loopback too, and lead anywhere.
#include <re2/re2.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/policy/database_target.h"
#include "agent/policy/evidence.h"
#include "agent/policy/host_evidence.h"

namespace holdpoint {
namespace {

using Place = Assessment::Place;

// The databases and schemas that SQL on the command line drops by name, and whether it loses anything else.
struct Dropped {
  std::vector<std::string> names;
  bool others = false;
};

Dropped DroppedBy(const ToolCall& call) {
  static const re2::RE2 kDatabase(R"((?i)\bdrop\s+database\s+(?:if\s+exists\s+)?["`]?([\w$-]+))");
  static const re2::RE2 kOther(R"((?i)\b(drop\s+(table|schema|user|role|owned|view|materialized)|truncate|delete\s+from|alter|update)\b)");
  Dropped dropped;
  for (const ParsedOption& option : call.options) {
    if (option.name != "sql" || !option.value.has_value()) continue;
    re2::StringPiece text = *option.value;
    std::string name;
    while (dropped.names.size() < 16 && re2::RE2::FindAndConsume(&text, kDatabase, &name)) dropped.names.push_back(name);
    dropped.others = dropped.others || re2::RE2::PartialMatch(*option.value, kOther);
  }
  return dropped;
}

// A name, or an owner, says that it is there to be thrown away. A server of Redis has no names.
bool IsDisposable(const DatabaseTarget& target, const Dropped& dropped, const AssessmentInput& input) {
  std::vector<std::string> names = dropped.names;
  if (names.empty() || dropped.others) names.push_back(target.database);
  const auto test = [&](const std::string& name) {
    if (IsTestName(name)) return true;
    if (input.configuration == nullptr) return false;
    const ResourceMatch match = ResourceTag(*input.configuration, "database", name);
    return match.tag.known() && !match.tag.is_protected;
  };
  return (target.engine == "redis" && names.size() == 1 && names[0].empty()) ||
         std::all_of(names.begin(), names.end(), test);
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
  const Dropped dropped = DroppedBy(input.call);
  const bool by_name = !dropped.names.empty() && !dropped.others;
  Served served;
  Assessment assessment = Locate(target, by_name ? dropped.names[0] : target.database, input, &served);
  if (served.who == Served::Who::kServer) {
    const bool disposable = IsDisposable(target, dropped, input);
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
