#include "agent/parse/curl_variables.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/parse/json_body.h"
#include "agent/parse/uri.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxResult = 1 << 20;

bool Apply(absl::string_view function, std::string* value) {
  if (function == "trim") {
    absl::StripAsciiWhitespace(value);
  } else if (function == "url") {
    *value = PercentEncode(*value);
  } else if (function == "b64") {
    *value = absl::Base64Escape(*value);
  } else if (function == "64dec") {
    std::string decoded;
    if (!absl::Base64Unescape(*value, &decoded)) return false;
    *value = std::move(decoded);
  } else if (function == "json") {
    JsonValue json;
    json.kind = JsonValue::Kind::kString;
    json.text = *value;
    const std::string quoted = WriteJson(json);
    *value = quoted.substr(1, quoted.size() - 2);
  } else {
    return false;
  }
  return value->size() <= kMaxResult;
}

}  // namespace

std::string CurlVariables::Expand(absl::string_view text, bool* complete) const {
  std::string out;
  while (!text.empty()) {
    const size_t open = text.find("{{");
    const size_t close = open == text.npos ? text.npos : text.find("}}", open);
    absl::StrAppend(&out, text.substr(0, close == text.npos ? text.npos : open));
    if (close == text.npos) break;
    const std::vector<absl::string_view> words = absl::StrSplit(text.substr(open + 2, close - open - 2), ':');
    const auto it = values_.find(words[0]);
    bool known = it != values_.end();
    std::string value = known ? it->second : "";
    for (size_t i = 1; known && i < words.size() && i <= 8; ++i) known = Apply(words[i], &value);
    if (!known) {
      *complete = false;
      value = std::string(text.substr(open, close + 2 - open));
    }
    absl::StrAppend(&out, value);
    if (out.size() > kMaxResult) {
      *complete = false;
      out.resize(kMaxResult);
      break;
    }
    text.remove_prefix(close + 2);
  }
  return out;
}

}  // namespace holdpoint
