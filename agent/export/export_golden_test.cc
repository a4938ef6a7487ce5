// What schemas/golden/export says of every kind of event. With HP_GOLDEN_WRITE=1 the files are written anew: look at the
// difference, a SIEM's rules depend on it. tests/siem checks the same files against the formats' own schemas.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "agent/base/version.h"
#include "agent/event/body.h"
#include "agent/export/format.h"
#include "agent/export/test_events.h"

namespace holdpoint {
namespace {

class GoldenExportTest : public testing::TestWithParam<ExportFormat> {};

TEST_P(GoldenExportTest, EveryEventHasItsLine) {
  const std::filesystem::path path = std::filesystem::path(getenv("HP_SOURCE_DIR")) / "schemas/golden/export" /
                                     absl::StrCat("events.", ExportFormatName(GetParam()));
  std::vector<std::string> now;
  for (const auto& [name, event] : ExportedEvents()) {
    now.push_back(absl::StrReplaceAll(Export(GetParam(), event),
                                      {{absl::StrCat("|Holdpoint|", Version(), "|"), "|Holdpoint|VERSION|"}}));
  }
  if (getenv("HP_GOLDEN_WRITE") != nullptr) {
    std::ofstream out(path);
    for (const std::string& line : now) out << line << "\n";
  }
  std::ifstream in(path);
  ASSERT_TRUE(in) << path << ": run export_test with HP_GOLDEN_WRITE=1 and commit the file";
  size_t count = 0;
  const auto events = ExportedEvents();
  for (std::string line; std::getline(in, line); ++count) {
    ASSERT_LT(count, now.size()) << "a line too many: " << line;
    EXPECT_EQ(now[count], line) << events[count].first;
  }
  EXPECT_EQ(count, now.size());
}

INSTANTIATE_TEST_SUITE_P(Formats, GoldenExportTest,
                         testing::Values(ExportFormat::kJson, ExportFormat::kCef, ExportFormat::kOcsf,
                                         ExportFormat::kEcs),
                         [](const auto& one) { return std::string(ExportFormatName(one.param)); });

TEST(ExportedEventsTest, EveryBodyOfTheSchemaIsAmongThem) {
  std::set<std::string> there;
  for (const auto& [name, event] : ExportedEvents()) there.insert(std::string(EventType(event)));
  const auto* envelope = v1::Envelope::descriptor();
  for (int i = 0; i < envelope->field_count(); ++i) {
    if (envelope->field(i)->number() < kFirstBodyField) continue;
    EXPECT_TRUE(there.contains(envelope->field(i)->name())) << envelope->field(i)->name() << ": add it to test_events.cc";
  }
}

TEST(ExportFormatTest, NamesAreReadBack) {
  for (const absl::string_view name : kExportFormatNames) EXPECT_EQ(ExportFormatName(*ParseExportFormat(name)), name);
  EXPECT_EQ(ParseExportFormat("leef"), std::nullopt);
  EXPECT_EQ(ParseExportFormat(""), std::nullopt);
}

}  // namespace
}  // namespace holdpoint
