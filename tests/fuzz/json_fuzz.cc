#include <cstdint>
#include <cstdlib>
#include <string>

#include "agent/parse/json_body.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdpoint;
  const auto parsed = ParseJson(std::string(reinterpret_cast<const char*>(data), size));
  if (!parsed.ok()) return 0;
  // What was read can be written, and reads the same again.
  const std::string written = WriteJson(parsed->root);
  const auto again = ParseJson(written, {.max_bytes = written.size()});
  if (!again.ok() || WriteJson(again->root) != written) std::abort();
  return 0;
}
