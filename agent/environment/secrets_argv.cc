#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/environment/secrets.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxWords = 256;

enum class Form {
  kWhole,       // the value is the secret
  kAfterColon,  // user:secret; without the second part the first is it
  kAfterPercent,
  kPairs,   // NAME=VALUE; without = it is a file
  kHeader,  // Name:VALUE without a blank, which running text cannot be told from
};

struct SecretOption {
  absl::string_view programs;  // base names, each between spaces
  absl::string_view option;
  Form form;
  bool attached;            // -pVALUE
  bool separate;            // -p VALUE
  absl::string_view needs;  // a word that comes before, "" for none
};

constexpr absl::string_view kCurl = " curl curlie ";
constexpr absl::string_view kHttpie = " http https xh xhs ";
constexpr absl::string_view kMysql =
    " mysql mysqldump mysqladmin mysqlimport mysqlshow mariadb mariadb-dump mariadb-admin mycli ";
constexpr absl::string_view kMongo = " mongo mongosh mongodump mongorestore mongoexport mongoimport ";
constexpr absl::string_view kRegistry = " docker podman nerdctl buildah skopeo oras crane helm az ";
constexpr absl::string_view kLdap = " ldapsearch ldapadd ldapmodify ldapdelete ldappasswd ";

constexpr SecretOption kOptions[] = {
    {kCurl, "-u", Form::kAfterColon, true, true, ""},
    {kCurl, "--user", Form::kAfterColon, false, true, ""},
    {kCurl, "-U", Form::kAfterColon, true, true, ""},
    {kCurl, "--proxy-user", Form::kAfterColon, false, true, ""},
    {kCurl, "--oauth2-bearer", Form::kWhole, false, true, ""},
    {kCurl, "-H", Form::kHeader, true, true, ""},
    {kCurl, "--header", Form::kHeader, false, true, ""},
    {" wget wget2 ", "--header", Form::kHeader, false, true, ""},
    {kCurl, "-b", Form::kPairs, true, true, ""},
    {kCurl, "--cookie", Form::kPairs, false, true, ""},
    {kHttpie, "-a", Form::kAfterColon, true, true, ""},
    {kHttpie, "--auth", Form::kAfterColon, false, true, ""},
    {kMysql, "-p", Form::kWhole, true, false, ""},
    {" sshpass ", "-p", Form::kWhole, true, true, ""},
    {" redis-cli valkey-cli ", "-a", Form::kWhole, false, true, ""},
    {kMongo, "-p", Form::kWhole, true, true, ""},
    {kRegistry, "-p", Form::kWhole, true, true, "login"},
    {kLdap, "-w", Form::kWhole, true, true, ""},
    {" sqlcmd ", "-P", Form::kWhole, true, true, ""},
    {" zip unzip ", "-P", Form::kWhole, true, true, ""},
    {" smbclient rpcclient ", "-U", Form::kAfterPercent, true, true, ""},
    {" openssl ", "-passin", Form::kAfterColon, false, true, ""},
    {" openssl ", "-passout", Form::kAfterColon, false, true, ""},
    {" openssl ", "-pass", Form::kAfterColon, false, true, ""},
};

absl::string_view BaseName(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? path : path.substr(slash + 1);
}

bool IsPlainName(absl::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.';
  });
}

using Options = std::vector<const SecretOption*>;

// The options of the program with this name; null where it has none.
const Options* OptionsOf(absl::string_view name) {
  static const auto* const programs = [] {
    auto* const all = new absl::flat_hash_map<absl::string_view, Options>;
    for (const SecretOption& option : kOptions) {
      for (const absl::string_view program : absl::StrSplit(option.programs, ' ', absl::SkipEmpty())) {
        (*all)[program].push_back(&option);
      }
    }
    return all;
  }();
  const auto found = programs->find(name);
  return found == programs->end() ? nullptr : &found->second;
}

// Where the secret of a value of this form is, relative to its begin.
std::optional<SecretSpan> SpanOf(Form form, absl::string_view value, absl::string_view kind) {
  size_t begin = 0, size = value.size();
  switch (form) {
    case Form::kWhole:
      break;
    case Form::kPairs:
      if (!absl::StrContains(value, '=')) return std::nullopt;
      break;
    case Form::kHeader: {
      const size_t colon = value.find(':');
      if (colon == absl::string_view::npos || colon + 1 == value.size() || value[colon + 1] == ' ') return std::nullopt;
      if (!IsSecretName(value.substr(0, colon))) return std::nullopt;
      const std::string name = absl::AsciiStrToLower(value.substr(0, colon));
      const size_t scheme = absl::EndsWith(name, "authorization") ? value.find(' ', colon) : absl::string_view::npos;
      begin = (scheme == absl::string_view::npos ? colon : scheme) + 1;
      return SecretSpan{begin, value.size() - begin, absl::StrCat("header ", name)};
    }
    case Form::kAfterColon:
    case Form::kAfterPercent: {
      const size_t sign = value.find(form == Form::kAfterColon ? ':' : '%');
      if (sign == absl::string_view::npos) return std::nullopt;
      if (value.substr(0, sign) == "file" || value.substr(0, sign) == "env") return std::nullopt;  // openssl
      const bool second = sign + 1 < value.size();
      begin = second ? sign + 1 : 0;
      size = second ? value.size() - begin : sign;
    }
  }
  if (size == 0) return std::nullopt;
  return SecretSpan{begin, size, std::string(kind)};
}

struct SubWord {
  size_t begin = 0;
  std::string text;
};

// The words of a shell's text as far as they can be told apart without running it; outer quotes are left out.
std::vector<SubWord> SplitShellText(absl::string_view text) {
  std::vector<SubWord> words;
  size_t i = 0;
  const auto separates = [](char c) {
    return absl::ascii_isspace(static_cast<unsigned char>(c)) || absl::StrContains(";|&()<>", c);
  };
  while (i < text.size() && words.size() < kMaxWords) {
    while (i < text.size() && separates(text[i])) ++i;
    const size_t begin = i;
    char quote = 0;
    for (; i < text.size() && (quote != 0 || !separates(text[i])); ++i) {
      if (text[i] == '\\' && quote != '\'' && i + 1 < text.size()) {
        ++i;
      } else if (quote != 0) {
        if (text[i] == quote) quote = 0;
      } else if (text[i] == '"' || text[i] == '\'') {
        quote = text[i];
      }
    }
    size_t end = std::min(i, text.size());
    size_t inner = begin;
    if (end - begin >= 2 && (text[begin] == '"' || text[begin] == '\'') && text[end - 1] == text[begin]) {
      ++inner;
      --end;
    }
    if (end > inner) words.push_back(SubWord{inner, std::string(text.substr(inner, end - inner))});
  }
  return words;
}

class ArgvScanner {
 public:
  ArgvScanner(absl::Span<const std::string> argv, int depth)
      : argv_(argv.first(std::min(argv.size(), kMaxWords))), depth_(depth) {}

  std::vector<ArgvSecret> Scan() {
    size_t scanned = 0;
    for (word_ = 0; word_ < argv_.size() && scanned < kMaxScannedText; ++word_) {
      scanned += argv_[word_].size();
      ScanWord(argv_[word_]);
    }
    return Merged();
  }

 private:
  void Add(SecretSpan span, size_t offset = 0) {
    if (span.size == 0) return;  // PASSWORD='' holds none.
    span.begin += offset;
    found_.push_back(ArgvSecret{word_, std::move(span)});
  }

  void ScanWord(absl::string_view word) {
    if (pending_) {
      const auto [form, kind] = *std::exchange(pending_, std::nullopt);
      if (auto span = SpanOf(form, word, kind)) {
        Add(*std::move(span));
        if (form == Form::kWhole) return;
      }
    }
    const absl::string_view base = BaseName(word);
    // The words that follow are this program's, as far as can be told.
    if (const Options* const own = OptionsOf(base); word_ == 0 || own != nullptr) options_ = own;
    if (!ScanOption(word)) ScanAssignment(word);
    for (SecretSpan& span : FindSecretsInText(word)) Add(std::move(span));
    const bool has_blank = word.find_first_of(" \t\n") != absl::string_view::npos;
    if (has_blank && depth_ < 2) ScanShellText(word);
    before_ = word;
    seen_ += absl::StrCat(" ", word.substr(0, 64), " ");
  }

  // An option of the program at hand, or one whose name says that a secret follows.
  bool ScanOption(absl::string_view word) {
    if (word.size() < 2 || word[0] != '-') return false;
    for (size_t i = 0; options_ != nullptr && i < options_->size(); ++i) {
      const SecretOption& option = *(*options_)[i];
      if (!option.needs.empty() && !absl::StrContains(seen_, absl::StrCat(" ", option.needs, " "))) continue;
      const std::string kind = absl::StrCat("option ", option.option);
      if (word == option.option) {
        if (option.separate) pending_ = {option.form, kind};
        return true;
      }
      const bool is_long = absl::StartsWith(option.option, "--");
      // -sSu user:secret
      if (!is_long && option.separate && word[1] != '-' && word.back() == option.option.back() &&
          std::all_of(word.begin() + 1, word.end(), [](char c) { return absl::ascii_isalpha(c); })) {
        pending_ = {option.form, kind};
        return true;
      }
      const std::string start = is_long ? absl::StrCat(option.option, "=") : std::string(option.option);
      if ((option.attached || is_long) && absl::StartsWith(word, start)) {
        const absl::string_view value = word.substr(start.size());
        if (auto span = SpanOf(option.form, value, kind)) Add(*std::move(span), start.size());
        return true;
      }
    }
    if (absl::StartsWith(word, "--") || (word.size() > 3 && word[1] != '-')) {
      const absl::string_view name = word.substr(word[1] == '-' ? 2 : 1);
      // A private key in quotes begins with dashes too, and `kind` is recorded.
      if (IsPlainName(name) && IsSecretName(name) && !NextIsNoValue()) {
        pending_ = {Form::kWhole, absl::StrCat("option ", word)};
        return true;
      }
    }
    return false;
  }

  // What follows "--token" is another option, or a description such as "id=npm,src=file" of docker build.
  bool NextIsNoValue() const {
    if (word_ + 1 >= argv_.size()) return true;
    const std::string& next = argv_[word_ + 1];
    return (absl::StartsWith(next, "-") && next.size() > 1) || absl::StartsWith(next, "id=") ||
           absl::StartsWith(next, "type=");
  }

  // A word that is NAME=VALUE or --name=VALUE as a whole: all behind the = is the value, blanks too.
  void ScanAssignment(absl::string_view word) {
    const size_t equals = word.find('=');
    if (equals == absl::string_view::npos || equals + 1 == word.size()) return;
    absl::string_view name = word.substr(0, equals);
    const bool option = absl::StartsWith(name, "-");
    while (!name.empty() && name[0] == '-') name.remove_prefix(1);
    if (!IsPlainName(name) || !IsSecretName(name) || (!option && IsShellText())) return;
    absl::string_view value = word.substr(equals + 1);
    if (absl::StartsWith(value, "<redacted") || absl::StartsWith(value, "id=")) return;
    const bool quoted =
        depth_ > 0 && value.size() >= 2 && (value[0] == '"' || value[0] == '\'') && value.back() == value[0];
    if (quoted) value = value.substr(1, value.size() - 2);
    Add(SecretSpan{static_cast<size_t>(value.data() - word.data()), value.size(),
                   option ? absl::StrCat("option --", name) : absl::StrCat("variable ", name)});
  }

  // The word before is -c, -lc, ...: this one is a script, which may begin with an assignment.
  bool IsShellText() const {
    return before_.size() >= 2 && before_[0] == '-' && before_[1] != '-' && before_.back() == 'c';
  }

  void ScanShellText(absl::string_view word) {
    const std::vector<SubWord> words = SplitShellText(word);
    std::vector<std::string> texts;
    texts.reserve(words.size());
    for (const SubWord& sub : words) texts.push_back(sub.text);
    for (ArgvSecret& secret : ArgvScanner(texts, depth_ + 1).Scan()) {
      Add(std::move(secret.span), words[secret.word].begin);
    }
  }

  std::vector<ArgvSecret> Merged() {
    std::vector<ArgvSecret> merged;
    for (size_t i = 0; i < found_.size();) {
      const size_t word = found_[i].word;  // Found word by word.
      std::vector<SecretSpan> spans;
      for (; i < found_.size() && found_[i].word == word; ++i) spans.push_back(std::move(found_[i].span));
      MergeSpans(&spans);
      for (SecretSpan& span : spans) merged.push_back(ArgvSecret{word, std::move(span)});
    }
    return merged;
  }

  const absl::Span<const std::string> argv_;
  const int depth_;
  size_t word_ = 0;
  const Options* options_ = nullptr;  // of the program at hand
  std::string seen_;
  absl::string_view before_;
  std::optional<std::pair<Form, std::string>> pending_;
  std::vector<ArgvSecret> found_;
};

}  // namespace

std::vector<ArgvSecret> FindSecretsInArgv(absl::Span<const std::string> argv) { return ArgvScanner(argv, 0).Scan(); }

}  // namespace holdpoint
