#pragma once

#include <cstdint>
#include <type_traits>

namespace holdpoint {

// The control socket's language: RUN/control.sock, SOCK_SEQPACKET. A request is one packet of exactly this fixed
// shape, because any local process may connect, also one of a session, and the gate parses nothing that it wrote.
// Texts are NUL-padded and cut by the sender; the gate treats a missing NUL as a bad request.
// An answer is one or more packets: a ControlReply head and, behind it in the same packet, `body_bytes` of text
// (one JSON object) for the commands that list something; `more` tells that another packet follows.
inline constexpr uint32_t kControlVersion = 1;

enum class ControlCommand : uint32_t {
  kStatus = 1,
  kSessions = 2,
  kHolds = 3,        // holds and open tickets
  kRun = 4,          // labels the caller: text1 = environment, text2 = owner, text3 = coding agent's name or empty
  // ticket, text1 = owner to decide as, text2 = reason, secret = password, one of the flags Once, Session, Until with
  // number = Unix seconds
  kApprove = 5,
  kDeny = 6,         // the same
  kWait = 7,         // ticket, number = seconds to wait at most; answers when decided
  kKillSession = 8,  // text1 = session id
  kDoctor = 9,
  kReload = 10,
  kDetach = 11,  // number = tgid whose label is taken off
  kClass = 12,   // forget what was learned of executables
  // What is enforced. text1 = who says so (and decides, where presence is needed), text2 = reason.
  kModes = 20,
  kModeSet = 21,    // ticket = "environment" or "rule", text3 = its name, number = 0 enforce, 1 observe, 2 off, secret
  kModeUnset = 22,  // the same without a number
  kPromote = 23,    // text3 = rule, or flag kControlAll
  kApprovals = 30,       // what is remembered
  kApprovalRemove = 31,  // ticket = its id, text1 = who says so, text2 = reason
  // Lifted for a while. text1 = owner who is present, text2 = reason, number = seconds, secret.
  kBreakGlass = 32,     // text3 = environment, or empty where one is protected
  kBreakGlassEnd = 33,  // text3 = environment, or empty for all
  kOff = 34,
  kOn = 35,
  // What owners prove to be there with. text1 = the owner.
  kPresence = 40,     // lists it
  kEnrolCode = 41,    // a new secret for codes: number = digits, flag kControlSha256, secret = password or code in use
  kConfirmCode = 42,  // secret = its first code
  kRemoveCode = 43,   // secret = password or code
  kChallenge = 44,    // what a key would sign: ticket, flags and number as in kApprove, or flag kControlDeny for kDeny
  kWatch = 50,      // what waits, then every change of it, packet by packet until the client hangs up
  kMetrics = 70,    // what was recorded and lost, as numbers
  kTestAlert = 71,  // records a harmless, marked event; text1 = who says so
};

// ControlRequest::flags
inline constexpr uint32_t kControlOnce = 1;  // kApprove: the identical act passes one time
inline constexpr uint32_t kControlSession = 4;  // kApprove: the same loss passes in this session
inline constexpr uint32_t kControlUntil = 8;    // kApprove: the same loss passes until a date
inline constexpr uint32_t kControlAll = 2;   // kPromote: every rule that is not promoted as it is
// What the secret is, where it is not the password, or a code in its place.
inline constexpr uint32_t kControlCode = 0x100;
inline constexpr uint32_t kControlSignature = 0x200;  // a KeyProof (agent/presence/key_proof.h); from any uid
inline constexpr uint32_t kControlDeny = 0x400;       // kChallenge
inline constexpr uint32_t kControlSha256 = 0x800;     // kEnrolCode

struct ControlRequest {
  uint32_t version = kControlVersion;
  ControlCommand command{};
  uint32_t flags = 0;
  uint32_t pad = 0;
  uint64_t number = 0;
  char ticket[16] = {};
  char text1[64] = {};
  char text2[256] = {};
  char text3[64] = {};
  char secret[128] = {};  // wiped by both sides after use
};
static_assert(sizeof(ControlRequest) == 552 && std::is_trivially_copyable_v<ControlRequest>);

struct ControlReply {
  uint32_t version = kControlVersion;
  int32_t exit_code = 0;  // of the CLI: 0, 69, 75, 77, 78, 126 ...
  uint32_t more = 0;
  uint32_t body_bytes = 0;  // at most kControlBodyMax, follows this head
  char message[512] = {};   // one sentence for people where exit_code is not 0
};
static_assert(sizeof(ControlReply) == 528 && std::is_trivially_copyable_v<ControlReply>);
inline constexpr uint32_t kControlBodyMax = 60 * 1024;

}  // namespace holdpoint
