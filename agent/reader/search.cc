#include "agent/reader/search.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/base/status.h"

namespace holdpoint::reader {
namespace {

constexpr size_t kChunk = 1 << 20;

size_t Block(const char* at) {
  return static_cast<size_t>(static_cast<unsigned char>(at[0])) << 8 | static_cast<unsigned char>(at[1]);
}

}  // namespace

TextSearch::TextSearch(const std::vector<std::string>& texts) : ends_(256), left_(texts.size()) {
  window_ = 255;
  for (const std::string& text : texts) {
    texts_.push_back({.text = text});
    window_ = std::min(window_, text.size());
    longest_ = std::max(longest_, text.size());
  }
  shift_.assign(1 << 16, static_cast<uint8_t>(window_ - 1));
  for (size_t i = 0; i < texts_.size(); ++i) {
    const std::string& text = texts_[i].text;
    for (size_t end = 2; end <= window_; ++end) {
      uint8_t& shift = shift_[Block(&text[end - 2])];
      shift = std::min(shift, static_cast<uint8_t>(window_ - end));
    }
    ends_[static_cast<unsigned char>(text[window_ - 1])].push_back(i);
  }
}

void TextSearch::Scan(absl::string_view bytes) {
  size_t end = window_;
  while (end <= bytes.size()) {
    const size_t shift = shift_[Block(bytes.data() + end - 2)];
    if (shift > 0) {
      end += shift;
      continue;
    }
    for (const size_t i : ends_[static_cast<unsigned char>(bytes[end - 1])]) {
      Text& one = texts_[i];
      if (one.found || !absl::StartsWith(bytes.substr(end - window_), one.text)) continue;
      one.found = true;
      --left_;
    }
    ++end;
  }
}

void TextSearch::Add(absl::string_view bytes) {
  if (texts_.empty()) return;
  const size_t keep = longest_ - 1;
  // What lies across the border, then the rest.
  tail_.append(bytes.data(), std::min(bytes.size(), keep));
  Scan(tail_);
  Scan(bytes);
  tail_ = bytes.size() >= keep ? std::string(bytes.substr(bytes.size() - keep))
                               : tail_.substr(tail_.size() - std::min(tail_.size(), keep));
}

std::vector<std::string> TextSearch::Found() const {
  std::vector<std::string> found;
  for (const Text& text : texts_) {
    if (text.found) found.push_back(text.text);
  }
  return found;
}

absl::StatusOr<std::vector<std::string>> TextsInFile(int fd, const std::vector<std::string>& texts, uint64_t max) {
  for (const std::string& text : texts) {
    if (text.size() < TextSearch::kMinText) return absl::InvalidArgumentError("texts to find are too short");
  }
  struct stat st {};
  if (fstat(fd, &st) != 0) return ErrnoStatus("cannot be looked at");
  if (static_cast<uint64_t>(st.st_size) > max) return absl::ResourceExhaustedError(absl::StrCat("is larger than ", max));
  TextSearch search(texts);
  std::string chunk(kChunk, '\0');
  for (uint64_t at = 0; at < max && !search.FoundAll();) {
    const ssize_t n = pread(fd, chunk.data(), chunk.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus("cannot be read");
    if (n == 0) break;
    search.Add(absl::string_view(chunk.data(), static_cast<size_t>(n)));
    at += static_cast<uint64_t>(n);
  }
  return search.Found();
}

}  // namespace holdpoint::reader
