#include "agent/cli/exposition.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace holdpoint {

void Exposition::Family(absl::string_view name, absl::string_view type, absl::string_view help) {
  family_ = std::string(name);
  const std::string escaped = absl::StrReplaceAll(help, {{"\\", "\\\\"}, {"\n", "\\n"}});
  absl::StrAppend(&text_, "# HELP ", name, " ", escaped, "\n# TYPE ", name, " ", type, "\n");
}

void Exposition::Sample(const Labels& labels, double value, absl::string_view suffix) {
  absl::StrAppend(&text_, family_, suffix);
  for (size_t i = 0; i < labels.size(); ++i) {
    const std::string escaped = absl::StrReplaceAll(labels[i].second, {{"\\", "\\\\"}, {"\n", "\\n"}, {"\"", "\\\""}});
    absl::StrAppend(&text_, i == 0 ? "{" : ",", labels[i].first, "=\"", escaped, "\"");
  }
  absl::StrAppend(&text_, labels.empty() ? " " : "} ", absl::StrFormat("%.17g", value), "\n");
}

}  // namespace holdpoint
