#include "agent/export/story.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "agent/base/utf8.h"
#include "agent/export/format.h"
#include "agent/export/test_events.h"
#include "agent/export/text.h"

namespace holdpoint {
namespace {

using nlohmann::json;

v1::Envelope Event(const std::string& name) {
  for (auto& [key, event] : ExportedEvents()) {
    if (key == name) return event;
  }
  ADD_FAILURE() << name;
  return {};
}

TEST(StoryTest, AHoldThatNobodyWaitsForIsARefusal) {
  v1::Envelope event = Event("exec_held");
  EXPECT_EQ(StoryOf(event).action, "exec-held");
  event.mutable_exec()->set_held(false);
  EXPECT_EQ(StoryOf(event).action, "exec-refused");
  EXPECT_EQ(StoryOf(event).disposition, Disposition::kBlocked);
}

TEST(StoryTest, WhatRanIsNeverSaidToBeStopped) {
  EXPECT_EQ(StoryOf(Event("file_observed")).disposition, Disposition::kDetected);
  EXPECT_EQ(StoryOf(Event("exec_approved")).disposition, Disposition::kApproved);
  EXPECT_EQ(StoryOf(Event("exec_audited")).disposition, Disposition::kLogged);
  // The act's file is named where it was stopped; where it ran, only the program was seen.
  EXPECT_EQ(json::parse(Export(ExportFormat::kOcsf, Event("file_refused")))["class_uid"], 1001);
  EXPECT_EQ(json::parse(Export(ExportFormat::kOcsf, Event("file_observed")))["class_uid"], 1007);
  EXPECT_EQ(json::parse(Export(ExportFormat::kOcsf, Event("exec_audited")))["class_uid"], 1007);
}

TEST(StoryTest, WordsOfARecordBecomeNoWordsOfOurs) {
  v1::Envelope event = Event("outcome_refused");
  event.mutable_outcome()->set_what("refused|x=1");
  EXPECT_EQ(StoryOf(event).action, "outcome");
  event = Event("decision_approve");
  event.mutable_decision()->set_decision("approve everything");
  EXPECT_EQ(StoryOf(event).action, "decision");
  event = Event("tamper");
  event.mutable_daemon()->set_state("Tamper");
  EXPECT_EQ(StoryOf(event).action, "daemon");
}

TEST(StoryTest, EventsOfOneTicketAreOneFinding) {
  std::map<std::string, std::string> findings;
  for (const char* name : {"outcome_refused", "decision_not_accepted", "decision_approve", "outcome_released"}) {
    const json out = json::parse(Export(ExportFormat::kOcsf, Event(name)));
    EXPECT_EQ(out["class_uid"], 2004) << name;
    findings[name] = out["finding_info"]["uid"].get<std::string>();
  }
  EXPECT_EQ(findings["outcome_refused"], "HP-4K7Q");
  EXPECT_EQ(findings["outcome_refused"], findings["decision_not_accepted"]);
  EXPECT_EQ(findings["decision_approve"], "HP-4K7R");
  EXPECT_EQ(findings["decision_approve"], findings["outcome_released"]);
}

TEST(StoryTest, EveryFormatHasSessionTagsReasonAndVerdict) {
  const v1::Envelope event = Event("exec_refused");
  for (const ExportFormat format : {ExportFormat::kJson, ExportFormat::kCef, ExportFormat::kOcsf, ExportFormat::kEcs}) {
    const std::string line = Export(format, event);
    for (const char* wanted : {"s-1f3c-12", "staging", "production", "crossing", "deletes a volume for good", "refuse",
                               "HP-4K7Q", "claude-code", "http-graphql-destroy"}) {
      EXPECT_THAT(line, testing::HasSubstr(wanted)) << ExportFormatName(format);
    }
  }
}

TEST(TextTest, IsCutAtACharacterAndSaysSo) {
  EXPECT_EQ(Clipped("abc", 3), "abc");
  EXPECT_EQ(Clipped("abcd", 3), "abc...(+1 bytes)");
  EXPECT_EQ(Clipped("ab\xc3\xa9", 3), "ab...(+2 bytes)");
  EXPECT_EQ(Clipped("\xff", 8), "\\xff");
  EXPECT_TRUE(IsValidUtf8(Clipped(std::string(100, '\x80'), 10)));
}

TEST(TextTest, CommandLineIsBounded) {
  v1::Process process;
  for (int i = 0; i < 64; ++i) process.add_argv(std::string(512, 'x'));
  EXPECT_LT(CommandLine(process).size(), kMaxExportCommand + 32);
}

TEST(TextTest, AddressesAreTold) {
  EXPECT_TRUE(IsIpAddress("10.1.2.3"));
  EXPECT_TRUE(IsIpAddress("2001:db8::1"));
  for (const char* other : {"", "db.example.com", "10.1.2", "10.1.2.3:80", "/run/x.sock"}) EXPECT_FALSE(IsIpAddress(other));
}

TEST(ExportTest, JsonIsBoundedWhateverIsInTheRecord) {
  v1::Envelope event = Event("exec_refused");
  v1::Process& process = *event.mutable_exec()->mutable_process();
  v1::Judgement& judgement = *event.mutable_exec()->mutable_judgement();
  for (int i = 0; i < 1000; ++i) {
    process.add_argv(std::string(4096, '\x01'));
    process.add_started_by(std::string(4096, '\x01'));
    event.add_blind_spots(std::string(4096, '\x01'));
    judgement.add_techniques(std::string(4096, '\x01'));
    judgement.add_credentials()->set_kind(std::string(4096, '\x01'));
  }
  judgement.set_reason(std::string(1 << 20, '\x01'));
  for (const ExportFormat format : {ExportFormat::kOcsf, ExportFormat::kEcs}) {
    EXPECT_LT(Export(format, event).size(), 700u * 1024) << ExportFormatName(format);
  }
}

}  // namespace
}  // namespace holdpoint
