#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/kernel/handles.h"
#include "agent/kernel/pins.h"

namespace holdpoint {

// The bytes of one BPF object, from its skeleton.
struct BpfImage {
  const char* name;
  const void* data;
  size_t size;
};

// One loaded object. Shared maps are those whose name begins with "hp_" and not with "hp_tmp_": pinned, made by the
// first object that is loaded and reused by all others.
class LoadedObject {
 public:
  // Loads the programs of `image`; those named in `only` where it is not empty. Nothing is attached. The error carries
  // what the kernel said: kPermissionDenied without the right, kFailedPrecondition where this kernel refuses it.
  // `switches`: constants of its own that are set before it is loaded, by section, as 32-bit numbers.
  static absl::StatusOr<LoadedObject> Load(const BpfImage& image, const Pins& pins, uint32_t load,
                                           const std::vector<std::string>& only = {},
                                           const std::map<std::string, uint32_t>& switches = {});

  // Attaches every loaded program and pins its link below `directory`; all of them or none. Cgroup programs go to
  // `cgroup_fd`.
  absl::Status Attach(const std::string& directory, int cgroup_fd);
  // Unpins and detaches what Attach attached.
  void Detach();
  // Pins again what somebody has unpinned; the paths. The programs were attached all along, through our descriptors.
  std::vector<std::string> RepairPins() const;
  std::vector<std::string> RepairMapPins(const Pins& pins) const;
  bool attached() const { return !links_.empty(); }

  // Descriptor of a map, -1 where the object has none of that name. Lives as long as the object.
  int MapFd(const std::string& name) const;
  bpf_program* Program(const std::string& name) const;

 private:
  BpfObjectPtr object_;
  std::map<std::string, BpfLinkPtr> links_;  // by pin path
};

// Sends what libbpf says to memory instead of stderr; the last lines go into errors.
void CaptureLibbpfLog();

}  // namespace holdpoint
