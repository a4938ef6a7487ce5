#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "agent/event/recorder.h"
#include "agent/kernel/kernel.h"

namespace holdpoint {

// Puts into the record what the kernel programs could not put into their rings. The kernel counts since its maps were
// made, daemons come and go: how much has been declared is kept in a file beside the control socket.
class KernelLosses {
 public:
  explicit KernelLosses(std::string path) : path_(std::move(path)) {}

  // What an earlier daemon had declared; nothing where the counters begin with this one.
  void Begin(bool took_over);
  // Declares what is new since the last call. True: there was something.
  bool Declare(Kernel& kernel, Recorder& recorder);

 private:
  void Keep() const;

  const std::string path_;
  std::array<uint64_t, 3> declared_{};
};

}  // namespace holdpoint
