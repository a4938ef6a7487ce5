// holdpointd: the gate.

#include <iostream>

#include "agent/base/log.h"
#include "agent/base/status.h"
#include "agent/gate/gate.h"
#include "agent/gate/options.h"
#include "agent/gate/uninstall.h"

int main(int argc, char** argv) {
  holdpoint::SetLogName("holdpointd");
  absl::StatusOr<holdpoint::Options> options = holdpoint::ParseOptions(argc, argv);
  if (absl::IsAborted(options.status())) return 0;
  if (!options.ok()) {
    std::cerr << "holdpointd: " << options.status().message() << "\n";
    return holdpoint::ExitCode(options.status());
  }
  if (options->uninstall) {
    const absl::Status removed = holdpoint::Uninstall(*options);
    if (!removed.ok()) std::cerr << "holdpointd: " << removed.message() << "\n";
    return holdpoint::ExitCode(removed);
  }
  absl::StatusOr<std::unique_ptr<holdpoint::Gate>> gate = holdpoint::Gate::Create(*options);
  if (!gate.ok()) {
    std::cerr << "holdpointd: " << gate.status().message() << "\n";
    return holdpoint::ExitCode(gate.status());
  }
  const absl::Status served = (*gate)->Run();
  if (!served.ok()) holdpoint::LogError(served.message());
  return holdpoint::ExitCode(served);
}
