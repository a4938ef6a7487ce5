#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace re2 {
class RE2;
}

namespace holdpoint {

// One value of a Sigma detection: text with wildcards, a regular expression, or an address range. Case does not count,
// except in a regular expression.
class SigmaValue {
 public:
  enum class Kind { kText, kRegex, kCidr, kNull };

  // `text` with `*` and `?` as wildcards and `\` before one of them or itself; `before`, `behind`: anything may stand there.
  static SigmaValue Text(absl::string_view text, bool before, bool behind);
  static absl::StatusOr<SigmaValue> Regex(absl::string_view pattern);
  static absl::StatusOr<SigmaValue> Cidr(absl::string_view range);
  static SigmaValue Null();  // the field is not there, or empty

  bool Matches(absl::string_view field) const;
  Kind kind() const { return kind_; }
  // The longest text without wildcard and blank that is in everything that matches; empty where there is none.
  std::string Literal() const;
  // Where all that matches ends in one slash and name (or is it): that name. Else empty.
  std::string BaseNameOnly() const;

 private:
  Kind kind_ = Kind::kText;
  std::vector<std::string> pieces_;  // lower case, with anything between two of them
  bool open_begin_ = false, open_end_ = false;
  std::shared_ptr<const re2::RE2> regex_;
  std::string address_;  // 4 or 16 bytes
  uint32_t prefix_ = 0;
};

// The forms of a value in which each dash before a word may be another one: -, /, and the three long ones. Empty where
// there are more than four.
std::vector<std::string> WindashForms(absl::string_view text);

}  // namespace holdpoint
