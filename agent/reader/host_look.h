#pragma once

#include <sys/types.h>

#include "agent/base/fd.h"
#include "agent/reader/listeners.h"
#include "holdpoint/v1/judge.pb.h"

// What of the host only root may open, for the questions that need it. Opened before any right is dropped and before
// the request is read; what is read of it is read afterwards, without rights. Each part only where the gate, which has
// seen that the request asks for it, says so on the command line.
namespace holdpoint::reader {

struct HostWanted {
  bool listeners = false;
  bool containers = false;
  bool crontab = false;
};

struct HostLook {
  Listeners listeners;
  UniqueFd processes;       // /proc of the host
  bool same_pids = false;   // the process counts processes as the host does
  bool containers = false;  // looked for
  UniqueFd volumes, images;  // of docker, -1 where there are none
  bool crontabs = false;    // looked for
  UniqueFd crontab;         // of the process's user
};

// `uid` is the process's user.
HostLook LookAtHost(pid_t pid, uid_t uid, const HostWanted& wanted);

// After EnterAndDrop. `pid` as the process counts them.
void DescribeProcess(const HostLook& host, uint32_t pid, v1::ProcessFact* fact);
// Volumes are folders with their names; images stand in a list of docker's.
void DescribeContainers(const HostLook& host, v1::ContainerStoreFact* fact);

}  // namespace holdpoint::reader
