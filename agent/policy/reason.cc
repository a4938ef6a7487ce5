#include "agent/policy/reason.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/base/escape.h"
#include "agent/environment/redact.h"

namespace holdpoint {
namespace {

constexpr size_t kShownId = 8;

// Long ids are shown by their beginning, as people recognise them.
std::string ShortId(absl::string_view id) {
  if (id.size() <= 24) return std::string(id);
  return absl::StrCat(id.substr(0, kShownId), "...");
}

std::string Line(absl::string_view text, absl::string_view key, size_t max) {
  return EscapeAndClip(RedactText(key, text, max * 2), max);
}

void TagSentence(absl::string_view what, const v1::Tag& tag, const v1::Tags& tags, std::vector<std::string>* out) {
  if (tag.environment().empty() || tag.environment() == tags.session().environment()) return;
  out->push_back(absl::StrCat(what, " is tagged ", tag.environment()));
}

}  // namespace

std::string SummariseRequest(absl::string_view tool, const RequestHit& hit, absl::string_view resource_id,
                             absl::string_view key) {
  const HttpRequest& http = hit.request->http;
  std::string text = absl::StrCat(tool, " ", http.EffectiveMethod(), " ", http.host);
  if (hit.field != nullptr) {
    absl::StrAppend(&text, " ", hit.field->name);
    if (!resource_id.empty()) absl::StrAppend(&text, " \"", ShortId(resource_id), "\"");
  } else {
    absl::StrAppend(&text, " ", http.path);
  }
  return Line(text, key, kMaxSummary);
}

std::string SummariseCall(const std::vector<std::string>& argv, absl::string_view key) {
  return RenderArgv(RedactArgv(key, argv), kMaxSummary);
}

std::string ComposeReason(const ReasonParts& parts, absl::string_view key) {
  std::string text = parts.why;
  if (!parts.because.empty()) absl::StrAppend(&text, " (", parts.because, ")");
  if (!parts.backups.empty()) absl::StrAppend(&text, ", its backups: ", parts.backups);
  if (parts.tags != nullptr) {
    const v1::Tags& tags = *parts.tags;
    std::vector<std::string> tagged;
    TagSentence(parts.credential_word, tags.credential(), tags, &tagged);
    TagSentence("the destination", tags.destination(), tags, &tagged);
    TagSentence("the resource", tags.resource(), tags, &tagged);
    if (!tagged.empty()) {
      tagged.push_back(tags.session().environment().empty()
                           ? "this session has no environment"
                           : absl::StrCat("this session is ", tags.session().environment()));
      absl::StrAppend(&text, "; ", absl::StrJoin(tagged, ", "));
    } else if (tags.target().protected_()) {
      absl::StrAppend(&text, "; it belongs to ", tags.target().environment(), ", which is protected");
    } else if (parts.environment_matters) {
      absl::StrAppend(&text, "; nothing says which environment it belongs to");
    }
  }
  if (!parts.drifted.empty()) {
    absl::StrAppend(&text, "; ", parts.drifted.front(), parts.drifted.size() > 1 ? " and others" : "",
                    " changed since this session began");
  }
  if (!parts.first_reader.empty()) absl::StrAppend(&text, "; ", parts.first_reader);
  return Line(text, key, kMaxReason);
}

}  // namespace holdpoint
