#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace holdpoint {

// Where a byte stands in the document, both from 1. Lines end at \n, \r or \r\n, as comments do.
struct GraphqlPosition {
  int line = 1;
  int column = 1;
};

struct GraphqlToken {
  enum class Kind { kEnd, kPunctuator, kName, kNumber, kString };
  Kind kind = Kind::kEnd;
  std::string text;  // the punctuator ("{", "...", ...), the name, the number as written, the string decoded
  GraphqlPosition position;
};

// Divides a document into tokens; white space, commas, comments and byte order marks are between them.
class GraphqlLexer {
 public:
  // `document` must outlive the lexer.
  explicit GraphqlLexer(absl::string_view document) : text_(document) {}

  // Errors: kInvalidArgument with the position (a byte outside the language, a string that does not end).
  absl::StatusOr<GraphqlToken> Next();

 private:
  void SkipIgnored();
  void Advance(size_t bytes);
  bool At(absl::string_view prefix) const { return text_.substr(at_, prefix.size()) == prefix; }
  absl::Status Error(absl::string_view what) const;
  absl::StatusOr<std::string> TakeString();
  absl::StatusOr<std::string> TakeBlockString();
  absl::Status TakeEscape(std::string* out);
  bool TakeHex4(uint32_t* value);

  absl::string_view text_;
  size_t at_ = 0;
  GraphqlPosition position_;
};

}  // namespace holdpoint
