#include "agent/export/text.h"

#include <arpa/inet.h>

#include "absl/strings/str_cat.h"
#include "agent/event/utf8.h"

namespace holdpoint {

std::string Clipped(absl::string_view text, size_t max) {
  if (text.size() <= max) return EscapeInvalidUtf8(text);
  size_t end = max;
  // Not through a character: its continuation bytes go with its first.
  while (end > 0 && max - end < 3 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return absl::StrCat(EscapeInvalidUtf8(text.substr(0, end)), "...(+", text.size() - end, " bytes)");
}

std::string CommandLine(const v1::Process& process) {
  std::string line;
  for (const std::string& word : process.argv()) {
    absl::StrAppend(&line, line.empty() ? "" : " ", word);
    if (line.size() > 2 * kMaxExportCommand) break;
  }
  return Clipped(line, kMaxExportCommand);
}

absl::string_view LastPart(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? path : path.substr(slash + 1);
}

bool IsIpAddress(const std::string& text) {
  in6_addr ignored;
  return inet_pton(AF_INET, text.c_str(), &ignored) == 1 || inet_pton(AF_INET6, text.c_str(), &ignored) == 1;
}

std::string ProcessUid(const v1::StreamId& stream, uint32_t tgid, uint64_t start_boot_ns) {
  if (tgid == 0) return "";
  return absl::StrCat(Clipped(stream.boot_id(), 64), ".", tgid, ".", start_boot_ns);
}

absl::string_view VerdictText(v1::Verdict verdict) {
  switch (verdict) {
    case v1::VERDICT_UNSPECIFIED:
      return "";
    case v1::VERDICT_ALLOW:
      return "allow";
    case v1::VERDICT_AUDIT:
      return "audit";
    case v1::VERDICT_HOLD:
      return "hold";
    case v1::VERDICT_REFUSE:
      return "refuse";
    case v1::VERDICT_KILL:
      return "kill";
    case v1::VERDICT_KILL_SESSION:
      return "kill_session";
    default:
      return "unknown";
  }
}

absl::string_view EffectText(v1::Effect effect) {
  switch (effect) {
    case v1::EFFECT_UNSPECIFIED:
      return "";
    case v1::EFFECT_READ:
      return "read";
    case v1::EFFECT_WRITE:
      return "write";
    case v1::EFFECT_USE_CREDENTIAL:
      return "use_credential";
    case v1::EFFECT_EXPOSE:
      return "expose";
    case v1::EFFECT_ESCALATE:
      return "escalate";
    case v1::EFFECT_DESTROY:
      return "destroy";
    case v1::EFFECT_UNSEEN:
      return "unseen";
    default:
      return "unknown";
  }
}

absl::string_view RecoverabilityText(v1::Recoverability recoverability) {
  switch (recoverability) {
    case v1::RECOVERABILITY_UNSPECIFIED:
      return "";
    case v1::RECOVERABILITY_REGENERABLE:
      return "regenerable";
    case v1::RECOVERABILITY_RECOVERABLE:
      return "recoverable";
    case v1::RECOVERABILITY_IRREVERSIBLE:
      return "irreversible";
    default:
      return "unknown";
  }
}

std::string TagsLine(const v1::Tags& tags) {
  std::string line;
  const auto add = [&line](absl::string_view name, const v1::Tag& tag) {
    if (tag.environment().empty()) return;
    absl::StrAppend(&line, line.empty() ? "" : " ", name, "=", Clipped(tag.environment(), 128));
  };
  add("session", tags.session());
  add("destination", tags.destination());
  add("credential", tags.credential());
  add("resource", tags.resource());
  add("target", tags.target());
  if (tags.crossing()) absl::StrAppend(&line, line.empty() ? "" : " ", "crossing");
  return line;
}

}  // namespace holdpoint
