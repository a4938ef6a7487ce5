// First line: variables as JSON. The others: the document.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "agent/parse/graphql.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const size_t line = std::min(text.find('\n'), text.size());
  const std::string document = text.substr(std::min(line + 1, text.size()));
  (void)holdpoint::ParseGraphql(document, text.substr(0, line), "A");
  return 0;
}
