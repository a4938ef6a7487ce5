#include "agent/kernel/account.h"

#include <algorithm>
#include <cstring>

namespace holdpoint {
namespace {

// In the order of the program: who reads it next may do so after any of them.
void Store(__u64& field, uint64_t value) { __atomic_store_n(&field, value, __ATOMIC_SEQ_CST); }

hp_event_header HeaderOf(absl::Span<const std::byte> record) {
  hp_event_header header{};
  if (record.size() >= sizeof(header)) std::memcpy(&header, record.data(), sizeof(header));
  return header;
}

}  // namespace

Account::Left Account::LeftIn(const hp_account& page, const std::array<uint64_t, HP_RINGS>& consumed) {
  Left left{.known = page.kept == 1,
            .begun = page.since_boot_ns != 0,
            .acts = {},
            .since = {page.since_boot_ns},
            .last = {page.last_boot_ns}};
  if (!left.known) return left;
  const __u64* taken = page.taken;
  for (size_t ring = 0; ring < HP_RINGS; ++ring) {
    if (page.at[ring] == consumed[ring] + 1) taken = page.before[ring];
  }
  for (size_t act = 0; act < HP_ACT_COUNT; ++act) {
    left.acts[act] = taken[act] - std::min<uint64_t>(taken[act], page.settled[act]);
  }
  left.last.ns = std::max(left.last.ns, left.since.ns);
  return left;
}

std::optional<hp_act> Account::ActOf(absl::Span<const std::byte> record) {
  switch (HeaderOf(record).kind) {
    case HP_EVENT_EXEC:
      return HP_ACT_EXEC;
    case HP_EVENT_CONNECT:
      return HP_ACT_CONNECT;
    default:
      return std::nullopt;
  }
}

void Account::Keep(hp_account* page, const Left& left, BootTime now) {
  page_ = page;
  for (__u64& at : page->at) Store(at, 0);
  for (size_t act = 0; act < HP_ACT_COUNT; ++act) Store(page->taken[act], page->settled[act] + left.acts[act]);
  if (!left.known) Store(page->since_boot_ns, now.ns);
}

void Account::SetKnown() { Store(page_->kept, 1); }

void Account::Take(size_t ring, uint64_t position, absl::Span<const std::byte> record) {
  const std::optional<hp_act> act = ActOf(record);
  if (!act.has_value()) return;
  for (size_t i = 0; i < HP_ACT_COUNT; ++i) Store(page_->before[ring][i], page_->taken[i]);
  Store(page_->at[ring], position + 1);
  Store(page_->last_boot_ns, std::max<uint64_t>(page_->last_boot_ns, HeaderOf(record).boot_ns));
  Store(page_->taken[*act], page_->taken[*act] + 1);
}

void Account::Add(hp_act act, BootTime now) {
  Store(page_->last_boot_ns, std::max<uint64_t>(page_->last_boot_ns, now.ns));
  Store(page_->taken[act], page_->taken[act] + 1);
}

void Account::Settle(hp_act act, uint64_t count) { Store(page_->settled[act], page_->settled[act] + count); }

// Not settled: where the gate ends before the record is given back as read, it is taken once more.
void Account::Drop(hp_act act) { Store(page_->taken[act], page_->taken[act] - 1); }

Account::Acts Account::owed() const {
  Acts owed{};
  for (size_t act = 0; act < HP_ACT_COUNT; ++act) owed[act] = page_->taken[act] - page_->settled[act];
  return owed;
}

void Account::SetSince(BootTime since) { Store(page_->since_boot_ns, std::max<uint64_t>(page_->since_boot_ns, since.ns)); }

void Account::SetDeclared(size_t which, uint64_t count) { Store(page_->declared[which], count); }

}  // namespace holdpoint
