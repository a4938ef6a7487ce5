// holdpoint-judge: started by the gate with the socket pair's end as descriptor 3. It gives up every right, then
// answers one message after the other until the gate closes its end.
#include <fcntl.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "agent/base/log.h"
#include "agent/judge/channel.h"
#include "agent/judge/judge.h"
#include "agent/judge/sandbox.h"

namespace holdpoint {
namespace {

constexpr int kChannelFd = 3;
constexpr int kUsage = 2;
constexpr int kUnavailable = 69;
constexpr int kSoftware = 70;

int Serve(JudgeChannel channel) {
  Judge judge;
  while (true) {
    v1::ToJudge message;
    if (const absl::StatusOr<bool> got = channel.Receive(&message); !got.ok()) {
      if (absl::IsAborted(got.status())) return 0;  // The gate is gone or wants another judge.
      LogError(got.status().message());
      return kSoftware;
    }
    for (const v1::FromJudge& answer : judge.Handle(message)) {
      if (const absl::Status sent = channel.Send(answer); !sent.ok()) {
        if (absl::IsAborted(sent)) return 0;
        LogError(sent.message());
        return kSoftware;
      }
    }
  }
}

int Main(int argc, char** argv) {
  SetLogName("holdpoint-judge");
  CLI::App app("Answers the gate's questions without any rights. Started by holdpointd, not by hand.");
  SandboxOptions options;
  uint64_t memory_mib = options.memory_bytes >> 20;
  app.add_option("--uid", options.uid, "Unassigned user and group to run as")->check(CLI::Range(1u, 4'000'000'000u));
  app.add_option("--memory-mib", memory_mib, "Most memory it may use, 0 for no limit");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : kUsage;
  }
  options.memory_bytes = memory_mib << 20;
  if (fcntl(kChannelFd, F_GETFD) < 0) {
    LogError("no channel to the gate: descriptor 3 is not open; holdpointd starts this program");
    return kUnavailable;
  }
  JudgeChannel channel(UniqueFd(kChannelFd), JudgeChannel::Mode::kBlocking);
  if (const absl::Status status = EnterSandbox(options); !status.ok()) {
    LogError(status.message());
    return kSoftware;
  }
  return Serve(std::move(channel));
}

}  // namespace
}  // namespace holdpoint

int main(int argc, char** argv) { return holdpoint::Main(argc, argv); }
