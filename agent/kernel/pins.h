#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/fd.h"

namespace holdpoint {

// The tree of pins of one daemon:
//   DIR/v1/maps/NAME      shared by all loads, made once
//   DIR/v1/links/N/NAME   the programs of load N; while they are there they are attached
// 1 is HP_LAYOUT_VERSION. Holds an exclusive lock on DIR as long as it lives.
class Pins {
 public:
  // Makes the tree. Mounts a bpffs on /sys/fs/bpf where `directory` lies there and none is mounted. kAlreadyExists:
  // another live process has it; kFailedPrecondition: not below a bpffs.
  static absl::StatusOr<Pins> Open(const std::string& directory);

  std::string MapPath(const std::string& name) const { return root_ + "/maps/" + name; }
  std::string LinkDirectory(uint32_t load) const;
  bool HadMaps() const { return had_maps_; }

  // Numbers of the loads that have links, ascending.
  std::vector<uint32_t> Loads() const;
  absl::Status MakeLinkDirectory(uint32_t load) const;
  // Unpins the links of one load: its programs are detached unless somebody else holds them.
  absl::Status RemoveLoad(uint32_t load) const;
  // Everything, links first.
  absl::Status RemoveAll() const;

 private:
  std::string directory_;
  std::string root_;
  UniqueFd lock_;
  bool had_maps_ = false;
};

}  // namespace holdpoint
