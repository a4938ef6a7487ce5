#include "agent/suggest/config_edit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "agent/environment/load.h"
#include "agent/environment/tags.h"

namespace holdpoint {
namespace {

using testing::HasSubstr;

Proposal Host(const std::string& name, const std::string& environment) {
  return {Proposal::Kind::kHost, "", name, 0, environment, "seen once"};
}

std::vector<Proposal> OneOfEach() {
  return {Host("db.example.com", "staging"),
          {Proposal::Kind::kAddress, "", "10.1.2.3", 5432, "production", "seen"},
          {Proposal::Kind::kAddress, "", "fd00::1", 0, "staging", "seen"},
          {Proposal::Kind::kCredential, "", "fp:0123456789abcdef", 0, "production", "seen"},
          {Proposal::Kind::kCredentialFile, "", "/home/dev/.kube/prod config", 0, "production", "seen"},
          {Proposal::Kind::kResource, "kube-context", "prod-eu", 0, "production", "seen"},
          Host("left.example.com", "")};
}

// What patch(1) makes of the file.
std::string Patched(const std::string& text, const std::string& diff) {
  char name[] = "/tmp/config_edit_test.XXXXXX";
  const std::filesystem::path folder = mkdtemp(name);
  if (!text.empty()) std::ofstream(folder / "c.yaml", std::ios::binary) << text;
  std::ofstream(folder / "d", std::ios::binary) << diff;
  const int done = system(absl::StrCat("cd ", folder.string(), " && git apply --unidiff-zero -p0 d 2>&1").c_str());
  EXPECT_EQ(done, 0) << diff;
  std::ifstream in(folder / "c.yaml", std::ios::binary);
  std::string patched{std::istreambuf_iterator<char>(in), {}};
  std::filesystem::remove_all(folder);
  return patched;
}

TEST(ConfigEditTest, EveryWayToWriteAListTakesWhatIsProposed) {
  const std::string more = "\nlimits:\n  hold_ms: 1\n\n\n\n\n\nkafka: {}\n";
  for (const std::string& text :
       {std::string(), std::string("version: 1\n"), std::string(BuiltInConfigurationText()), "version: 1" + more,
        std::string("version: 1\nresources: []"), std::string("destinations: []  # none\ncredentials: [ ]\n"),
        std::string("destinations:\n- hosts: [\"a\"]\n  environment: staging\n# end\n") + more,
        std::string("destinations:\n    # first\n    - {hosts: [\"a\"], environment: staging}\n") + more,
        std::string("destinations: [{hosts: [\"a\"], environment: staging}]\nresources: [\n]\n"),
        std::string("destinations: []\ncredentials: []\nresources: []\nlimits: {}"),
        std::string("destinations: [\n  {hosts: [\"a\"], environment: staging},\n]\n")}) {
    SCOPED_TRACE(text);
    const absl::StatusOr<ConfigEdit> edit = WriteProposals("c.yaml", text, OneOfEach());
    ASSERT_TRUE(edit.ok()) << edit.status();
    EXPECT_EQ(Patched(text, edit->diff), edit->text);
    EXPECT_TRUE(CheckConfiguration("c.yaml", edit->text).accepted);
    const Configuration after = *LoadConfiguration("c.yaml", edit->text);
    EXPECT_EQ(DestinationTag(after, {.host = "db.example.com"}).environment, "staging");
    EXPECT_EQ(DestinationTag(after, {.address = std::string("\x0a\x01\x02\x03", 4), .port = 5432}).environment, "production");
    EXPECT_EQ(ResourceTag(after, "kube-context", "prod-eu").tag.environment, "production");
    EXPECT_FALSE(DestinationTag(after, {.host = "left.example.com"}).known());
  }
}

TEST(ConfigEditTest, NothingProposedIsNoDiff) {
  const absl::StatusOr<ConfigEdit> edit = WriteProposals("c.yaml", "version: 1\n", {Host("x", "")});
  ASSERT_TRUE(edit.ok());
  EXPECT_EQ(edit->diff, "");
  EXPECT_EQ(edit->text, "version: 1\n");
}

TEST(ConfigEditTest, AFileThatIsWrongIsLeftAlone) {
  EXPECT_TRUE(absl::IsFailedPrecondition(WriteProposals("c.yaml", "nonsense: 1\n", OneOfEach()).status()));
}

}  // namespace
}  // namespace holdpoint
