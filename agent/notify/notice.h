#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

#include "absl/strings/string_view.h"

namespace holdpoint {

// What the gate and holdpoint-notify say to each other: packets of these sizes over a SOCK_SEQPACKET pair, which is
// descriptor 3 of holdpoint-notify. NoticeSettings comes first and once, then Notice; NoticeReport goes back.
// Texts end with a NUL. Those of a Notice are redacted by the judge and escaped by the gate: printable ASCII.
inline constexpr int kNoticeFd = 3;
inline constexpr uint32_t kNoticeVersion = 1;
inline constexpr size_t kMaxToldUsers = 64;

enum class WallMode : uint32_t { kOff = 0, kOwners = 1, kAll = 2 };

// Files are read by holdpoint-notify before it gives up its rights.
struct NoticeSettings {
  uint32_t version = kNoticeVersion;
  WallMode wall = WallMode::kOff;
  uint32_t webhook_timeout_ms = 0;
  uint32_t pad = 0;
  char host[128] = {};
  char instance[64] = {};
  char run_id[64] = {};            // makes a delivery's id unique over restarts
  char webhook_url[2048] = {};     // empty: none, unless webhook_url_file is there
  char webhook_url_file[1024] = {};
  char webhook_secret_file[1024] = {};
  char webhook_ca_file[1024] = {};
};
static_assert(std::is_trivially_copyable_v<NoticeSettings> && sizeof(NoticeSettings) == 16 + 256 + 2048 + 3 * 1024);

struct Notice {
  uint64_t sequence = 0;  // from 1; NoticeReport names it
  int64_t time_unix = 0;
  int64_t deadline_unix = 0;  // of the hold; 0 where nothing is held
  int64_t expires_unix = 0;   // of the ticket
  uint32_t protected_environment = 0;
  uint32_t told_count = 0;
  uint32_t told_uids[kMaxToldUsers] = {};  // who may decide
  char change[16] = {};                    // "opened", "hold ran out", "approved", "used", "denied", "expired"
  char ticket[16] = {};
  char state[16] = {};
  char environment[40] = {};
  char session[32] = {};
  char coding_agent[32] = {};
  char user[40] = {};
  char effect[24] = {};
  char recoverability[24] = {};
  char rule[128] = {};
  char resource[256] = {};
  char backups[256] = {};
  char summary[384] = {};
  char reason[640] = {};
  char owners[256] = {};    // as configured, separated by ", "
  char deciders[256] = {};  // user names, the same way
  char rollback[256] = {};
  char decided_by[64] = {};
  char decision_reason[256] = {};
};
static_assert(std::is_trivially_copyable_v<Notice> && sizeof(Notice) % 8 == 0);

enum class WebhookResult : uint32_t { kNone = 0, kDelivered = 1, kGivenUp = 2, kDropped = 3 };

// One for each notice that is finished with, and one without (sequence 0) every few seconds: it lives.
struct NoticeReport {
  uint64_t sequence = 0;
  uint32_t terminals = 0;         // written to
  uint32_t terminals_failed = 0;  // not open to others, or not read
  uint32_t terminals_spared = 0;  // 1 where too many notices came at once
  WebhookResult webhook = WebhookResult::kNone;
  char problem[256] = {};  // the last one, empty for none; ours, never what a session wrote
};
static_assert(std::is_trivially_copyable_v<NoticeReport>);

// `text` cut to fit, with a NUL.
template <size_t kSize>
void SetNoticeText(char (&array)[kSize], absl::string_view text) {
  const size_t size = std::min(text.size(), kSize - 1);
  memcpy(array, text.data(), size);
  memset(array + size, 0, kSize - size);
}
// Whatever came, also without a NUL.
template <size_t kSize>
std::string NoticeText(const char (&array)[kSize]) {
  return std::string(array, strnlen(array, kSize));
}

}  // namespace holdpoint
