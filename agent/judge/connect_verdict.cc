#include "agent/judge/connect_verdict.h"

#include <arpa/inet.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "agent/environment/tags.h"
#include "agent/policy/act.h"

namespace holdpoint {
namespace {

std::string AddressText(const std::string& bytes) {
  char text[INET6_ADDRSTRLEN] = "";
  if (bytes.size() == 4 || bytes.size() == 16) {
    inet_ntop(bytes.size() == 4 ? AF_INET : AF_INET6, bytes.data(), text, sizeof(text));
  }
  return text;
}

// What a Sigma rule looks for is recorded under that rule; nothing is stopped by it.
void NoteSigma(const Configuration& configuration, const Policy& policy, const v1::ConsultConnect& consult,
               v1::Judgement* judgement) {
  const SigmaEvent event = {{"Image", consult.process().executable()},
                            {"DestinationIp", AddressText(consult.address())},
                            {"DestinationPort", absl::StrCat(consult.port())},
                            {"Protocol", consult.protocol()},
                            {"Initiated", "true"}};
  for (const Rule* rule : policy.SigmaRules(SigmaRule::Category::kConnection)) {
    const auto configured = configuration.policy.rules.find(rule->id);
    const RuleMode mode = configured == configuration.policy.rules.end() ? rule->mode : configured->second;
    if (mode == RuleMode::kOff || !rule->sigma->Matches(event)) continue;
    judgement->set_rule(rule->id);
    judgement->set_effect(rule->effect);
    judgement->set_reason(rule->why);
    judgement->set_verdict(v1::VERDICT_AUDIT);
    for (const std::string& technique : rule->techniques) judgement->add_techniques(technique);
    return;
  }
}

}  // namespace

v1::ConnectVerdict JudgeConnect(const Configuration& configuration, const Policy& policy, const std::string& policy_hash,
                                const v1::ConsultConnect& consult) {
  const Destination destination{.host = "", .address = consult.address(), .port = consult.port()};
  const EnvironmentTag tag = DestinationTag(configuration, destination);
  const EnvironmentTag session =
      MakeTag(configuration, consult.session().environment(), consult.session().environment_source());
  const ActTags tags = CombineTags(configuration, session, tag, EnvironmentTag{}, EnvironmentTag{}, false);
  const ConnectRefusal refusal = DestinationRefusal(configuration, destination);
  const bool crossing = tag.known() && tag.environment != session.environment;
  const std::string where = absl::StrCat(AddressText(consult.address()), " port ", consult.port());

  v1::ConnectVerdict verdict;
  v1::Judgement& judgement = *verdict.mutable_judgement();
  *judgement.mutable_tags() = ToProto(tags);
  judgement.mutable_resource()->set_type("address");
  judgement.mutable_resource()->set_id(where);
  judgement.set_summary(absl::StrCat("connect ", where));
  judgement.set_policy_hash(policy_hash);
  if (refusal == ConnectRefusal::kAlways || (refusal == ConnectRefusal::kCrossing && crossing && tag.is_protected)) {
    judgement.set_verdict(v1::VERDICT_REFUSE);
    judgement.set_rule(refusal == ConnectRefusal::kAlways ? "destination.refused" : "destination.crossing");
    judgement.set_effect(v1::EFFECT_UNSEEN);
    judgement.set_reason(absl::StrCat("connects to a destination tagged ", tag.environment, ", this session is ",
                                      session.known() ? session.environment : "of no known environment"));
  } else {
    judgement.set_rule("default");
    judgement.set_effect(v1::EFFECT_READ);
    const v1::Verdict cell = configuration.policy.Cell(Row::kRead, tags.column);
    judgement.set_verdict(std::min(cell, v1::VERDICT_AUDIT));  // What passes here has passed in the kernel.
    NoteSigma(configuration, policy, consult, &judgement);
  }
  if (const EnvironmentConfig* environment = configuration.Find(session.environment)) {
    judgement.set_observed_only(environment->mode == Mode::kObserve);
  }
  ActIdentity identity;
  identity.kind = "connect";
  identity.resource_type = judgement.resource().type();
  identity.resource_id = where;
  identity.tags = judgement.tags();
  const Sha256Digest digest = ActDigest(identity);
  judgement.set_act_digest(std::string(digest.begin(), digest.end()));
  if (judgement.verdict() == v1::VERDICT_REFUSE) judgement.set_target_digest(judgement.act_digest());
  return verdict;
}

}  // namespace holdpoint
