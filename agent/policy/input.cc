#include "agent/policy/input.h"

#include "absl/strings/str_cat.h"
#include "agent/policy/paths.h"

namespace holdpoint {
namespace {

InputText FromContent(const v1::ContentFact* fact, absl::string_view word) {
  InputText input{.expected = true, .text = "", .whole = false, .unseen = ""};
  if (fact == nullptr) {
    input.unseen = absl::StrCat(word, " was not read");
  } else if (!fact->problem().empty()) {
    input.unseen = absl::StrCat(word, ": ", fact->problem());
  } else {
    input.text = fact->content();
    input.whole = !fact->cut();
    input.cut = fact->cut();
    if (fact->cut()) input.unseen = absl::StrCat(word, " past its first ", fact->content().size(), " bytes");
  }
  return input;
}

}  // namespace

InputText ReadInput(const ExecAct& act, FactBook* facts) {
  if (act.input_text.has_value()) return {.expected = true, .text = *act.input_text, .whole = true, .unseen = ""};
  if (!act.input_file.empty()) return FromContent(facts->Content(AbsolutePath(act, act.input_file)), act.input_file);
  InputText input;
  if (act.stdin_kind.empty() && !act.piped_input) return input;
  input.expected = true;
  if (act.piped_input || act.stdin_kind == "terminal") {
    input.unseen = absl::StrCat("standard input, a ", act.piped_input ? "pipe" : act.stdin_kind);
    return input;
  }
  const v1::StandardInputFact* fact = facts->StandardInput();
  if (fact == nullptr || !fact->problem().empty()) {
    input.unseen = absl::StrCat("standard input, a ", act.stdin_kind, fact == nullptr ? "" : ": ",
                                fact == nullptr ? "" : fact->problem());
    return input;
  }
  input.text = fact->content();
  input.whole = fact->whole() && !fact->cut();
  input.cut = !input.whole;
  if (!input.whole) {
    input.unseen = absl::StrCat("standard input, a ", act.stdin_kind, ", past its first ", fact->content().size(), " bytes");
  }
  return input;
}

InputText ReadNamedText(const ExecAct& act, const std::string& word, FactBook* facts) {
  if (word == "-" || word == "/dev/stdin" || word == "/dev/fd/0" || word == "/proc/self/fd/0") return ReadInput(act, facts);
  if (act.place != ExecAct::Place::kHere) {
    return {.expected = true, .text = "", .whole = false, .unseen = absl::StrCat(word, ", which lies elsewhere")};
  }
  return FromContent(facts->Content(AbsolutePath(act, word)), word);
}

}  // namespace holdpoint
