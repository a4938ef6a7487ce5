#pragma once

#include <sys/stat.h>

#include <string>

#include "agent/reader/safe_file.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint::reader {

// What is at an absolute path, without git: everything of PathFact up to `inode`, and `target`. Opens nothing. What
// is not there has exists = false and no problem; what cannot be seen has one.
void DescribePath(const std::string& path, v1::PathFact* fact);

// The file with this resolved path and its stat is root's, and so is every folder above it, and nobody else may write
// any of them.
bool OnlyRootWrites(const std::string& resolved, const struct stat& st);

// The content of one regular file, at most `max_bytes`. Trouble is said in fact->problem ("is a FIFO"). What changed meanwhile, or may at
// any moment (a file system that a process serves), is unsteady.
void ReadContent(const SafeFiles& files, const std::string& path, size_t max_bytes, v1::ContentFact* fact);

}  // namespace holdpoint::reader
