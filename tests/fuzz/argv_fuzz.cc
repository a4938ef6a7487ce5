// First line: an option table in text form. The others: argv.
#include <cstdlib>

#include "agent/parse/argv.h"
#include "tests/fuzz/words.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdpoint;
  std::vector<std::string> words = Words(data, size);
  for (bool flag : {false, true}) {
    const OptionTable table =
        OptionTable::FromText(words[0], {.stop_at_first_operand = flag, .single_dash_long = flag});
    const ParsedArgv parsed = ParseArgv(table, absl::MakeConstSpan(words).subspan(1));
    // Every word is used at most once, and those that were used lie in argv.
    if (parsed.operands.size() > words.size()) std::abort();
    for (const ParsedOperand& operand : parsed.operands) {
      if (operand.value != words.at(operand.index + 1)) std::abort();
    }
  }
  return 0;
}
