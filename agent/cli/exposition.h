#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace holdpoint {

// Writes metrics in Prometheus' text format 0.0.4. A family is begun once and its samples follow it. Pure.
class Exposition {
 public:
  using Labels = std::vector<std::pair<absl::string_view, std::string>>;

  // `type`: "counter", "gauge", "histogram". Names end as the conventions say: _total, _seconds, _bytes.
  void Family(absl::string_view name, absl::string_view type, absl::string_view help);
  // `suffix` is behind the family's name: "_bucket", "_sum", "_count"; empty for the others.
  void Sample(const Labels& labels, double value, absl::string_view suffix = "");

  const std::string& text() const { return text_; }

 private:
  std::string family_;
  std::string text_;
};

}  // namespace holdpoint
