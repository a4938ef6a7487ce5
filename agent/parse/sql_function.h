#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "agent/parse/sql.h"

namespace holdpoint {

// What calling a function of a server does beyond reading, by its name (schema in front allowed, any case).
struct SqlFunction {
  SqlEffect effect = SqlEffect::kRead;
  std::string kind;
  bool runs_text = false;  // its text arguments are SQL that is run, now, elsewhere or on a schedule
  bool runs_program = false;
};

// kRead where nothing is known against it. A name that says it deletes is kUnseen: its body is not in the text.
SqlFunction SqlFunctionOf(absl::string_view name);

}  // namespace holdpoint
