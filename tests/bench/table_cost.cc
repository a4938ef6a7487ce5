// What a look-up in the table of tickets costs with very many of them, beside a search through all: table_cost [tickets]
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/gate/tickets.h"

namespace holdpoint {
namespace {

constexpr int kRuns = 2000;

template <typename What>
double MicrosecondsOf(What what) {
  const absl::Time began = absl::Now();
  size_t found = 0;
  for (int i = 0; i < kRuns; ++i) found += what(i) ? 1 : 0;
  const double each = absl::ToDoubleMicroseconds(absl::Now() - began) / kRuns;
  if (found > kRuns) abort();  // keeps the calls
  return each;
}

void Measure(int tickets) {
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  TicketTable table(static_cast<size_t>(tickets));
  std::vector<std::string> digests;
  for (int i = 0; i < tickets; ++i) {
    digests.push_back(absl::StrCat("digest-of-thirty-two-bytes-", 100000 + i));
    Ticket ticket;
    ticket.session = static_cast<SessionNumber>(i);
    ticket.digest = digests.back();
    ticket.expires = now + absl::Hours(1);
    (void)table.Open(std::move(ticket), static_cast<uint32_t>(i) * 2654435761u >> 12);
  }
  const auto pick = [tickets](int i) { return (i * 7919) % tickets; };
  const double looked_up = MicrosecondsOf([&](int i) {
    return table.Find(static_cast<SessionNumber>(pick(i)), digests[static_cast<size_t>(pick(i))], now) != nullptr;
  });
  const double searched = MicrosecondsOf([&](int i) {
    for (const Ticket* ticket : table.All()) {
      if (ticket->session == static_cast<SessionNumber>(pick(i)) && ticket->digest == digests[static_cast<size_t>(pick(i))]) return true;
    }
    return false;
  });
  const hp_connect_key key{.session = 1, .address = {}, .port = 5432, .pad = {}};
  const double connect = MicrosecondsOf([&](int) { return table.FindApprovedConnect(key) != nullptr; });
  printf("%5d tickets: an act %.2f us, searched for %.2f us; a connect %.3f us\n", tickets, looked_up, searched, connect);
}

}  // namespace
}  // namespace holdpoint

int main(int argc, char** argv) {
  if (argc > 1) {
    holdpoint::Measure(atoi(argv[1]));
    return 0;
  }
  for (const int tickets : {10, 1000, 4000}) holdpoint::Measure(tickets);
  return 0;
}
