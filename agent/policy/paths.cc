#include "agent/policy/paths.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace holdpoint {

std::string AbsolutePath(const ExecAct& act, absl::string_view word) {
  std::string path;
  if (absl::StartsWith(word, "/")) {
    path = std::string(word);
  } else if ((word == "~" || absl::StartsWith(word, "~/")) && !act.home.empty()) {
    path = absl::StrCat(act.home, word.substr(1));
  } else {
    path = absl::StrCat(act.cwd, "/", word);
  }
  // ".." is left: the reader resolves it over links.
  std::vector<absl::string_view> parts;
  for (const absl::string_view part : absl::StrSplit(path, '/', absl::SkipEmpty())) {
    if (part != ".") parts.push_back(part);
  }
  const bool folder = !parts.empty() && path.back() == '/';
  return absl::StrCat("/", absl::StrJoin(parts, "/"), folder ? "/" : "");
}

std::string CleanPath(absl::string_view path) {
  std::vector<absl::string_view> parts;
  for (const absl::string_view part : absl::StrSplit(path, '/', absl::SkipEmpty())) {
    if (part == ".") continue;
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else {
      parts.push_back(part);
    }
  }
  return absl::StrCat("/", absl::StrJoin(parts, "/"));
}

bool IsWithin(absl::string_view path, absl::string_view folder) {
  if (folder.empty()) return false;
  if (folder == "/" || path == folder) return true;
  return path.size() > folder.size() && absl::StartsWith(path, folder) && path[folder.size()] == '/';
}

bool IsBelow(absl::string_view path, absl::string_view folder) { return path != folder && IsWithin(path, folder); }

bool HasComponent(absl::string_view path, absl::string_view name) {
  for (const absl::string_view part : absl::StrSplit(path, '/')) {
    if (part == name) return true;
  }
  return false;
}

absl::string_view BaseName(absl::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? path : path.substr(slash + 1);
}

absl::string_view ParentPath(absl::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == absl::string_view::npos) return "";
  return slash == 0 ? absl::string_view("/") : path.substr(0, slash);
}

UnexpandedPath ReadUnexpanded(const ExecAct& act, absl::string_view word) {
  UnexpandedPath result;
  std::string text(word);
  for (const absl::string_view home : {"$HOME", "${HOME}"}) {
    if (absl::StartsWith(text, home) && (text.size() == home.size() || text[home.size()] == '/') && !act.home.empty()) {
      text = absl::StrCat(act.home, text.substr(home.size()));
    }
  }
  for (const absl::string_view cwd : {"$PWD", "${PWD}", "$(pwd)", "`pwd`"}) {
    if (absl::StartsWith(text, cwd) && (text.size() == cwd.size() || text[cwd.size()] == '/')) {
      text = absl::StrCat(act.cwd, text.substr(cwd.size()));
    }
  }
  // What a last "*" names is everything in its folder.
  for (const absl::string_view all : {"/*", "/.*", "/{*,.*}", "/.[!.]*", "/**"}) {
    if (absl::EndsWith(text, all)) {
      text.resize(text.size() - all.size());
      if (text.empty()) text = "/";
      result.all = true;
    }
  }
  if (text == "*" || text == ".*" || text == "{*,.*}" || text == "**") {
    text = ".";
    result.all = true;
  }
  result.opaque = text.find_first_of("$`*?[{") != std::string::npos;
  result.path = AbsolutePath(act, text);
  return result;
}

}  // namespace holdpoint
