#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "holdpoint/v1/judge.pb.h"

// When files came into being and when they changed last, as their file system says. A birth can't be set: touch and
// utime change other times, a rename and a hard link keep it, a copy has one of its own. Nothing is opened for reading.
namespace holdpoint::reader {

inline constexpr int kMaxTreeEntries = 5'000;

struct Births {
  int64_t oldest_unix_ns = 0;  // 0: not known
  bool own = false;            // every entry belongs to `uid`
};

// The oldest birth at `path` and everything below it. Not known: past kMaxTreeEntries, another mount below it, an entry
// that is born in the future, a file system whose births mean something else (overlayfs gives a changed file a new one,
// FUSE is whatever its owner says, NFS is another host's clock); known are ext4, xfs, btrfs, f2fs and tmpfs.
// Where `since` is given, what is found there first that is not younger ends the walk: that is enough to know.
Births BirthsIn(const std::string& path, uid_t uid, int64_t since = 0);

// The newest ctime at `path` and everything below it, and whether anybody but root may write any of it. What is not
// there does not exist and is no problem.
void DescribeTree(const std::string& path, v1::TreeFact* fact);

}  // namespace holdpoint::reader
