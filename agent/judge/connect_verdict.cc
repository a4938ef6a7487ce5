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

}  // namespace

v1::ConnectVerdict JudgeConnect(const Configuration& configuration, const std::string& policy_hash,
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
