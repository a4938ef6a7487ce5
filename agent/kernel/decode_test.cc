#include "agent/kernel/decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace holdpoint {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

template <typename Raw>
std::string Bytes(const Raw& raw, size_t size = sizeof(Raw)) {
  return std::string(reinterpret_cast<const char*>(&raw), size);
}

absl::Span<const std::byte> Span(const std::string& bytes) {
  return absl::MakeConstSpan(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size());
}

std::string ExecRecord(
    const std::string& executable, const std::string& filename, const std::string& cwd, const std::string& argv,
    void (*change)(hp_exec_event&) = [](hp_exec_event&) {}) {
  hp_exec_event raw{};
  raw.hdr.kind = HP_EVENT_ASK;
  raw.hdr.tgid = 41;
  raw.hdr.start_boot_ns = 42;
  raw.hdr.session = 43;
  raw.exec_id = 44;
  raw.ppid = 45;
  raw.dev = 46;
  raw.ino = 47;
  raw.ctime_ns = 48;
  raw.reason = HP_REASON_UNSEEN;
  raw.executable_len = static_cast<uint16_t>(executable.size());
  raw.filename_len = static_cast<uint16_t>(filename.size());
  raw.cwd_len = static_cast<uint16_t>(cwd.size());
  raw.argv_len = static_cast<uint16_t>(argv.size());
  const std::string texts = executable + filename + cwd + argv;
  std::memcpy(raw.data, texts.data(), texts.size());
  raw.hdr.size = static_cast<uint32_t>(HP_EXEC_EVENT_HEAD + texts.size());
  change(raw);
  return Bytes(raw, HP_EXEC_EVENT_HEAD + texts.size());
}

TEST(DecodeTest, ExecKeepsEveryField) {
  const std::string record = ExecRecord("/usr/bin/rm", "rm", "/home", std::string("rm\0-r f\0\0", 9));
  const absl::StatusOr<KernelEvent> event = DecodeEvent(Span(record));
  ASSERT_TRUE(event.ok()) << event.status();
  const auto& exec = std::get<ExecEvent>(*event);
  EXPECT_EQ(exec.head.kind, HP_EVENT_ASK);
  EXPECT_EQ(exec.head.process, (ProcessId{.tgid = 41, .start_boot_ns = 42}));
  EXPECT_EQ(exec.head.session, 43u);
  EXPECT_EQ(exec.exec_id, 44u);
  EXPECT_EQ(exec.parent.tgid, 45);
  EXPECT_EQ(exec.file, (FileId{.dev = 46, .ino = 47, .ctime_ns = 48}));
  EXPECT_EQ(exec.reason, HP_REASON_UNSEEN);
  EXPECT_EQ(exec.executable, "/usr/bin/rm");
  EXPECT_EQ(exec.filename, "rm");
  EXPECT_EQ(exec.cwd, "/home");
  EXPECT_THAT(exec.Argv(), ElementsAre("rm", "-r f", ""));
}

TEST(DecodeTest, NoArgvIsNoWords) {
  const absl::StatusOr<KernelEvent> event = DecodeEvent(Span(ExecRecord("/bin/x", "x", "/", "")));
  ASSERT_TRUE(event.ok());
  EXPECT_THAT(std::get<ExecEvent>(*event).Argv(), ElementsAre());
}

TEST(DecodeTest, RejectsTextsLongerThanTheRecord) {
  const std::string record = ExecRecord("/bin/x", "x", "/", "x", [](hp_exec_event& raw) { raw.argv_len = 100; });
  const absl::StatusOr<KernelEvent> event = DecodeEvent(Span(record));
  EXPECT_EQ(event.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(event.status().message()), HasSubstr("100"));
}

TEST(DecodeTest, RejectsTextsShorterThanTheRecord) {
  const std::string record = ExecRecord("/bin/x", "x", "/", "xy", [](hp_exec_event& raw) { raw.argv_len = 1; });
  EXPECT_EQ(DecodeEvent(Span(record)).status().code(), absl::StatusCode::kDataLoss);
}

TEST(DecodeTest, RejectsUnknownReasonClassAndKind) {
  EXPECT_FALSE(DecodeEvent(Span(ExecRecord("", "", "", "", [](hp_exec_event& raw) { raw.reason = 99; }))).ok());
  EXPECT_FALSE(DecodeEvent(Span(ExecRecord("", "", "", "", [](hp_exec_event& raw) { raw.class_value = 9; }))).ok());
  EXPECT_FALSE(DecodeEvent(Span(ExecRecord("", "", "", "", [](hp_exec_event& raw) { raw.hdr.kind = 99; }))).ok());
}

TEST(DecodeTest, RejectsEveryPrefixOfARecord) {
  const std::string record = ExecRecord("/bin/x", "x", "/", "xyz");
  for (size_t size = 0; size < record.size(); ++size) {
    EXPECT_EQ(DecodeEvent(Span(record.substr(0, size))).status().code(), absl::StatusCode::kDataLoss) << size;
  }
}

TEST(DecodeTest, ConnectGivesFourBytesForMappedAddresses) {
  hp_connect_event raw{};
  raw.hdr.kind = HP_EVENT_CONNECT;
  raw.hdr.size = sizeof(raw);
  raw.address[10] = raw.address[11] = 0xff;
  raw.address[12] = 10;
  raw.address[15] = 7;
  raw.port = 443;
  raw.action = HP_ACTION_REFUSE;
  absl::StatusOr<KernelEvent> event = DecodeEvent(Span(Bytes(raw)));
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_EQ(std::get<ConnectEvent>(*event).address, std::string("\x0a\0\0\x07", 4));
  EXPECT_EQ(std::get<ConnectEvent>(*event).port, 443);
  raw.address[0] = 0x20;
  event = DecodeEvent(Span(Bytes(raw)));
  ASSERT_TRUE(event.ok());
  EXPECT_EQ(std::get<ConnectEvent>(*event).address.size(), 16u);
  raw.environment = HP_ENV_MAX;
  EXPECT_FALSE(DecodeEvent(Span(Bytes(raw))).ok());
}

TEST(DecodeTest, ExitAndSignal) {
  hp_exit_event exit{};
  exit.hdr.kind = HP_EVENT_EXIT;
  exit.hdr.size = sizeof(exit);
  exit.exit_code = 126 << 8;
  exit.state = HP_TASK_REFUSED;
  absl::StatusOr<KernelEvent> event = DecodeEvent(Span(Bytes(exit)));
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_EQ(std::get<ExitEvent>(*event).exit_code, 126 << 8);
  EXPECT_EQ(std::get<ExitEvent>(*event).state, HP_TASK_REFUSED);
  exit.state = 5;
  EXPECT_FALSE(DecodeEvent(Span(Bytes(exit))).ok());

  hp_signal_event signal{};
  signal.hdr.kind = HP_EVENT_SIGNAL;
  signal.hdr.size = sizeof(signal);
  signal.signal = 15;
  signal.sender = 7;
  event = DecodeEvent(Span(Bytes(signal)));
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_EQ(std::get<SignalEvent>(*event).signal, 15);
  EXPECT_EQ(std::get<SignalEvent>(*event).sender, 7);
}

// Else the fuzzer would begin with records that stop at the first check.
TEST(DecodeTest, SeedsOfTheFuzzerDecode) {
  const char* source = std::getenv("HP_SOURCE_DIR");
  ASSERT_NE(source, nullptr) << "run by ctest, or set HP_SOURCE_DIR";
  int seeds = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(source) + "/tests/fuzz/corpus/fuzz_decode")) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string record((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    EXPECT_TRUE(DecodeEvent(Span(record)).ok()) << entry.path() << " " << DecodeEvent(Span(record)).status();
    ++seeds;
  }
  EXPECT_EQ(seeds, 4);
}

}  // namespace
}  // namespace holdpoint
