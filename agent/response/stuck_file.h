#pragma once

#include <sys/types.h>

#include <string>

#include "agent/base/fd.h"

namespace holdpoint::stage {

// For tests: an open file on a file system of user space (FUSE) which at some moment answers nothing any more: every
// read, write, look at and close of it blocks. Mounted in a mount namespace of its own.
class StuckFile {
 public:
  StuckFile();
  ~StuckFile();
  int fd() const { return file_.get(); }  // -1 where the mount failed
  void StopAnswering();
  // Ends the file system; what was blocked gets an error. Before the fd, or a copy of it, is closed.
  void End();

 private:
  std::string directory_;
  pid_t server_ = -1;
  UniqueFd stop_;
  UniqueFd file_;
};

}  // namespace holdpoint::stage
