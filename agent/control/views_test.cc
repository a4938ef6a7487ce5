#include "agent/control/views.h"

#include "agent/control/wire.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace holdpoint {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

bool IsPlainAscii(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
}

TEST(Views, AnEmptyListIsStillOneBody) {
  ASSERT_EQ(HoldBodies({}).size(), 1u);
  EXPECT_EQ(HoldBodies({})[0], R"({"holds":[]})");
  EXPECT_EQ(SessionBodies({})[0], R"({"sessions":[]})");
  EXPECT_EQ(DoctorBodies({})[0], R"({"doctor":[]})");
}

TEST(Views, HostileTextStaysAsciiAndValidJson) {
  static constexpr char kHostile[] = "\x1b]0;x\x07 \xe2\x80\xae \xff\xfe \"\\\n\0end";
  const std::string hostile(kHostile, sizeof(kHostile) - 1);
  const std::vector<std::string> bodies = HoldBodies({HoldView{.ticket = "HP-4K7Q", .summary = hostile}});
  ASSERT_EQ(bodies.size(), 1u);
  EXPECT_TRUE(IsPlainAscii(bodies[0])) << bodies[0];
  EXPECT_THAT(bodies[0], HasSubstr("\\u001b"));
  EXPECT_THAT(bodies[0], HasSubstr("\\u202e"));
  EXPECT_EQ(json::parse(bodies[0])["holds"][0]["ticket"], "HP-4K7Q");
}

TEST(Views, ManyRowsAreSpreadOverBodiesInOrder) {
  std::vector<SessionView> sessions(400);
  for (size_t i = 0; i < sessions.size(); ++i) {
    sessions[i].number = i;
    sessions[i].workspace = std::string(300, 'w');
  }
  const std::vector<std::string> bodies = SessionBodies(sessions);
  EXPECT_GT(bodies.size(), 2u);
  uint64_t next = 0;
  for (const std::string& body : bodies) {
    EXPECT_LE(body.size(), kControlBodyMax);
    const json page = json::parse(body);
    for (const json& row : page["sessions"]) EXPECT_EQ(row["number"], next++);
  }
  EXPECT_EQ(next, sessions.size());
}

TEST(Views, OneHugeRowFitsIntoABody) {
  const std::string huge(1 << 20, '\x01');  // every byte of it becomes six
  const std::vector<std::string> bodies = HoldBodies({HoldView{
      .ticket = "HP-4K7Q", .session = huge, .state = huge, .summary = huge, .reason = huge, .environment = huge}});
  ASSERT_EQ(bodies.size(), 1u);
  EXPECT_LE(bodies[0].size(), kControlBodyMax);
  EXPECT_EQ(json::parse(bodies[0])["holds"].size(), 1u);
}

TEST(Views, HugeStatusFitsIntoABody) {
  const std::string huge(1 << 14, 'x');
  StatusView status;
  status.rungs.assign(200, RungView{.capability = huge, .in_use = huge, .missing = huge});
  for (int i = 0; i < 200; ++i) status.kernel.emplace_back(huge + std::to_string(i), i);
  const std::vector<std::string> bodies = StatusBodies(status);
  ASSERT_EQ(bodies.size(), 1u);
  EXPECT_LE(bodies[0].size(), kControlBodyMax);
}

TEST(Views, StatusSaysWhatItWasGiven) {
  StatusView status{
      .daemon = "0.1.0", .scope = "/sys/fs/cgroup/x", .mode = "enforce", .state = "/var/lib/x", .uptime_s = 7};
  status.judge = {.alive = true, .restarts = 2, .policy_hash = "ab", .rules = 31};
  status.spool = {.bytes = 5, .last_sequence = 6, .lost = 1};
  status.rungs = {{.capability = "hold guard", .in_use = "page fault", .missing = "LSM"}};
  status.kernel = {{"exec_seen", 12}};
  const json body = json::parse(StatusBodies(status)[0]);
  EXPECT_EQ(body["mode"], "enforce");
  EXPECT_EQ(body["state"], "/var/lib/x");
  EXPECT_EQ(body["judge"]["restarts"], 2);
  EXPECT_EQ(body["judge"]["alive"], true);
  EXPECT_EQ(body["spool"]["lost"], 1);
  EXPECT_EQ(body["rungs"][0]["missing"], "LSM");
  EXPECT_EQ(body["kernel"]["exec_seen"], 12);
}

TEST(Views, MetricsFitIntoABodyWhateverThereIs) {
  RecordView record;
  for (int i = 0; i < 1000; ++i) {
    record.events[std::to_string(i) + std::string(100, 'x')] = UINT64_MAX;
    record.losses.push_back({std::string(5000, 'y'), std::string(5000, 'z'), UINT64_MAX});
  }
  const std::vector<std::string> bodies = MetricBodies(record);
  ASSERT_EQ(bodies.size(), 1u);
  EXPECT_LE(bodies[0].size(), kControlBodyMax);
  EXPECT_EQ(json::parse(TestAlertBodies("TA-1", "run", 7, "/var/lib/x", true)[0])["sequence"], 7);
}

TEST(Views, ModesShowWhatTheFileSaysAndWhatWasSwitched) {
  ModeRow environment{.kind = "environment", .name = "staging", .file = "enforce", .live = "observe", .by = "dana"};
  environment.mode = "observe";
  environment.protected_environment = true;
  const ModeRow rule{.kind = "rule", .name = "files.rm", .file = "enforce", .mode = "observe", .standing = "new"};
  const json rows = json::parse(ModeBodies({environment, rule})[0])["modes"];
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["file"], "enforce");
  EXPECT_EQ(rows[0]["live"], "observe");
  EXPECT_EQ(rows[0]["by"], "dana");
  EXPECT_EQ(rows[0]["protected"], true);
  EXPECT_EQ(rows[1]["standing"], "new");
  EXPECT_EQ(rows[1]["live"], "");
}

TEST(Views, AWatchedChangeCarriesWhatAnOwnerDecidesOn) {
  HoldView hold{.ticket = "HP-4K7Q", .command = "rm 'a b'", .backups = "on the same volume"};
  hold.tags = {{.what = "credential", .environment = "production", .source = "file .env", .protected_environment = true}};
  hold.deciders = {"dana"};
  const std::vector<std::string> bodies = WatchBodies("hold ran out", {hold});
  ASSERT_EQ(bodies.size(), 1u);
  const json body = json::parse(bodies[0]);
  EXPECT_EQ(body["watch"], "hold ran out");
  const json& row = body["holds"][0];
  EXPECT_EQ(row["command"], "rm 'a b'");
  EXPECT_EQ(row["backups"], "on the same volume");
  EXPECT_EQ(row["tags"]["credential"]["source"], "file .env");
  EXPECT_EQ(row["tags"]["credential"]["protected"], true);
  EXPECT_EQ(row["deciders"], json({"dana"}));
  EXPECT_EQ(row["may_decide"], false);
}

TEST(Views, StatusShowsHowLongConsultsTake) {
  StatusView status;
  status.to_continue = {.count = 3, .p50_us = 80, .p99_us = 400};
  const json consults = json::parse(StatusBodies(status)[0])["consults"];
  EXPECT_EQ(consults["to_continue"]["count"], 3);
  EXPECT_EQ(consults["to_continue"]["p99_us"], 400);
  EXPECT_EQ(consults["to_verdict"]["count"], 0);
}

}  // namespace
}  // namespace holdpoint
