#include "agent/base/escape.h"

#include "absl/strings/str_format.h"

namespace holdpoint {

std::string EscapeForTerminal(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\\') {
      out += "\\\\";
    } else if (byte < 0x20 || byte > 0x7e) {
      absl::StrAppendFormat(&out, "\\x%02x", byte);
    } else {
      out += c;
    }
  }
  return out;
}

std::string EscapeAndClip(absl::string_view text, size_t max) {
  std::string out = EscapeForTerminal(text.substr(0, max));
  if (out.size() > max || text.size() > max) {
    out.resize(std::min(out.size(), max - 3));
    out += "...";
  }
  return out;
}

std::string RenderArgv(const std::vector<std::string>& argv, size_t max) {
  std::string text;
  for (const std::string& word : argv) {
    if (!text.empty()) text += ' ';
    const bool plain = !word.empty() && word.find_first_of(" \t\n\"'\\$`;&|<>(){}*?#~!") == std::string::npos;
    if (plain) {
      text += word;
    } else {
      text += '\'';
      for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
      text += '\'';
    }
    if (text.size() > max) break;
  }
  return EscapeAndClip(text, max);
}

}  // namespace holdpoint
