#include <cstdint>
#include <string>

#include "agent/parse/shell_words.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)holdpoint::SplitShell(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
