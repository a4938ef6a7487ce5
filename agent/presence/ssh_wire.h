#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace holdpoint {

// Reads the strings and numbers of OpenSSH's formats (RFC 4251, section 5) from bytes that anybody may have made. A
// read past the end fails and leaves everything behind it failed.
class SshReader {
 public:
  explicit SshReader(absl::string_view bytes) : rest_(bytes) {}

  bool Number(uint32_t* value) {
    absl::string_view bytes;
    if (!Bytes(4, &bytes)) return false;
    *value = 0;
    for (const char c : bytes) *value = *value << 8 | static_cast<unsigned char>(c);
    return true;
  }
  bool String(absl::string_view* text) {
    uint32_t size = 0;
    return Number(&size) && Bytes(size, text);
  }
  bool Bytes(size_t size, absl::string_view* bytes) {
    if (failed_ || size > rest_.size()) return !(failed_ = true);
    *bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }
  bool AtEnd() const { return !failed_ && rest_.empty(); }

 private:
  absl::string_view rest_;
  bool failed_ = false;
};

inline std::string SshNumber(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

inline std::string SshString(absl::string_view text) {
  return SshNumber(static_cast<uint32_t>(text.size())).append(text.data(), text.size());
}

}  // namespace holdpoint
