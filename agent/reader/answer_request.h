#pragma once

#include "agent/reader/answer.h"
#include "agent/reader/enter.h"
#include "agent/reader/host_look.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint::reader {

// Bounds of one request; what goes past them is named in Facts.problem.
inline constexpr int kMaxPaths = 64;
inline constexpr int kMaxContents = 16;
inline constexpr int kMaxTrees = 8;
inline constexpr int kMaxListeners = 8;
inline constexpr int kMaxProcesses = 16;
inline constexpr int kMaxPlans = 2;
inline constexpr size_t kMaxContentBytes = 64 * 1024;  // of one file, and where the request names no size
inline constexpr size_t kMaxContentTotal = 128 * 1024;
inline constexpr size_t kMaxInputBytes = 128 * 1024;
inline constexpr uint32_t kMaxInputWaitMs = 1000;  // the gate waits 2 s for all facts together
inline constexpr uint64_t kMaxExecutable = uint64_t{1} << 30;

// Reads what is wanted into `answer`, the cheap and certain first, with a checkpoint behind each. Runs after
// EnterAndDrop.
void AnswerRequest(const v1::FactsWanted& wanted, const Target& target, const HostLook& host, Answer* answer);

// The value of NAME in a process's environment block, empty where it is not an absolute path.
std::string PathVariable(const std::string& environment, const std::string& name);

}  // namespace holdpoint::reader
