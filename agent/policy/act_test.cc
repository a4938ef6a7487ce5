#include "agent/policy/act.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "agent/environment/fingerprint.h"

namespace holdpoint {
namespace {

ActIdentity Example() {
  ActIdentity identity;
  identity.kind = "exec";
  identity.executable = "/usr/bin/curl";
  identity.executable_id = FileId{2049, 1234, 1700000000000000000};
  identity.argv = {"curl", "-d", "@q.json", "https://api.example.com/graphql"};
  identity.cwd = "/srv/shop";
  identity.contents = {{"/srv/shop/q.json", "00ff"}};
  identity.resource_type = "volume";
  identity.resource_id = "vol-1";
  identity.tags.mutable_session()->set_environment("staging");
  identity.tags.mutable_session()->set_source("flag");
  identity.tags.mutable_target()->set_environment("production");
  identity.tags.mutable_target()->set_protected_(true);
  identity.tags.set_crossing(true);
  return identity;
}

// A changed digest makes every open ticket and every signed decision worthless: then "holdpoint act v1" has to change.
TEST(ActDigestTest, TheEncodingIsFixed) {
  EXPECT_EQ(Hex(ActDigest(Example())), "d547d615ac52a41403837ff3f509a2d944553519de01e08673c7898fdda23d84");
}

TEST(ActDigestTest, EveryFieldCounts) {
  const std::vector<std::function<void(ActIdentity*)>> changes = {
      [](ActIdentity* i) { i->kind = "connect"; },
      [](ActIdentity* i) { i->executable = "/tmp/curl"; },
      [](ActIdentity* i) { i->executable_id.dev = 1; },
      [](ActIdentity* i) { i->executable_id.ino = 1; },
      [](ActIdentity* i) { i->executable_id.ctime_ns = 1; },
      [](ActIdentity* i) { i->argv.push_back(""); },
      [](ActIdentity* i) { std::swap(i->argv[1], i->argv[2]); },
      [](ActIdentity* i) { i->cwd = "/srv"; },
      [](ActIdentity* i) { i->contents[0].sha256 = "00fe"; },
      [](ActIdentity* i) { i->contents.clear(); },
      [](ActIdentity* i) { i->resource_type = "bucket"; },
      [](ActIdentity* i) { i->resource_id = "vol-2"; },
      [](ActIdentity* i) { i->tags.mutable_session()->set_environment("development"); },
      [](ActIdentity* i) { i->tags.mutable_destination()->set_environment("production"); },
      [](ActIdentity* i) { i->tags.mutable_credential()->set_environment("production"); },
      [](ActIdentity* i) { i->tags.mutable_resource()->set_environment("production"); },
      [](ActIdentity* i) { i->tags.mutable_target()->set_protected_(false); },
      [](ActIdentity* i) { i->tags.set_crossing(false); },
  };
  std::set<std::string> digests = {Hex(ActDigest(Example()))};
  for (size_t n = 0; n < changes.size(); ++n) {
    ActIdentity changed = Example();
    changes[n](&changed);
    EXPECT_TRUE(digests.insert(Hex(ActDigest(changed))).second) << "change " << n;
  }
}

TEST(ActDigestTest, WhereATagCameFromDoesNotCount) {
  ActIdentity other = Example();
  other.tags.mutable_session()->set_source("workspace /srv/*");
  EXPECT_EQ(ActDigest(other), ActDigest(Example()));
}

TEST(ActDigestTest, WordsCannotMoveBetweenFields) {
  ActIdentity a = Example(), b = Example();
  a.argv = {"rm", "-rf", "a"};
  b.argv = {"rm", "-rf a"};
  EXPECT_NE(ActDigest(a), ActDigest(b));
  a.argv = {"rm", std::string("x\0y", 3)};
  b.argv = {"rm", "x", "y"};
  EXPECT_NE(ActDigest(a), ActDigest(b));
  a = b = Example();
  a.cwd = "/a", a.executable = "/b";
  b.cwd = "/b", b.executable = "/a";
  EXPECT_NE(ActDigest(a), ActDigest(b));
}

TEST(SealSecretsTest, ASecretBecomesItsFingerprintAndTheRestStays) {
  const std::string key(32, 'k');
  const std::string token = "ghp_0123456789abcdefABCDEF0123456789abcd";
  const std::vector<std::string> sealed =
      SealSecrets(key, {"curl", "-H", "Authorization: Bearer " + token, "https://api.example.com"});
  EXPECT_EQ(sealed[2], "Authorization: Bearer " + Fingerprint(key, token));
  EXPECT_EQ(sealed[3], "https://api.example.com");
  EXPECT_NE(SealSecrets(key, {"curl", "-H", "Authorization: Bearer " + token + "e"})[2], sealed[2]);
}

ActLoss OneLoss() {
  ActLoss loss;
  loss.rule = "files.rm";
  loss.effect = v1::EFFECT_DESTROY;
  loss.recoverability = v1::RECOVERABILITY_IRREVERSIBLE;
  loss.resource_type = "path";
  loss.resource_id = "/srv/data";
  loss.where = {"/srv/data"};
  loss.tags = Example().tags;
  return loss;
}

TEST(LossDigestTest, OrderAndRepetitionDoNotCountAndEverythingElseDoes) {
  ActLoss other = OneLoss();
  other.resource_id = "/srv/other";
  EXPECT_EQ(LossDigest("k", {OneLoss(), other}), LossDigest("k", {other, OneLoss(), other}));
  std::set<std::string> digests = {Hex(LossDigest("k", {OneLoss()})), Hex(LossDigest("l", {OneLoss()})),
                                   Hex(LossDigest("k", {OneLoss(), other})), Hex(LossDigest("k", {}))};
  const std::vector<std::function<void(ActLoss*)>> changes = {
      [](ActLoss* l) { l->rule = "files.shred"; },
      [](ActLoss* l) { l->effect = v1::EFFECT_EXPOSE; },
      [](ActLoss* l) { l->recoverability = v1::RECOVERABILITY_RECOVERABLE; },
      [](ActLoss* l) { l->resource_type = "volume"; },
      [](ActLoss* l) { l->resource_id = "/srv"; },
      [](ActLoss* l) { l->where = {"/mnt/data"}; },
      [](ActLoss* l) { l->where.clear(); },
      [](ActLoss* l) { l->tags.mutable_session()->set_environment("development"); },
      [](ActLoss* l) { l->tags.mutable_credential()->set_environment("production"); },
  };
  for (const auto& change : changes) {
    ActLoss changed = OneLoss();
    change(&changed);
    digests.insert(Hex(LossDigest("k", {changed})));
  }
  EXPECT_EQ(digests.size(), 4 + changes.size());
}

TEST(TargetDigestTest, IsTheResourceAndNothingElse) {
  EXPECT_EQ(TargetDigest("k", "production", "path", "/a"), TargetDigest("k", "production", "path", "/a"));
  const std::set<Sha256Digest> digests = {TargetDigest("k", "production", "path", "/a"), TargetDigest("l", "production", "path", "/a"),
                                          TargetDigest("k", "staging", "path", "/a"), TargetDigest("k", "production", "volume", "/a"),
                                          TargetDigest("k", "production", "path", "/b"), TargetDigest("k", "production", "path/", "a")};
  EXPECT_EQ(digests.size(), 6u);
}

}  // namespace
}  // namespace holdpoint
