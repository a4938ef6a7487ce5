#include "agent/environment/tags.h"

#include <gtest/gtest.h>

#include "agent/environment/address.h"
#include "agent/environment/configured.h"
#include "agent/environment/load.h"

namespace holdpoint {
namespace {

const Configuration& Shop() {
  static const auto* const configuration = new Configuration(*LoadConfiguration("shop.yaml", R"(
sessions:
  default: development
  launch_default: staging
  workspaces:
    - {glob: "~/src/shop-*", environment: staging}
    - {glob: "/srv/live/**", environment: production}
  branches:
    - {glob: "release/*", environment: production}
destinations:
  - {hosts: ["*.railway.app"], environment: production}
  - {hosts: ["prodlike.staging.example"], environment: staging}
  - {cidr: ["10.0.0.0/8"], environment: staging}
  - {cidr: ["10.1.0.0/16"], ports: [5432], environment: production, refuse: always}
  - {cidr: ["10.1.0.0/16"], environment: development, refuse: never}
  - {cidr: ["2001:db8::/32"], environment: production}
credentials:
  - {name: account, environment: production, fingerprints: ["fp:0123456789abcdef"], files: ["~/.config/railway/*"]}
  - {name: stage, environment: staging, variables: [STAGE_TOKEN, SHARED], files: [".env.staging"]}
  - {name: shared, environment: production, variables: [SHARED]}
resources:
  - {type: volume, id: "3d2c42fb-*", environment: production, backups: on the same volume}
  - {type: volume, id: "*", environment: staging}
  - {type: path, id: "/srv/data", environment: production}
)"));
  return *configuration;
}

TEST(SessionTagTest, FlagThenStrictestThenDefault) {
  const auto tag = [](SessionFacts facts) {
    facts.home = "/home/u";
    const EnvironmentTag got = SessionTag(Shop(), facts);
    return got.environment + " by " + got.source;
  };
  EXPECT_EQ(tag({.workspace = "/home/u/x"}), "development by default");
  EXPECT_EQ(tag({.launched = true, .workspace = "/home/u/x"}), "staging by default of holdpoint run");
  EXPECT_EQ(tag({.workspace = "/home/u/src/shop-web"}), "staging by workspace ~/src/shop-*");
  EXPECT_EQ(tag({.workspace = "/home/v/src/shop-web"}), "development by default");
  EXPECT_EQ(tag({.workspace = "/home/u/src/shop-web", .branch = "release/7"}), "production by branch release/*");
  EXPECT_EQ(tag({.launch = "ci", .workspace = "/srv/live/a", .branch = "release/7"}), "ci by flag");
  EXPECT_EQ(tag({.workspace = "/home/u/x", .unattended = true}), "ci by unattended");
  EXPECT_EQ(tag({.workspace = "/home/u/src/shop-web", .unattended = true}), "staging by workspace ~/src/shop-*");
}

TEST(SessionTagTest, NestedSessionKeepsTheStricterEnvironment) {
  EXPECT_EQ(SessionTag(Shop(), {.workspace = "/x", .enclosing = "production"}).environment, "production");
  EXPECT_EQ(SessionTag(Shop(), {.launch = "development", .enclosing = "staging"}).environment, "staging");
  EXPECT_EQ(SessionTag(Shop(), {.launch = "production", .enclosing = "staging"}).environment, "production");
}

TEST(UnattendedTest, VariableHasToMeanYes) {
  EXPECT_TRUE(Unattended(Shop(), {"A=b", "CI=true"}));
  EXPECT_TRUE(Unattended(Shop(), {"GITHUB_ACTIONS=1"}));
  EXPECT_FALSE(Unattended(Shop(), {"CI=", "GITLAB_CI=false", "BUILDKITE=0", "CIX=1", "CI"}));
}

struct Where {
  Destination destination;
  const char* environment;
};

TEST(DestinationTagTest, Table) {
  const auto at = [](const char* host, uint32_t port = 443) { return Destination{.host = host, .port = port}; };
  for (const Where& c : {
           Where{at("backboard.railway.app"), "production"},
           Where{at("Backboard.RAILWAY.app."), "production"},
           Where{at("railway.app"), ""},
           Where{at("railway.app.example"), ""},
           Where{at("api-production.example"), "production"},
           Where{at("db.prod2.example"), "production"},
           Where{at("product.example"), ""},
           Where{at("deliver.example"), ""},
           Where{at("live.example"), "production"},
           Where{at("prodlike.staging.example"), "staging"},  // Named by its owner.
           Where{at("10.2.0.1"), "staging"},
           Where{at("10.1.0.1", 5432), "production"},
           Where{at("10.1.0.1", 80), "development"},
           Where{at("10.1.0.1", 0), "production"},
           Where{at("167837697", 5432), "production"},  // 10.1.0.1
           Where{at("0x0a.1.1", 5432), "production"},
           Where{at("[::ffff:10.1.0.1]", 5432), "production"},
           Where{at("[2001:db8::5]"), "production"},
           Where{at("2001:db9::5"), ""},
           Where{at("11.0.0.1"), ""},
           Where{at(""), ""},
           Where{{.host = "db.internal", .address = AddressFromText("10.1.0.9"), .port = 5432}, "production"},
           Where{{.host = "db-prod.internal", .address = AddressFromText("10.2.0.9"), .port = 5432}, "production"},
           Where{{.host = "", .address = AddressFromText("10.2.0.9"), .port = 5432}, "staging"},
       }) {
    EXPECT_EQ(DestinationTag(Shop(), c.destination).environment, c.environment)
        << c.destination.host << ":" << c.destination.port;
  }
}

TEST(DestinationTagTest, KernelsListHasTheSameOrder) {
  v1::Configured configured;
  FillConfigured(Shop(), {}, &configured);
  for (const char* host : {"10.1.0.1", "10.2.3.4", "10.255.0.0", "2001:db8::1", "9.9.9.9"}) {
    for (const uint32_t port : {1u, 80u, 5432u, 65535u}) {
      const std::string address = AddressFromText(host);
      std::string first;
      for (const v1::DestinationRange& range : configured.destinations()) {
        const AddressRange bytes{range.address(), range.prefix_length(), ""};
        if (first.empty() && RangeHolds(bytes, address) && range.port_low() <= port && port <= range.port_high()) {
          first = range.environment() + " " + range.refuse();
        }
      }
      const Destination destination{.address = address, .port = port};
      constexpr const char* kNames[] = {" crossing", " always", " never"};
      const EnvironmentTag tag = DestinationTag(Shop(), destination);
      EXPECT_EQ(first,
                tag.known() ? tag.environment + kNames[static_cast<int>(DestinationRefusal(Shop(), destination))] : "")
          << host << ":" << port;
    }
  }
}

TEST(CredentialTagTest, Table) {
  const auto tag = [](const CredentialUse& use) {
    const CredentialMatch match = CredentialTag(Shop(), use);
    return match.tag.environment + "/" + match.name;
  };
  EXPECT_EQ(tag({.fingerprint = "fp:0123456789abcdef"}), "production/account");
  EXPECT_EQ(tag({.fingerprint = "fp:0123456789abcdee"}), "/");
  EXPECT_EQ(tag({.variable = "STAGE_TOKEN"}), "staging/stage");
  EXPECT_EQ(tag({.variable = "SHARED"}), "production/shared");
  EXPECT_EQ(tag({.variable = "STAGE_TOKEN2"}), "/");
  EXPECT_EQ(tag({.file = "/home/u/.config/railway/config.json", .home = "/home/u"}), "production/account");
  EXPECT_EQ(tag({.file = "/home/u/p/.env.staging"}), "staging/stage");
  EXPECT_EQ(tag({.file = "/home/u/p/.env.production"}), "production/");
  EXPECT_EQ(tag({.file = "/home/u/prod/.env"}), "/");
  EXPECT_EQ(tag({.variable = "STAGE_TOKEN", .file = "/x/.env.live"}), "production/stage");
}

TEST(ResourceTagTest, StrictestWinsAndCarriesItsBackups) {
  const ResourceMatch volume = ResourceTag(Shop(), "volume", "3d2c42fb-0000");
  EXPECT_EQ(volume.tag.environment, "production");
  EXPECT_EQ(volume.backups, "on the same volume");
  EXPECT_EQ(ResourceTag(Shop(), "volume", "other").tag.environment, "staging");
  EXPECT_EQ(ResourceTag(Shop(), "volume", "prod-1").tag.environment, "staging") << "configured by its owner";
  EXPECT_EQ(ResourceTag(Shop(), "bucket", "prod-1").tag.environment, "production");
  EXPECT_EQ(ResourceTag(Shop(), "bucket", "x").tag.environment, "");
  EXPECT_EQ(ResourceTag(Shop(), "path", "/srv/data/a/b").tag.environment, "production");
  EXPECT_EQ(ResourceTag(Shop(), "path", "/home/u/prod/x").tag.environment, "") << "a path is full of words";
}

TEST(CombineTagsTest, TargetIsTheStrictestAndColumnsFollow) {
  const auto tag = [](const char* name) { return MakeTag(Shop(), name, "test"); };
  const auto combine = [&](const char* session, const char* destination, const char* credential, const char* resource,
                           bool local) {
    const ActTags tags = CombineTags(Shop(), tag(session), tag(destination), tag(credential), tag(resource), local);
    return tags.target.environment + (tags.crossing ? " crossing " : " ") +
           std::string(kColumnNames[static_cast<size_t>(tags.column)]);
  };
  EXPECT_EQ(combine("staging", "staging", "production", "", false), "production crossing protected");
  EXPECT_EQ(combine("staging", "staging", "", "", false), "staging ordinary");
  EXPECT_EQ(combine("staging", "staging", "development", "", false), "staging crossing unknown");
  EXPECT_EQ(combine("staging", "development", "", "", false), "development crossing unknown");
  EXPECT_EQ(combine("staging", "", "", "", false), " unknown");
  EXPECT_EQ(combine("staging", "", "", "", true), " local");
  EXPECT_EQ(combine("staging", "", "", "production", true), "production crossing protected");
  EXPECT_EQ(combine("production", "production", "", "", false), "production protected");
  EXPECT_EQ(combine("production", "", "", "", true), " protected");
  EXPECT_EQ(combine("", "staging", "", "", false), "staging crossing unknown");
}

TEST(AddressTest, FormsThatProgramsTake) {
  EXPECT_EQ(AddressFromText("127.1"), std::string("\x7f\0\0\x01", 4));
  EXPECT_EQ(AddressFromText("[::1]").size(), 16u);
  EXPECT_EQ(AddressFromText("fe80::1%eth0").size(), 16u);
  EXPECT_EQ(AddressFromText("db.example"), "");
  EXPECT_EQ(AddressFromText("dead.beef"), "");
  EXPECT_EQ(AddressFromText("10.0.0.1 x"), "");
  EXPECT_EQ(ParseRange("::ffff:10.1.0.0/112")->bytes, std::string("\x0a\x01\0\0", 4));
  EXPECT_EQ(ParseRange("::ffff:10.1.0.0/112")->prefix_length, 16u);
  EXPECT_EQ(ParseRange("0.0.0.0/0")->prefix_length, 0u);
  EXPECT_TRUE(RangeHolds(*ParseRange("0.0.0.0/0"), AddressFromText("1.2.3.4")));
  EXPECT_FALSE(RangeHolds(*ParseRange("0.0.0.0/0"), AddressFromText("::1")));
  EXPECT_TRUE(RangeHolds(*ParseRange("10.1.128.0/17"), AddressFromText("10.1.200.4")));
  EXPECT_FALSE(RangeHolds(*ParseRange("10.1.128.0/17"), AddressFromText("10.1.100.4")));
}

}  // namespace
}  // namespace holdpoint
