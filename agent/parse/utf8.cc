#include "agent/parse/utf8.h"

#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace {

// Length of the well-formed UTF-8 sequence at `at`, 0 where there is none.
size_t Utf8Length(absl::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(at + i < text.size() ? text[at + i] : 0); };
  const unsigned char lead = byte(0);
  const auto tail = [&](size_t i, unsigned char low = 0x80, unsigned char high = 0xbf) {
    return byte(i) >= low && byte(i) <= high;
  };
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return tail(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    return tail(1, lead == 0xe0 ? 0xa0 : 0x80, lead == 0xed ? 0x9f : 0xbf) && tail(2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    return tail(1, lead == 0xf0 ? 0x90 : 0x80, lead == 0xf4 ? 0x8f : 0xbf) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

void AppendUtf8(uint32_t code, std::string* out) {
  if (code < 0x80) {
    out->push_back(static_cast<char>(code));
    return;
  }
  const int tail = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  static constexpr unsigned char kLead[] = {0, 0xc0, 0xe0, 0xf0};
  out->push_back(static_cast<char>(kLead[tail] | code >> (6 * tail)));
  for (int i = tail - 1; i >= 0; --i) out->push_back(static_cast<char>(0x80 | (code >> (6 * i) & 0x3f)));
}

std::string ReplaceInvalidUtf8(absl::string_view text, bool* replaced) {
  std::string out;
  out.reserve(text.size());
  size_t kept = 0;  // all before it is in `out`
  for (size_t i = 0; i < text.size();) {
    const size_t length = static_cast<unsigned char>(text[i]) < 0x80 ? 1 : Utf8Length(text, i);
    if (length == 0) {
      *replaced = true;
      absl::StrAppend(&out, text.substr(kept, i - kept), "\xef\xbf\xbd");
      kept = ++i;
    }
    i += length;
  }
  absl::StrAppend(&out, text.substr(kept));
  return out;
}

}  // namespace holdpoint
