#pragma once

#include <cerrno>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// Returns from the calling function when `expr`, an absl::Status, is not OK.
#define HP_RETURN_IF_ERROR(expr)                     \
  do {                                               \
    if (absl::Status hp_status_ = (expr); !hp_status_.ok()) return hp_status_; \
  } while (false)

#define HP_STATUS_CONCAT_INNER_(a, b) a##b
#define HP_STATUS_CONCAT_(a, b) HP_STATUS_CONCAT_INNER_(a, b)

// Assigns the value of `expr`, an absl::StatusOr, to `lhs` (which may declare a variable), or returns its error.
#define HP_ASSIGN_OR_RETURN(lhs, expr) HP_ASSIGN_OR_RETURN_IMPL_(HP_STATUS_CONCAT_(hp_statusor_, __LINE__), lhs, expr)
#define HP_ASSIGN_OR_RETURN_IMPL_(tmp, lhs, expr) \
  auto tmp = (expr);                              \
  if (!tmp.ok()) return tmp.status();             \
  lhs = *std::move(tmp)

namespace holdpoint {

// A status made from errno: "WHAT: strerror", with the code that fits (ENOENT and ESRCH kNotFound, EPERM and EACCES
// kPermissionDenied, ENOSPC and EMFILE kResourceExhausted, EEXIST kAlreadyExists, EAGAIN kUnavailable, else kInternal).
absl::Status ErrnoStatus(absl::string_view what, int error = errno);

// The exit code that Holdpoint's programs document for a status: 0, 2 usage (kInvalidArgument), 69 unavailable,
// 75 undecided (kDeadlineExceeded), 77 not permitted, 78 configuration (kFailedPrecondition), 70 anything else.
int ExitCode(const absl::Status& status);

}  // namespace holdpoint
