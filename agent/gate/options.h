#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace holdpoint {

// What the command line of holdpointd says. Every path can be moved.
struct Options {
  std::string instance = "default";
  std::string scope;    // cgroup v2 directory; empty: the whole host
  std::string config;   // empty: /etc/holdpoint/holdpoint.yaml where it is, else the built-in configuration
  std::string rules;    // directory; empty: beside the installed programs
  std::string state;    // /var/lib/holdpoint/INSTANCE
  std::string run;      // /run/holdpoint/INSTANCE
  std::string pin;      // /sys/fs/bpf/holdpoint/INSTANCE
  std::string bin;      // where the other programs of Holdpoint are; empty: beside this one
  std::string heartbeat_key;  // PEM file; empty: systemd's credential, else one that is made in `state`
  bool observe = false;
  bool uninstall = false;  // take away what an earlier run left, instead of running
  bool purge = false;      // with uninstall: the record, too
  int ready_fd = -1;
  int wedged_ms = 30000;             // without a heartbeat for so long, the warden ends this process
  std::vector<std::string> without;  // capabilities left unused
};

// Parses argv. kInvalidArgument with a usage sentence (exit code 2); kAborted where help or the version was asked for
// and printed (exit code 0).
absl::StatusOr<Options> ParseOptions(int argc, char** argv);

}  // namespace holdpoint
