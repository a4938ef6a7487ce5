#include "agent/cli/qr_code.h"

#include <qrencode.h>

#include <memory>

#include "agent/base/status.h"

namespace holdpoint {
namespace {

constexpr int kQuiet = 2;  // modules of light around it; programs that read it want some

struct CodeFree {
  void operator()(QRcode* code) const { QRcode_free(code); }
};

}  // namespace

absl::StatusOr<std::string> RenderQrCode(const std::string& text) {
  const std::unique_ptr<QRcode, CodeFree> code(QRcode_encodeString8bit(text.c_str(), 0, QR_ECLEVEL_L));
  if (code == nullptr) return absl::InvalidArgumentError("this cannot be shown as a QR code");
  const int width = code->width;
  const auto dark = [&code, width](int x, int y) {
    return x >= 0 && y >= 0 && x < width && y < width && (code->data[y * width + x] & 1) != 0;
  };
  std::string lines;
  for (int y = -kQuiet; y < width + kQuiet; y += 2) {
    lines += "\x1b[30;107m";  // black on white
    for (int x = -kQuiet; x < width + kQuiet; ++x) {
      const bool upper = dark(x, y), lower = dark(x, y + 1);
      lines += upper && lower ? "\u2588" : upper ? "\u2580" : lower ? "\u2584" : " ";
    }
    lines += "\x1b[0m\n";
  }
  return lines;
}

}  // namespace holdpoint
