#include "agent/cli/read_record.h"

#include <stdio.h>
#include <unistd.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/base/status.h"
#include "agent/cli/terminal.h"
#include "agent/cli/when.h"
#include "agent/spool/reader.h"

namespace holdpoint {
namespace {

constexpr absl::Duration kQuiet = absl::Seconds(2);
constexpr absl::Duration kStep = absl::Milliseconds(200);
constexpr uint64_t kLookAtClock = 1024;  // records between two looks

}  // namespace

absl::Status ReadRecord(const Context& context, const std::function<void(const v1::Envelope&)>& take) {
  const std::string spool = context.StateDir() + "/spool";
  absl::StatusOr<std::unique_ptr<SpoolReader>> opened = SpoolReader::Open(spool, {});
  if (absl::IsNotFound(opened.status())) {
    return absl::UnavailableError(
        absl::StrCat("there is no record in ", spool, ": --state or --instance say where it is"));
  }
  if (absl::IsPermissionDenied(opened.status())) {
    return absl::PermissionDeniedError(
        absl::StrCat(opened.status().message(), ": only root reads the record, use sudo"));
  }
  HP_RETURN_IF_ERROR(opened.status());
  const bool terminal = isatty(STDERR_FILENO) != 0;
  absl::Time next = absl::Now() + kQuiet;
  bool shown = false;
  v1::Envelope event;
  for (uint64_t count = 1;; ++count) {
    SpoolReader::Record record;
    HP_ASSIGN_OR_RETURN(const bool got, (*opened)->Next(&record));
    for (const std::string& notice : (*opened)->TakeNotices()) fprintf(stderr, "holdpoint: %s\n", Safe(notice).c_str());
    if (!got) break;
    if (event.ParseFromArray(record.bytes.data(), static_cast<int>(record.bytes.size()))) take(event);
    if (!terminal || count % kLookAtClock != 0 || absl::Now() < next) continue;
    next = absl::Now() + kStep;
    shown = true;
    fprintf(stderr, "\rreading the record: %llu events, at %s ", static_cast<unsigned long long>(count),
            HumanTime(event.time_unix_ns() / 1'000'000'000).c_str());
  }
  if (shown) fprintf(stderr, "\r%70s\r", "");
  return absl::OkStatus();
}

absl::StatusOr<absl::Duration> ParseSpan(const std::string& text) { return ParseLength(text, "--since"); }

absl::Status PrintObserved(const Context& context, const std::vector<std::string>& rules) {
  Tally tally(absl::UnixEpoch());
  HP_RETURN_IF_ERROR(ReadRecord(context, [&tally](const v1::Envelope& event) { tally.Add(event); }));
  for (const std::string& rule : rules) {
    const auto row = tally.rules().find(rule);
    const uint64_t count = row == tally.rules().end() ? 0 : row->second.observed_of_this_text;
    Print(absl::StrCat(Safe(rule), ": observed only, it would have stopped ", count, " acts so far\n"));
    if (count == 0) continue;
    for (const Tally::Example& example : row->second.examples) {
      if (!example.observed) continue;
      Print(absl::StrCat("  ", HumanTime(example.time_unix_ns / 1'000'000'000), "  ", Safe(example.summary),
                         example.times > 1 ? absl::StrCat(" (", example.times, " times)") : "", "\n"));
      if (!example.reason.empty()) Print(absl::StrCat("    why: ", Safe(example.reason), "\n"));
    }
  }
  return absl::OkStatus();
}

}  // namespace holdpoint
