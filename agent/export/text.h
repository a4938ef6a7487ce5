#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "holdpoint/v1/event.pb.h"

namespace holdpoint {

// Bounds of what one exported event carries of what a session wrote, in bytes before escaping.
inline constexpr size_t kMaxExportText = 1024;
inline constexpr size_t kMaxExportCommand = 4096;
inline constexpr int kMaxExportItems = 16;  // of a list

// Well-formed UTF-8, at most `max` bytes and a note of what was cut: "...(+N bytes)". Wrong bytes become \xNN. Control
// characters stay: each format escapes them in its own way. Pure.
std::string Clipped(absl::string_view text, size_t max = kMaxExportText);

// The words of an argv with a blank between them, as other sensors write a command line. Clipped.
std::string CommandLine(const v1::Process& process);

// The last part of a path.
absl::string_view LastPart(absl::string_view path);

// Is this an IPv4 or IPv6 address, and nothing else?
bool IsIpAddress(const std::string& text);

// Unique over hosts and boots, the same for one process in every event: BOOT_ID.TGID.START. Empty without a process.
std::string ProcessUid(const v1::StreamId& stream, uint32_t tgid, uint64_t start_boot_ns);

// The enum's value in lower case: "refuse". Empty for unspecified, "unknown" for one of a newer schema.
absl::string_view VerdictText(v1::Verdict verdict);
absl::string_view EffectText(v1::Effect effect);
absl::string_view RecoverabilityText(v1::Recoverability recoverability);

// "session=staging credential=production target=production crossing": what is known of the tags, in one line.
std::string TagsLine(const v1::Tags& tags);

}  // namespace holdpoint
