#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

// What the kernel says of processes, as text below a folder of /proc.
namespace holdpoint::reader {

// The whole of a small file, empty where it is not there or has more than `max` bytes. `at` as in openat(2).
std::string ReadSmallText(int at, const std::string& path, size_t max);
// Where a link leads, empty where that can't be read.
std::string ReadLink(int at, const std::string& path);

// The numbers in front of the first white space in "NAME:\t1 2" of a status text; -1 where there is no such line.
int64_t StatusNumber(absl::string_view text, absl::string_view name);

// When a process started, from its stat text: on the wall clock, and since boot. 0 where it was not understood.
struct Started {
  int64_t unix_ns = 0;
  uint64_t boot_ns = 0;
};
Started StartedOf(absl::string_view stat);

// The service of the system that a control group belongs to ("nginx.service"); empty where it is none's. Text of
// /proc/PID/cgroup.
std::string SystemService(absl::string_view text);

// Every process, by number.
std::vector<pid_t> AllProcesses();

}  // namespace holdpoint::reader
