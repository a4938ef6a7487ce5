#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace holdpoint::reader {

// Finds texts in a stream of bytes, all in one pass that looks at few of them: by the blocks of two bytes at the end of
// a window as long as the shortest text (Wu and Manber). Texts need at least kMinText bytes.
class TextSearch {
 public:
  static constexpr size_t kMinText = 8;

  explicit TextSearch(const std::vector<std::string>& texts);
  // Looks at the next bytes; texts that lie across two calls are found.
  void Add(absl::string_view bytes);
  bool FoundAll() const { return left_ == 0; }
  std::vector<std::string> Found() const;

 private:
  void Scan(absl::string_view bytes);

  struct Text {
    std::string text;
    bool found = false;
  };
  std::vector<Text> texts_;
  std::vector<uint8_t> shift_;             // by block
  std::vector<std::vector<size_t>> ends_;  // by the low byte of a block whose shift is 0: texts whose window ends so
  size_t window_ = 0;
  size_t longest_ = 0;
  size_t left_ = 0;
  std::string tail_;  // of what was looked at, shorter than the longest text
};

// Those of `texts` that are somewhere in the file. kInvalidArgument: a text shorter than kMinText;
// kResourceExhausted: a file larger than `max`.
absl::StatusOr<std::vector<std::string>> TextsInFile(int fd, const std::vector<std::string>& texts, uint64_t max);

}  // namespace holdpoint::reader
