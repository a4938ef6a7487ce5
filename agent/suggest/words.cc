#include "agent/suggest/words.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxName = 200;
constexpr absl::string_view kRemoteShells[] = {"ssh", "scp", "sftp", "rsync", "mosh"};
constexpr absl::string_view kDatabaseClients[] = {"psql",  "pg_dump",   "pg_restore", "createdb",  "dropdb",   "mysql",
                                                  "mysqldump", "mysqladmin", "mariadb", "redis-cli", "mongo", "mongosh",
                                                  "mongodump", "mongorestore"};

template <size_t kSize>
bool IsOneOf(absl::string_view word, const absl::string_view (&words)[kSize]) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

absl::string_view BaseOf(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? path : path.substr(slash + 1);
}

// Without what a glob, a quoted text or a terminal would act on.
bool IsPlain(absl::string_view text) {
  return !text.empty() && text.size() <= kMaxName && !absl::StrContains(text, "...(+") &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return c > 0x20 && c < 0x7f && absl::string_view("*?[]{}\\\"'<>|`$!").find(static_cast<char>(c)) ==
                                              absl::string_view::npos;
         });
}

// The value of the options `names` at word i: "--x=y", "--x y", and "-xy" for short ones.
bool ValueOf(const std::vector<std::string>& argv, size_t i, std::initializer_list<absl::string_view> names,
             std::string* value) {
  for (const absl::string_view name : names) {
    const std::string& word = argv[i];
    if (word == name && i + 1 < argv.size()) {
      *value = argv[i + 1];
      return true;
    }
    const bool is_long = absl::StartsWith(name, "--");
    if (is_long && absl::StartsWith(word, absl::StrCat(name, "="))) {
      *value = word.substr(name.size() + 1);
      return true;
    }
    if (!is_long && word.size() > name.size() && absl::StartsWith(word, name)) {
      *value = word.substr(name.size());
      return true;
    }
  }
  return false;
}

std::string HostOfUrl(absl::string_view word) {
  const size_t scheme = word.find("://");
  if (scheme == absl::string_view::npos || scheme == 0) return "";
  if (absl::StrContains(word.substr(0, scheme), "file")) return "";
  absl::string_view rest = word.substr(scheme + 3);
  rest = rest.substr(0, rest.find_first_of("/?#"));
  if (const size_t at = rest.rfind('@'); at != absl::string_view::npos) rest.remove_prefix(at + 1);
  if (absl::StartsWith(rest, "[")) return PlainHost(rest.substr(1, rest.find(']') - 1));
  return PlainHost(rest.substr(0, rest.find(':')));
}

class Finder {
 public:
  Finder(const std::vector<std::string>& argv, absl::string_view cwd) : argv_(argv), cwd_(cwd) {}

  void Host(std::string host) {
    host = PlainHost(host);
    if (!host.empty()) things.push_back({NamedThing::Kind::kHost, "", std::move(host)});
  }
  void Resource(absl::string_view type, std::string name) {
    if (IsPlain(name)) things.push_back({NamedThing::Kind::kResource, std::string(type), std::move(name)});
  }
  std::string Absolute(std::string path) const {
    return absl::StartsWith(path, "/") || cwd_.empty() ? std::move(path) : absl::StrCat(cwd_, "/", path);
  }

  void RemoteShell(size_t i) {
    absl::string_view word = argv_[i];
    if (absl::StartsWith(word, "-") || absl::StrContains(word, "://")) return;
    const size_t at = word.find('@');
    if (at == absl::string_view::npos) return;  // Without it a host and a file look alike.
    word.remove_prefix(at + 1);
    Host(std::string(word.substr(0, word.find(':'))));
  }

  void Kubernetes(size_t i) {
    std::string value;
    if (ValueOf(argv_, i, {"--context", "--kube-context"}, &value)) Resource("kube-context", value);
    if (ValueOf(argv_, i, {"--kubeconfig"}, &value) && IsPlain(value)) {
      things.push_back({NamedThing::Kind::kCredentialFile, "", Absolute(value)});
    }
  }

  std::vector<NamedThing> things;

 private:
  const std::vector<std::string>& argv_;
  absl::string_view cwd_;
};

}  // namespace

std::string PlainHost(absl::string_view text) {
  std::string host = absl::AsciiStrToLower(text);
  while (absl::EndsWith(host, ".")) host.pop_back();
  const bool good = !host.empty() && host.size() <= 253 && host.front() != '-' && host.front() != '.' &&
                    std::all_of(host.begin(), host.end(), [](unsigned char c) {
                      return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '_' || c == ':';
                    });
  return good ? host : "";
}

std::vector<NamedThing> ThingsNamed(absl::string_view program, const std::vector<std::string>& argv,
                                    absl::string_view cwd) {
  const absl::string_view tool = BaseOf(program.empty() && !argv.empty() ? absl::string_view(argv[0]) : program);
  const bool compose = tool == "docker-compose" ||
                       (tool == "docker" && std::find(argv.begin(), argv.end(), "compose") != argv.end());
  Finder finder(argv, cwd);
  for (size_t i = 1; i < argv.size(); ++i) {
    // A word with blanks is a text, of a shell or of a message: what a shell starts is seen by itself.
    if (absl::StrContains(argv[i], "<redacted") || absl::StrContains(argv[i], ' ')) continue;
    if (std::string host = HostOfUrl(argv[i]); !host.empty()) finder.Host(std::move(host));
    std::string value;
    if (IsOneOf(tool, kRemoteShells)) finder.RemoteShell(i);
    if (IsOneOf(tool, kDatabaseClients) && ValueOf(argv, i, {"-h", "--host"}, &value)) finder.Host(value);
    if (tool == "kubectl" || tool == "helm") finder.Kubernetes(i);
    if (tool == "aws" && ValueOf(argv, i, {"--profile"}, &value)) finder.Resource("aws-profile", value);
    if (compose && ValueOf(argv, i, {"-f", "--file"}, &value)) finder.Resource("compose-file", finder.Absolute(value));
  }
  return std::move(finder.things);
}

}  // namespace holdpoint
