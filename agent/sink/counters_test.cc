#include "agent/sink/counters.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace holdpoint {
namespace {

TEST(SinkCountersTest, AreReadAsTheyWereWritten) {
  char name[] = "/tmp/holdpoint-counters-XXXXXX";
  const std::string dir = mkdtemp(name), path = dir + "/counters";
  EXPECT_EQ(ReadSinkCounters(path).delivered, 0u);
  SinkCounters counters;
  counters.target = "tcp://h:601";
  counters.delivered = 7;
  counters.missing = 3;
  counters.last_failure = "h: \xff";
  counters.last_delivery_unix_ns = 1'700'000'000'000'000'000;
  ASSERT_TRUE(WriteSinkCounters(path, counters).ok());
  const SinkCounters again = ReadSinkCounters(path);
  EXPECT_EQ(again.target, "tcp://h:601");
  EXPECT_EQ(again.delivered, 7u);
  EXPECT_EQ(again.missing, 3u);
  EXPECT_EQ(again.last_delivery_unix_ns, 1'700'000'000'000'000'000);
  for (const char* broken : {"", "{", "[]", "{\"delivered\": -1, \"target\": 3}"}) {
    std::ofstream(path) << broken;
    EXPECT_EQ(ReadSinkCounters(path).delivered, 0u) << broken;
    EXPECT_EQ(ReadSinkCounters(path).target, "") << broken;
  }
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace holdpoint
