// Every pack that ships: it loads alone and with the others, and every case of every rule comes out as it says.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "agent/judge/loaded_policy.h"
#include "agent/policy/cases.h"
#include "agent/policy/rule_reader.h"

namespace holdpoint {
namespace {

std::vector<PolicyFile> ShippedPacks() {
  const char* source = getenv("HP_SOURCE_DIR");
  std::vector<PolicyFile> files;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(source ? source : ".") / "rules")) {
    if (entry.path().extension() != ".yaml") continue;
    std::ifstream in(entry.path());
    std::stringstream text;
    text << in.rdbuf();
    files.push_back({"rules/" + entry.path().filename().string(), text.str()});
  }
  return files;
}

TEST(RulesTest, EveryPackLoadsAndEveryCaseComesOutAsItSays) {
  const std::vector<PolicyFile> files = ShippedPacks();
  ASSERT_GE(files.size(), 4u);
  std::vector<Pack> packs;
  for (const PolicyFile& file : files) {
    auto pack = ReadPack(file.name, file.bytes);
    ASSERT_TRUE(pack.ok()) << pack.status().message();
    packs.push_back(*std::move(pack));
  }
  const auto policy = Policy::Compile(std::move(packs));
  ASSERT_TRUE(policy.ok()) << policy.status().message();
  ASSERT_GE((*policy)->rules().size(), 20u);
  for (const Rule& rule : (*policy)->rules()) {
    const absl::Status status = RunCases(**policy, rule);
    EXPECT_TRUE(status.ok()) << status.message();
  }
}

TEST(RulesTest, TheyLoadTogetherWithTheBuiltInConfiguration) {
  const auto loaded = LoadPolicy({"holdpoint.yaml", ""}, ShippedPacks(), std::string(32, 'k'));
  ASSERT_TRUE(loaded.ok()) << loaded.status().message();
  EXPECT_EQ((*loaded)->hash.size(), 64u);
}

TEST(RulesTest, EveryRuleSaysWhyAndWhichTechnique) {
  for (const PolicyFile& file : ShippedPacks()) {
    const auto pack = ReadPack(file.name, file.bytes);
    ASSERT_TRUE(pack.ok()) << pack.status().message();
    for (const Rule& rule : pack->rules) {
      EXPECT_FALSE(rule.title.empty()) << rule.id;
      EXPECT_EQ(rule.id.substr(0, rule.id.find('.')), pack->family) << rule.id;
      EXPECT_TRUE(rule.effect != v1::EFFECT_DESTROY || !rule.techniques.empty()) << rule.id;
    }
  }
}

}  // namespace
}  // namespace holdpoint
