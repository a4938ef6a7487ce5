#include "agent/reader/search.h"

#include <gtest/gtest.h>

#include <random>

#include "absl/strings/match.h"

namespace holdpoint::reader {
namespace {

using Texts = std::vector<std::string>;

Texts Search(const Texts& texts, const std::string& bytes, size_t step) {
  TextSearch search(texts);
  for (size_t at = 0; at < bytes.size(); at += step) search.Add(absl::string_view(bytes).substr(at, step));
  return search.Found();
}

TEST(TextSearchTest, FindsEachWhereverItLies) {
  const Texts texts = {"CODEX_THREAD_ID", "codex-linux-sandbox", "12345678"};
  const std::string bytes = "x12345678" + std::string(100, 'a') + "codex-linux-sandbox" + std::string(1, '\0') +
                            "CODEX_THREAD_I CODEX_THREAD_ID";
  for (const size_t step : {1u, 2u, 7u, 18u, 64u, 4096u}) EXPECT_EQ(Search(texts, bytes, step), texts) << step;
}

TEST(TextSearchTest, NotWhatIsOnlyNearlyThere) {
  EXPECT_EQ(Search({"CODEX_THREAD_ID"}, "CODEX_THREAD_I D CODEX_THREADID ODEX_THREAD_ID", 5), Texts());
  EXPECT_EQ(Search({"CODEX_THREAD_ID"}, "", 5), Texts());
}

TEST(TextSearchTest, AgreesWithThePlainWay) {
  std::mt19937 random(7);
  const Texts texts = {"abababab", "babababa", "aaaaaaaab", "abbaabbaabba"};
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(random() % 60, 'a');
    for (char& c : bytes) c = random() % 4 == 0 ? 'b' : 'a';
    if (round % 2 == 0) {
      for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = i % 2 == 0 ? 'a' : 'b';
      if (!bytes.empty()) bytes[random() % bytes.size()] = 'b';
    }
    Texts expected;
    for (const std::string& text : texts) {
      if (absl::StrContains(bytes, text)) expected.push_back(text);
    }
    EXPECT_EQ(Search(texts, bytes, 1 + random() % 9), expected) << bytes;
  }
}

}  // namespace
}  // namespace holdpoint::reader
