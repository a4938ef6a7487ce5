#include "agent/suggest/sightings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_split.h"
#include "agent/environment/load.h"
#include "agent/suggest/words.h"

namespace holdpoint {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> Named(const std::string& command) {
  const std::vector<std::string> argv = absl::StrSplit(command, ' ');
  std::vector<std::string> names;
  for (const NamedThing& thing : ThingsNamed("/usr/bin/" + argv[0], argv, "/srv/shop")) {
    names.push_back((thing.type.empty() ? "" : thing.type + " ") + thing.name);
  }
  return names;
}

TEST(WordsTest, NamesWhatACommandLineShows) {
  EXPECT_THAT(Named("curl -X POST https://u:p@API.Example.com:8443/x?y=1"), ElementsAre("api.example.com"));
  EXPECT_THAT(Named("psql postgres://db.example.com/shop"), ElementsAre("db.example.com"));
  EXPECT_THAT(Named("psql -h db1 -U x shop"), ElementsAre("db1"));
  EXPECT_THAT(Named("mysql --host=db2 shop"), ElementsAre("db2"));
  EXPECT_THAT(Named("ssh -p 22 dana@box.example.com uptime"), ElementsAre("box.example.com"));
  EXPECT_THAT(Named("scp a dana@box:/tmp"), ElementsAre("box"));
  EXPECT_THAT(Named("kubectl --context prod-eu get pods"), ElementsAre("kube-context prod-eu"));
  EXPECT_THAT(Named("kubectl --kubeconfig=k.yaml get pods"), ElementsAre("/srv/shop/k.yaml"));
  EXPECT_THAT(Named("aws s3 ls --profile live"), ElementsAre("aws-profile live"));
  EXPECT_THAT(Named("docker compose -f prod.yml down"), ElementsAre("compose-file /srv/shop/prod.yml"));
}

TEST(WordsTest, WhatIsNoNameIsLeftOut) {
  EXPECT_THAT(Named("psql -h <redacted shop"), IsEmpty());
  EXPECT_THAT(Named("curl file:///etc/passwd"), IsEmpty());
  EXPECT_THAT(Named("kubectl --context *prod* get"), IsEmpty());
  EXPECT_THAT(Named("kubectl --context \"x\": get"), IsEmpty());
  EXPECT_THAT(Named("docker run -f x"), IsEmpty());
  EXPECT_THAT(ThingsNamed("sh", {"sh", "-c", "curl http://a.example.com/"}, ""), IsEmpty());
  EXPECT_THAT(Named("rm -h db1"), IsEmpty());
  EXPECT_THAT(Named("curl http://exa\nmple/"), IsEmpty());
}

class SightingsTest : public testing::Test {
 protected:
  static v1::Envelope Exec(const std::string& command, const std::string& environment,
                           v1::Verdict verdict = v1::VERDICT_AUDIT) {
    v1::Envelope event;
    event.set_environment(environment);
    v1::Exec& exec = *event.mutable_exec();
    for (const absl::string_view word : absl::StrSplit(command, ' ')) exec.mutable_process()->add_argv(std::string(word));
    exec.mutable_process()->set_executable("/usr/bin/" + exec.process().argv(0));
    exec.mutable_judgement()->set_verdict(verdict);
    return event;
  }
  std::string Environment(const std::string& name) {
    for (const Proposal& proposal : sightings_.Proposals()) {
      if (proposal.name == name) return proposal.environment.empty() ? "left" : proposal.environment;
    }
    return "none";
  }
  Configuration configuration_ =
      *LoadConfiguration("c", "destinations: [{hosts: [known.example.com], environment: staging}]");
  Sightings sightings_{configuration_};
};

TEST_F(SightingsTest, OneEnvironmentIsProposedAndSeveralAreLeftToAPerson) {
  sightings_.Add(Exec("curl http://one.example.com/", "staging"));
  sightings_.Add(Exec("curl http://two.example.com/", "staging"));
  sightings_.Add(Exec("curl http://two.example.com/", "development"));
  sightings_.Add(Exec("curl http://none.example.com/", ""));
  sightings_.Add(Exec("curl http://some.example.com/", "staging"));
  sightings_.Add(Exec("curl http://some.example.com/", ""));
  EXPECT_EQ(Environment("one.example.com"), "staging");
  EXPECT_EQ(Environment("two.example.com"), "left");
  EXPECT_EQ(Environment("none.example.com"), "left");
  EXPECT_EQ(Environment("some.example.com"), "left");
}

TEST_F(SightingsTest, NothingIsProposedBelowWhatWasSeen) {
  sightings_.Add(Exec("curl http://a.example.com/", "development"));
  sightings_.Add(Exec("curl http://a.example.com/", "production"));
  sightings_.Add(Exec("curl http://db.prod.example.com/", "development"));
  sightings_.Add(Exec("curl -X DELETE http://b.example.com/", "development", v1::VERDICT_HOLD));
  v1::Envelope tagged = Exec("curl http://c.example.com/", "development");
  tagged.mutable_exec()->mutable_judgement()->mutable_tags()->mutable_target()->set_environment("production");
  sightings_.Add(tagged);
  for (const char* name : {"a.example.com", "db.prod.example.com", "b.example.com", "c.example.com"}) {
    EXPECT_EQ(Environment(name), "production") << name;
  }
}

TEST_F(SightingsTest, WhatIsTaggedLocalOrPublicIsNotProposed) {
  sightings_.Add(Exec("curl http://known.example.com/", "staging"));
  sightings_.Add(Exec("curl http://localhost/", "staging"));
  v1::Envelope event;
  event.set_environment("staging");
  event.mutable_rollup()->set_kind("connect");
  for (const char* subject : {"127.0.0.1:5432", "8.8.8.8:53", "nonsense", "10.1.2.3:nonsense"}) {
    event.mutable_rollup()->set_subject(subject);
    sightings_.Add(event);
  }
  EXPECT_THAT(sightings_.Proposals(), IsEmpty());
  event.mutable_rollup()->set_subject("10.1.2.3:5432");
  event.mutable_rollup()->set_count(7);
  sightings_.Add(event);
  ASSERT_EQ(sightings_.Proposals().size(), 1u);
  EXPECT_EQ(sightings_.Proposals()[0].port, 5432u);
  EXPECT_THAT(sightings_.Proposals()[0].why, HasSubstr("seen 7 times with staging"));
}

TEST_F(SightingsTest, ACredentialThatNobodyNamedIsProposedByItsFingerprint) {
  v1::Envelope event = Exec("curl x", "staging");
  v1::Credential* known = event.mutable_exec()->mutable_judgement()->add_credentials();
  known->set_fingerprint("fp:1111111111111111");
  known->set_tag_name("named");
  event.mutable_exec()->mutable_judgement()->add_credentials()->set_fingerprint("fp:2222222222222222");
  sightings_.Add(event);
  EXPECT_EQ(Environment("fp:2222222222222222"), "staging");
  EXPECT_EQ(Environment("fp:1111111111111111"), "none");
}

TEST(SightingsWithoutProtected, WhatLooksLikeProductionIsLeftToAPerson) {
  const Configuration plain = *LoadConfiguration("c", "environments: [{name: staging}]");
  Sightings sightings(plain);
  v1::Envelope event;
  event.set_environment("staging");
  event.mutable_exec()->mutable_process()->add_argv("curl");
  event.mutable_exec()->mutable_process()->add_argv("http://prod.example.com/");
  sightings.Add(event);
  ASSERT_EQ(sightings.Proposals().size(), 1u);
  EXPECT_EQ(sightings.Proposals()[0].environment, "");
}

}  // namespace
}  // namespace holdpoint
