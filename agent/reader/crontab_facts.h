#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "agent/reader/host_look.h"
#include "agent/reader/safe_file.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint::reader {

// The jobs of a crontab as `crontab -l` prints them: without the lines that cron puts in front.
std::string JobsOf(absl::string_view text);

// Whether the user has a crontab, and a file with the same jobs directly in the working directory or at `home` (up to
// 512 files of its size). After EnterAndDrop.
void DescribeCrontab(const HostLook& host, const SafeFiles& files, const std::string& home, v1::CrontabFact* fact);

}  // namespace holdpoint::reader
