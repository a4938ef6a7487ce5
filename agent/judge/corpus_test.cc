// Runs labelled command lines (files named by HP_CORPUS_DIR, one JSON object a line) through `holdpoint check` and
// counts what is stopped. It shows where the rules stand; it judges only that every row gets an answer.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "agent/judge/check.h"
#include "agent/judge/test_world.h"

namespace holdpoint {
namespace {

struct Count {
  size_t rows = 0;
  size_t stopped = 0;
};

TEST(CorpusTest, EveryRowGetsAnAnswer) {
  const char* folder = getenv("HP_CORPUS_DIR");
  if (folder == nullptr || !std::filesystem::is_directory(folder)) {
    printf("HP_CORPUS_DIR names no folder: no corpus was run\n");
    return;
  }
  const auto policy = LoadPolicy({"holdpoint.yaml", ""}, testworld::ShippedPacks(), std::string(32, 'k'));
  ASSERT_TRUE(policy.ok()) << policy.status().message();
  CheckOptions options;
  options.cwd = options.workspace = "/srv/shop";
  options.home = "/home/dev";
  std::map<std::string, Count> counts;
  size_t not_understood = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".jsonl") continue;
    std::ifstream in(entry.path());
    for (std::string line; std::getline(in, line);) {
      const auto json = nlohmann::json::parse(line, nullptr, false);
      ASSERT_TRUE(json.is_object()) << entry.path();
      const absl::StatusOr<CheckRow> row = ReadCheckRow(line);
      ASSERT_TRUE(row.ok()) << row.status();
      const CheckResult result = Check(**policy, *row, options);
      ASSERT_NE(result.judgement.verdict(), v1::VERDICT_UNSPECIFIED);
      for (const std::string& blind_spot : result.blind_spots) {
        not_understood += blind_spot.rfind("command line not understood", 0) == 0;
      }
      const std::string category = json.value("category", "");
      for (const std::string& key : {json.value("label", ""), json.value("label", "") + " " + category}) {
        Count& count = counts[key];
        ++count.rows;
        count.stopped += result.judgement.verdict() >= v1::VERDICT_HOLD;
      }
    }
  }
  for (const auto& [key, count] : counts) {
    printf("%-28s %6zu rows %6zu stopped\n", key.c_str(), count.rows, count.stopped);
  }
  printf("%-28s %6zu rows\n", "not understood as shell", not_understood);
  EXPECT_FALSE(counts.empty());
}

}  // namespace
}  // namespace holdpoint
