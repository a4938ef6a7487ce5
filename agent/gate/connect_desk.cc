#include "agent/gate/connect_desk.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/escape.h"
#include "agent/base/log.h"
#include "agent/gate/fail_mode.h"

namespace holdpoint {
namespace {

constexpr char kConnectRung[] = "connect: cgroup program";

std::string AddressText(absl::string_view address) {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(address.size() == 4 ? AF_INET : AF_INET6, address.data(), text, sizeof(text));
  return text;
}
std::string AddressText(const ConnectEvent& event) { return AddressText(event.address); }

// As the judge names the resource of a connect.
std::string WhereText(const hp_connect_key& key) {
  constexpr size_t kMapped = 12;  // of an IPv4 address in the key
  static constexpr uint8_t kPrefix[kMapped] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  absl::string_view address(reinterpret_cast<const char*>(key.address), sizeof(key.address));
  if (memcmp(key.address, kPrefix, kMapped) == 0) address.remove_prefix(kMapped);
  return absl::StrCat(AddressText(address), " port ", key.port);
}

std::string ProtocolName(const ConnectEvent& event) {
  if (event.protocol == IPPROTO_TCP) return "tcp";
  if (event.protocol == IPPROTO_UDP) return "udp";
  return absl::StrCat(event.protocol);
}

hp_connect_key KeyOf(const ConnectEvent& event) {
  hp_connect_key key{};
  key.session = event.head.session;
  memcpy(key.address, event.key_address, sizeof(key.address));
  key.port = event.port;
  return key;
}

}  // namespace

ConnectDesk::Passed ConnectDesk::PassedBy(const ConnectEvent& event) {
  if ((event.head.flags & HP_FLAG_APPROVED) == 0) return {};
  if ((event.head.flags & HP_FLAG_GLASS) != 0) return {.by = PassedByGlass(event.environment)};
  const hp_connect_key key = KeyOf(event);
  Ticket* approved = core_.tickets.FindApprovedConnect(key);
  if (approved != nullptr && core_.tickets.Use(*approved, core_.clock.Wall())) {
    if (holds_.on_ticket) holds_.on_ticket(*approved);
    return {.by = absl::StrCat(approved->id, " by ", approved->decided_by), .ticket = approved->id};
  }
  for (const Ticket* ticket : core_.tickets.All()) {
    if (ticket->state != Ticket::State::kUsed) continue;
    if (ticket->connect.has_value() && memcmp(&key, &*ticket->connect, sizeof(key)) == 0) {
      return {.by = absl::StrCat(ticket->id, " by ", ticket->decided_by), .ticket = ticket->id};
    }
  }
  return {.by = "an approval whose ticket is gone"};
}

// What is refused is told at once, what passes a moment later: an approval for once may be used up before that is known here.
bool ConnectDesk::PassedMeanwhile(const Ticket& ticket) {
  if (ticket.state != Ticket::State::kApproved || !ticket.connect.has_value()) return false;
  for (const auto& [key, pass] : core_.kernel.ConnectPasses()) {
    if (memcmp(&key, &*ticket.connect, sizeof(key)) == 0) return static_cast<int64_t>(pass.uses) <= 0;
  }
  return true;
}

std::string ConnectDesk::PassedByGlass(uint32_t environment) {
  const int number = static_cast<int>(environment);
  if (number == 0 || number > core_.policy.configured().environments_size()) return "break-glass that has ended";
  const std::string& name = core_.policy.configured().environments(number - 1).name();
  const auto glass = core_.emergency.glass().find(name);
  if (glass == core_.emergency.glass().end()) return absl::StrCat("break-glass of ", name, ", which has ended");
  ++core_.emergency.Acts(name);
  return absl::StrCat("break-glass of ", name, " by ", glass->second.by);
}

void ConnectDesk::TakeOver() {
  const BootTime now = core_.clock.Boot();
  for (const auto& [key, pass] : core_.kernel.ConnectPasses()) {
    if (absl::Status forbidden = core_.kernel.ForbidConnects(key); !forbidden.ok()) {
      LogError("connects to ", WhereText(key), " pass by an approval that nobody knows any more: ", forbidden.message());
      continue;
    }
    if (pass.uses == 0 || pass.expires_boot_ns <= now.ns) continue;
    v1::Decision decision;
    decision.set_decision("expire");
    decision.set_accepted(true);
    decision.set_scope(pass.uses > 1 ? "session" : "once");
    decision.mutable_resource()->set_type("address");
    decision.mutable_resource()->set_id(WhereText(key));
    decision.set_reason("the daemon began anew: its approvals of connections ended with the one before");
    core_.ledger.Decision(core_.sessions.Find(key.session), std::move(decision));
  }
}

// Of a session that ended while no gate was there: nobody knows more of it than that it was.
void ConnectDesk::Orphan(const ConnectEvent& event) {
  if (event.action == HP_ACTION_ALLOW) {
    return core_.rollups.Add(event.head.session, Rollups::Kind::kConnect, absl::StrCat(AddressText(event), ":", event.port),
                             core_.clock.Wall());
  }
  core_.ledger.recorder().CountLoss("gate", "connects not written: their session had ended", 1);
  core_.kernel.account().Settle(HP_ACT_CONNECT, 1);
}

void ConnectDesk::OnConnect(const ConnectEvent& event) {
  Session* session = core_.sessions.Find(event.head.session);
  if (session == nullptr) return Orphan(event);
  if (session->state == SessionState::kDissolved) return core_.kernel.account().Drop(HP_ACT_CONNECT);
  ++session->counters.connects;
  const absl::Time now = core_.clock.Wall();
  const bool in_full = event.action == HP_ACTION_ALLOW && core_.policy.records_allowed();
  if (event.action == HP_ACTION_ALLOW && !in_full) {
    core_.rollups.Add(event.head.session, Rollups::Kind::kConnect, absl::StrCat(AddressText(event), ":", event.port), now);
  }
  if (event.action == HP_ACTION_ALLOW && !in_full) return;
  const Passed passed = PassedBy(event);
  v1::Process process = ProcessOf(event);
  char path[1024];
  const ssize_t length = readlink(absl::StrCat("/proc/", event.head.process.tgid, "/exe").c_str(), path, sizeof(path));
  if (length > 0) process.set_executable(EscapeForTerminal(absl::string_view(path, static_cast<size_t>(length))));
  v1::ToJudge question;
  v1::ConsultConnect& connect = *question.mutable_connect();
  *connect.mutable_session() = ContextOf(*session);
  *connect.mutable_process() = process;
  connect.set_address(event.address);
  connect.set_port(event.port);
  connect.set_protocol(ProtocolName(event));
  if (event.environment != 0 && static_cast<int>(event.environment) <= core_.policy.configured().environments_size()) {
    connect.set_destination_environment(core_.policy.configured().environments(event.environment - 1).name());
  }
  const bool observed = (event.head.flags & HP_FLAG_OBSERVED) != 0;
  const bool stops = event.action == HP_ACTION_REFUSE;
  const bool refused = stops && !observed && passed.by.empty();
  const SessionNumber number = event.head.session;
  core_.judge.Ask(
      std::move(question), core_.policy.consult_budget(), nullptr,
      [this, event, process, stops, observed, refused, passed, in_full, number,
       was = *session](absl::StatusOr<v1::FromJudge> answer) {
        Session* owner = core_.sessions.Find(number);  // Null where it has ended meanwhile: recorded, and nobody is asked.
        if (owner == nullptr && was.coding_agent.empty()) return core_.kernel.account().Drop(HP_ACT_CONNECT);  // It was none.
        v1::Judgement judgement;
        if (answer.ok() && answer->has_connect()) {
          judgement = answer->connect().judgement();
        } else {
          judgement = FailModeJudgement(was, "the judge did not answer", refused);
        }
        // The kernel has acted already; the judge only says what it was.
        judgement.set_verdict(stops                                            ? v1::VERDICT_REFUSE
                              : in_full && judgement.rule() == "default" ? v1::VERDICT_ALLOW
                                                                         : v1::VERDICT_AUDIT);
        if (observed) judgement.set_observed_only(true);
        judgement.set_passed_by(passed.by);
        const bool asks = owner != nullptr && refused && !judgement.act_digest().empty();
        Ticket* ticket = asks ? core_.tickets.Find(number, judgement.act_digest(), core_.clock.Wall()) : nullptr;
        if (ticket != nullptr && PassedMeanwhile(*ticket) && core_.tickets.Use(*ticket, core_.clock.Wall())) {
          if (holds_.on_ticket) holds_.on_ticket(*ticket);
          ticket = nullptr;
        }
        const bool fresh = asks && ticket == nullptr;
        if (fresh) ticket = holds_.OpenTicket(*owner, judgement, process);
        v1::Envelope envelope;
        envelope.set_boot_ns(event.head.boot_ns);
        envelope.set_rung(kConnectRung);
        v1::Connect& record = *envelope.mutable_connect();
        *record.mutable_process() = process;
        record.set_protocol(ProtocolName(event));
        record.set_address(AddressText(event));
        record.set_port(event.port);
        *record.mutable_judgement() = judgement;
        record.set_ticket(ticket == nullptr ? passed.ticket : ticket->id);
        core_.ledger.Write(&was, std::move(envelope));
        core_.kernel.account().Settle(HP_ACT_CONNECT, 1);
        if (!asks) return;
        ++owner->counters.refused;
        if (!fresh) ++ticket->attempts;
        if (ticket == nullptr) return;
        if (!ticket->connect.has_value()) core_.tickets.SetConnect(*ticket, KeyOf(event));
        if (fresh && holds_.on_ticket) holds_.on_ticket(*ticket);
        v1::Outcome outcome;
        outcome.set_ticket(ticket->id);
        outcome.set_what("connect refused");
        *outcome.mutable_process() = process;
        *outcome.mutable_judgement() = judgement;
        core_.ledger.Outcome(owner, std::move(outcome), kConnectRung);
      });
}

}  // namespace holdpoint
