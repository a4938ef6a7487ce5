#pragma once

#include <string>

#include "agent/reader/safe_file.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint::reader {

// What is at an absolute path, without git: everything of PathFact up to `inode`, and `target`. Opens nothing. What
// is not there has exists = false and no problem; what cannot be seen has one.
void DescribePath(const std::string& path, v1::PathFact* fact);

// The content of one regular file, at most `max_bytes`. Trouble is said in fact->problem ("is a FIFO").
void ReadContent(const SafeFiles& files, const std::string& path, size_t max_bytes, v1::ContentFact* fact);

}  // namespace holdpoint::reader
