#pragma once

#include <cstddef>
#include <cstdint>

#include "holdpoint/v1/judge.pb.h"

namespace holdpoint::reader {

// What lies ready on a descriptor that another process will read, and whether anything can follow: at most `max_bytes`.
// Nothing is taken out of a pipe (tee) or a socket (MSG_PEEK), and the position in a file does not move. Waits at most
// `wait_ms` for whoever writes into a pipe or socket to close it; never for data. Trouble is said in fact->problem.
void PeekInput(int fd, size_t max_bytes, uint32_t wait_ms, v1::StandardInputFact* fact);

}  // namespace holdpoint::reader
