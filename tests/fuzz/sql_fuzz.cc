// The first byte says in which dialect, and whether through a client.
#include <cstdint>
#include <string>

#include "agent/parse/sql.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  holdpoint::SqlOptions options;
  options.dialect = static_cast<holdpoint::SqlDialect>(data[0] % 7);
  options.client = (data[0] & 0x40) == 0;
  const holdpoint::SqlScript script =
      holdpoint::ParseSql(std::string(reinterpret_cast<const char*>(data + 1), size - 1), options);
  for (const holdpoint::SqlStatement& statement : script.statements) {
    if (statement.effect == holdpoint::SqlEffect::kUnseen && statement.note.empty()) __builtin_trap();
  }
  return 0;
}
