#include "agent/policy/matcher.h"

#include <re2/filtered_re2.h>
#include <re2/re2.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/base/status.h"
#include "agent/environment/glob.h"

namespace holdpoint {
namespace {

constexpr int64_t kRegexMemory = 1 << 20;

// Some texts of which one is in whatever a regular expression matches, where RE2 can say so; empty: it can't. It says them
// in lower case.
std::set<std::string> TextsNeeded(const re2::RE2& regex) {
  for (int least = 4; least >= 1; --least) {  // Longer texts are in fewer words.
    re2::FilteredRE2 filter(least);
    int id = 0;
    std::vector<std::string> texts;
    if (filter.Add(regex.pattern(), regex.options(), &id) != re2::RE2::NoError) return {};
    filter.Compile(&texts);
    std::vector<int> always;
    filter.AllPotentials({}, &always);
    if (!always.empty() || texts.empty()) continue;
    const auto is_ascii = [](const std::string& text) {
      return std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isascii(static_cast<unsigned char>(c)); });
    };
    if (!std::all_of(texts.begin(), texts.end(), is_ascii)) return {};
    std::set<std::string> needed(texts.begin(), texts.end());
    // Two letters outside ASCII are a k and an s to an expression that does not mind case.
    needed.insert({"\xe2\x84\xaa", "\xc5\xbf"});
    return needed;
  }
  return {};
}

}  // namespace

// A regular expression and what is in all that it matches, which takes long to find out and is asked for each tool.
class Matcher::Regex {
 public:
  Regex(const std::string& pattern, const re2::RE2::Options& options) : expression(pattern, options) {}

  const std::set<std::string>& Needed() const {
    std::call_once(asked_, [this] { needed_ = TextsNeeded(expression); });
    return needed_;
  }

  const re2::RE2 expression;

 private:
  mutable std::once_flag asked_;
  mutable std::set<std::string> needed_;
};

Matcher Matcher::Exact(std::string text) {
  Matcher m;
  m.text_ = std::move(text);
  return m;
}

absl::StatusOr<Matcher> Matcher::Read(const YamlValue& value) {
  if (value.node().kind == YamlNode::Kind::kList) {
    HP_ASSIGN_OR_RETURN(const std::vector<YamlValue> items, value.List());
    if (items.empty()) return value.Wrong("at least one text to compare with");
    Matcher any;
    any.kind_ = Kind::kAny;
    for (const YamlValue& item : items) {
      HP_ASSIGN_OR_RETURN(Matcher part, Read(item));
      any.parts_.push_back(std::move(part));
    }
    return any;
  }
  if (value.node().kind != YamlNode::Kind::kMap) {
    HP_ASSIGN_OR_RETURN(std::string text, value.Scalar());
    return Exact(std::move(text));
  }
  HP_ASSIGN_OR_RETURN(const YamlMap map, value.Map({"glob", "regex", "prefix", "suffix", "contains", "not", "nocase"}));
  Matcher all;
  all.kind_ = Kind::kAll;
  HP_RETURN_IF_ERROR(map.Optional("nocase", &all.nocase_));
  for (const YamlEntry& entry : value.node().entries) {
    if (entry.key == "nocase") continue;
    HP_ASSIGN_OR_RETURN(const YamlValue test, map.Get(entry.key));
    Matcher part;
    part.nocase_ = all.nocase_;
    if (entry.key == "not") {
      part.kind_ = Kind::kNot;
      HP_ASSIGN_OR_RETURN(Matcher inner, Read(test));
      part.parts_.push_back(std::move(inner));
      all.parts_.push_back(std::move(part));
      continue;
    }
    HP_ASSIGN_OR_RETURN(part.text_, test.Scalar());
    if (entry.key == "glob") {
      part.kind_ = Kind::kGlob;
      if (const absl::Status ok = CheckGlob(part.text_); !ok.ok()) {
        return test.Error(absl::StrCat("wanted a glob, got ", ok.message()));
      }
    } else if (entry.key == "regex") {
      part.kind_ = Kind::kRegex;
      re2::RE2::Options options(re2::RE2::Quiet);
      options.set_max_mem(kRegexMemory);
      options.set_case_sensitive(!all.nocase_);
      options.set_never_capture(true);
      part.regex_ = std::make_shared<const Regex>(part.text_, options);
      if (!part.regex_->expression.ok()) {
        return test.Error(
            absl::StrCat("wanted a regular expression (RE2), got one with the error: ", part.regex_->expression.error()));
      }
    } else {
      part.kind_ = entry.key == "prefix" ? Kind::kPrefix : entry.key == "suffix" ? Kind::kSuffix : Kind::kContains;
    }
    if (part.nocase_) part.text_ = absl::AsciiStrToLower(part.text_);
    all.parts_.push_back(std::move(part));
  }
  if (all.parts_.empty()) return value.Wrong("at least one of glob, regex, prefix, suffix, contains and not");
  return all;
}

bool Matcher::Matches(absl::string_view text) const {
  std::string lowered;
  if (nocase_ && kind_ != Kind::kRegex && kind_ != Kind::kAll) {
    lowered = absl::AsciiStrToLower(text);
    text = lowered;
  }
  switch (kind_) {
    case Kind::kExact:
      return text == text_;
    case Kind::kGlob:
      return GlobMatches(text_, text);
    case Kind::kRegex:
      return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), regex_->expression);
    case Kind::kPrefix:
      return absl::StartsWith(text, text_);
    case Kind::kSuffix:
      return absl::EndsWith(text, text_);
    case Kind::kContains:
      return absl::StrContains(text, text_);
    case Kind::kNot:
      return !parts_[0].Matches(text);
    case Kind::kAny:
      for (const Matcher& part : parts_) {
        if (part.Matches(text)) return true;
      }
      return false;
    case Kind::kAll:
      for (const Matcher& part : parts_) {
        if (!part.Matches(text)) return false;
      }
      return true;
  }
  return false;
}

std::vector<std::string> Matcher::ExactTexts() const {
  if (kind_ == Kind::kExact && !nocase_) return {text_};
  if (kind_ != Kind::kAny) return {};
  std::vector<std::string> texts;
  for (const Matcher& part : parts_) {
    const std::vector<std::string> some = part.ExactTexts();
    if (some.empty()) return {};
    texts.insert(texts.end(), some.begin(), some.end());
  }
  return texts;
}

namespace {

// The longest text without a wildcard; what stands in brackets or braces is none.
std::string LongestText(absl::string_view glob) {
  std::string best, run;
  int depth = 0;
  for (const char c : glob) {
    if (c == '[' || c == '{') ++depth;
    if (depth > 0 || absl::StrContains("*?\\", c)) {
      if (run.size() > best.size()) best = run;
      run.clear();
    } else {
      run.push_back(c);
    }
    if ((c == ']' || c == '}') && depth > 0) --depth;
  }
  return run.size() > best.size() ? run : best;
}

}  // namespace

bool Matcher::AddNeeded(ArgvPatterns* patterns) const {
  std::string part = text_;
  switch (kind_) {
    case Kind::kExact:
      if (!nocase_) {
        patterns->words.insert(text_);
        return true;
      }
      break;
    case Kind::kPrefix:
      if (!nocase_ && !text_.empty()) {
        patterns->beginnings.insert(text_);
        return true;
      }
      break;
    case Kind::kGlob:
      part = LongestText(text_);
      break;
    case Kind::kSuffix:
    case Kind::kContains:
      break;
    case Kind::kRegex:
      patterns->parts.insert(regex_->Needed().begin(), regex_->Needed().end());
      return !regex_->Needed().empty();
    case Kind::kNot:
      return false;
    case Kind::kAny: {
      ArgvPatterns all;
      for (const Matcher& each : parts_) {
        if (!each.AddNeeded(&all)) return false;
      }
      patterns->Add(all);
      return true;
    }
    case Kind::kAll: {
      std::optional<ArgvPatterns> best;
      for (const Matcher& each : parts_) {
        ArgvPatterns one;
        if (each.AddNeeded(&one) && (!best.has_value() || one.size() < best->size())) best = std::move(one);
      }
      if (best.has_value()) patterns->Add(*best);
      return best.has_value();
    }
  }
  if (part.empty()) return false;
  patterns->parts.insert(std::move(part));
  return true;
}

}  // namespace holdpoint
