#include "agent/export/cef.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "agent/base/version.h"
#include "agent/export/own_fields.h"
#include "agent/export/story.h"
#include "agent/export/text.h"

namespace holdpoint {
namespace {

// Lengths of ArcSight's dictionary, in characters before escaping.
constexpr size_t kMaxValue = 1023;
constexpr size_t kMaxCommand = 4000;
constexpr size_t kMaxShort = 255;

std::string Plain(absl::string_view text, size_t max) {
  std::string out;
  size_t taken = 0;
  for (; taken < text.size() && out.size() < max; ++taken) {
    const char c = text[taken];
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out.push_back(c);
    } else if (c == '\n') {
      out.append("\\n");
    } else if (c == '\t') {
      out.append("\\t");
    } else {
      absl::StrAppendFormat(&out, "\\x%02x", byte);
    }
  }
  if (taken < text.size()) absl::StrAppend(&out, "...(+", text.size() - taken, " bytes)");
  return out;
}

class Extension {
 public:
  void Add(absl::string_view key, absl::string_view value, size_t max = kMaxValue) {
    if (!value.empty()) absl::StrAppend(&text_, text_.empty() ? "" : " ", key, "=", CefValue(value, max));
  }
  void Add(absl::string_view key, uint64_t value) {
    if (value != 0) Add(key, absl::StrCat(value));
  }
  // A field whose meaning its label says.
  void Custom(absl::string_view key, absl::string_view label, absl::string_view value, size_t max = kMaxValue) {
    if (value.empty()) return;
    Add(key, value, max);
    Add(absl::StrCat(key, "Label"), label);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

absl::string_view OutcomeOf(Disposition disposition) {
  switch (disposition) {
    case Disposition::kNone:
      return "";
    case Disposition::kHeld:
      return "held";
    case Disposition::kBlocked:
      return "failure";
    default:
      return "success";
  }
}

void AddProcess(const v1::Process& process, Extension* extension) {
  extension->Add("spid", process.tgid());
  extension->Add("sproc", process.executable());
  if (process.tgid() != 0) extension->Add("suid", absl::StrCat(process.uid()));
  extension->Custom("flexString2", "commandLine", CommandLine(process), kMaxCommand);
}

void AddLoss(const v1::Loss& loss, Extension* extension) {
  if (!loss.unknown()) extension->Add("cnt", loss.count());
  extension->Add("start", static_cast<uint64_t>(std::max<int64_t>(loss.first_unix_ns(), 0) / 1'000'000));
  extension->Add("end", static_cast<uint64_t>(std::max<int64_t>(loss.last_unix_ns(), 0) / 1'000'000));
}

}  // namespace

std::string CefValue(absl::string_view text, size_t max) {
  return absl::StrReplaceAll(Plain(text, max), {{"\\", "\\\\"}, {"=", "\\="}});
}

std::string CefHeader(absl::string_view text, size_t max) {
  return absl::StrReplaceAll(Plain(text, max), {{"\\", "\\\\"}, {"|", "\\|"}});
}

std::string EventToCef(const v1::Envelope& event) {
  const Story story = StoryOf(event);
  Extension extension;
  extension.Add("rt", absl::StrCat(event.time_unix_ns() / 1'000'000));
  extension.Add("dvchost", event.stream().host(), kMaxShort);
  extension.Add("deviceExternalId", event.stream().host_id(), kMaxShort);
  extension.Add("externalId", story.uid, kMaxShort);
  extension.Add("cat", story.type, kMaxShort);
  if (story.judgement != nullptr) extension.Add("act", VerdictText(story.judgement->verdict()));
  if (event.has_decision()) extension.Add("act", event.decision().decision(), kMaxShort);
  extension.Add("outcome", OutcomeOf(story.disposition));
  extension.Add("reason", story.reason);
  if (story.process != nullptr) AddProcess(*story.process, &extension);
  if (event.has_session_started()) extension.Add("suser", event.session_started().user(), kMaxShort);
  if (event.has_decision()) extension.Add("suser", event.decision().by(), kMaxShort);
  if (event.has_connect()) {
    extension.Add(IsIpAddress(event.connect().address()) ? "dst" : "dhost", event.connect().address(), kMaxShort);
    extension.Add("dpt", event.connect().port());
    extension.Add("proto", event.connect().protocol(), 31);
  }
  if (event.has_credential_read()) extension.Add("filePath", event.credential_read().file());
  if (event.has_rollup()) extension.Add("cnt", event.rollup().count());
  if (event.has_loss()) AddLoss(event.loss(), &extension);
  extension.Custom("cs1", "session", event.session());
  if (story.judgement != nullptr) {
    const v1::Judgement& judgement = *story.judgement;
    extension.Custom("cs2", "rule", judgement.rule());
    extension.Custom("cs3", "tags", TagsLine(judgement.tags()));
    extension.Custom("cs4", "effect",
                     judgement.recoverability() == v1::RECOVERABILITY_UNSPECIFIED
                         ? std::string(EffectText(judgement.effect()))
                         : absl::StrCat(EffectText(judgement.effect()), " ", RecoverabilityText(judgement.recoverability())));
    extension.Custom("cs6", "resource",
                     judgement.resource().id().empty()
                         ? ""
                         : absl::StrCat(judgement.resource().type(), " ", judgement.resource().id()));
  } else {
    extension.Custom("cs2", "rule", event.decision().rule());
    extension.Custom("cs3", "tags", event.environment().empty() ? "" : absl::StrCat("session=", event.environment()));
  }
  extension.Custom("cs5", "ticket", story.ticket);
  extension.Custom("flexString1", "codingAgent", CodingAgentOf(event, story));
  extension.Add("msg", Message(story));
  return absl::StrCat("CEF:0|Holdpoint|Holdpoint|", CefHeader(Version(), 31), "|", CefHeader(story.action, 63), "|",
                      CefHeader(absl::StrReplaceAll(story.action, {{"-", " "}}), 127), "|", CefSeverity(story.level), "|",
                      extension.text());
}

}  // namespace holdpoint
