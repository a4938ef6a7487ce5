#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/types/span.h"
#include "agent/base/clock.h"
#include "bpf/shared/hp_abi.h"

namespace holdpoint {

// The account of acts that ran: how many were taken from the rings, and how many of them are in the record, one by one or
// as numbers. It lies in memory that outlives the process. What a killed gate had taken and not written is what the next
// one declares: never too few; at most one record's acts too many, where the end came between a record and its Settle().
//
// An act that is stopped is none until it passes: without a gate it does not run, and its end is told.
// Thread: the event thread.
class Account {
 public:
  using Acts = std::array<uint64_t, HP_ACT_COUNT>;

  // What an earlier daemon left.
  struct Left {
    bool known = false;  // false: there was no account, or its memory is gone
    bool begun = false;  // a daemon began it, whether or not it got to SetKnown()
    Acts acts{};
    BootTime since;  // all of them ran at or after it
    BootTime last;   // and before it
  };
  // `consumed`: how far each ring was read. An act that lies there was taken and not given back as read: it comes again.
  static Left LeftIn(const hp_account& page, const std::array<uint64_t, HP_RINGS>& consumed);

  // The act that a record of a ring is, if it is one that ran.
  static std::optional<hp_act> ActOf(absl::Span<const std::byte> record);

  Account() = default;  // in this process's own memory, for tests
  Account(const Account&) = delete;
  Account& operator=(const Account&) = delete;
  // From here on the account is in `page`, which outlives it, and goes on behind what was `left` there. Where that is not
  // known it stays so, for the next daemon too, until SetKnown().
  void Keep(hp_account* page, const Left& left, BootTime now);
  // The record says of what was left that nobody knows it.
  void SetKnown();

  // A record of a ring, before it is handed on. `position`: where it lies.
  void Take(size_t ring, uint64_t position, absl::Span<const std::byte> record);
  // An act that was stopped and passes: before it is let go.
  void Add(hp_act act, BootTime now);
  // So many are in the record: after they were written.
  void Settle(hp_act act, uint64_t count);
  // One was nothing that belongs into the record.
  void Drop(hp_act act);
  Acts owed() const;

  // All that was taken before `since` is settled.
  void SetSince(BootTime since);

  // How much of a loss that the kernel counts was declared. `which` is below HP_DECLARED_MAX.
  uint64_t declared(size_t which) const { return page_->declared[which]; }
  void SetDeclared(size_t which, uint64_t count);

 private:
  hp_account own_{};
  hp_account* page_ = &own_;
};

}  // namespace holdpoint
