#include "agent/environment/glob.h"

#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace {

// Length of the set that starts at pattern[0] == '[', or 0 where it is never closed.
size_t SetLength(absl::string_view pattern) {
  size_t i = 1;
  if (i < pattern.size() && pattern[i] == '!') ++i;
  if (i < pattern.size() && pattern[i] == ']') ++i;  // A first ] stands for itself.
  while (i < pattern.size() && pattern[i] != ']') ++i;
  return i < pattern.size() ? i + 1 : 0;
}

bool SetHolds(absl::string_view set, char c) {
  absl::string_view inside = set.substr(1, set.size() - 2);
  const bool negated = !inside.empty() && inside[0] == '!';
  if (negated) inside.remove_prefix(1);
  bool holds = false;
  for (size_t i = 0; i < inside.size(); ++i) {
    if (i + 2 < inside.size() && inside[i + 1] == '-') {
      holds = holds || (inside[i] <= c && c <= inside[i + 2]);
      i += 2;
    } else {
      holds = holds || inside[i] == c;
    }
  }
  return holds != negated;
}

// One character of text against the head of the pattern; gives the pattern's length consumed, 0 for no match.
size_t MatchOne(absl::string_view pattern, char c, bool path) {
  switch (pattern[0]) {
    case '?':
      return path && c == '/' ? 0 : 1;
    case '[': {
      const size_t length = SetLength(pattern);
      if (length == 0 || (path && c == '/')) return 0;
      return SetHolds(pattern.substr(0, length), c) ? length : 0;
    }
    default:
      return pattern[0] == c ? 1 : 0;
  }
}

// Two places to go back to: the last `*`, which takes one more character each time, and the last `**` before it,
// which may go on where a `*` of a path is stopped by a slash.
bool Match(absl::string_view pattern, absl::string_view text, bool path) {
  constexpr size_t kNone = absl::string_view::npos;
  size_t p = 0, t = 0;
  size_t star_p = kNone, star_t = 0, deep_p = kNone, deep_t = 0;
  bool deep_whole = false;  // The last ** stands for whole components: go on only behind a slash.
  while (true) {
    if (p < pattern.size() && pattern[p] == '*') {
      size_t end = p;
      while (end < pattern.size() && pattern[end] == '*') ++end;
      const bool deep = !path || end - p > 1;
      // "/**/" also stands for one slash, so that a/**/b matches a/b.
      const bool whole = path && deep && p > 0 && pattern[p - 1] == '/' && end < pattern.size() && pattern[end] == '/';
      p = whole ? end + 1 : end;
      if (deep) {
        deep_p = p;
        deep_t = t;
        deep_whole = whole;
        star_p = kNone;
      } else {
        star_p = p;
        star_t = t;
      }
      continue;
    }
    if (t == text.size() && p == pattern.size()) return true;
    if (t < text.size() && p < pattern.size()) {
      if (const size_t taken = MatchOne(pattern.substr(p), text[t], path); taken > 0) {
        p += taken;
        ++t;
        continue;
      }
    }
    if (star_p != kNone && star_t < text.size() && text[star_t] != '/') {
      p = star_p;
      t = ++star_t;
    } else if (deep_p != kNone && deep_t < text.size()) {
      do {
        ++deep_t;
      } while (deep_whole && deep_t < text.size() && text[deep_t - 1] != '/');
      p = deep_p;
      t = deep_t;
      star_p = kNone;
    } else {
      return false;
    }
  }
}

absl::string_view BaseName(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace

absl::Status CheckGlob(absl::string_view pattern) {
  if (pattern.empty()) return absl::InvalidArgumentError("an empty glob");
  if (pattern.size() > 1024) return absl::InvalidArgumentError("a glob longer than 1024 bytes");
  for (size_t i = 0; i < pattern.size();) {
    if (pattern[i] == '[') {
      const size_t length = SetLength(pattern.substr(i));
      if (length == 0) return absl::InvalidArgumentError(absl::StrCat("an open [ at character ", i + 1));
      i += length;
    } else {
      ++i;
    }
  }
  return absl::OkStatus();
}

bool GlobMatches(absl::string_view pattern, absl::string_view text) { return Match(pattern, text, /*path=*/false); }

bool PathGlobMatches(absl::string_view pattern, absl::string_view path, absl::string_view home) {
  if (path.empty() || pattern.empty()) return false;
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  while (pattern.size() > 1 && pattern.back() == '/') pattern.remove_suffix(1);
  if (pattern.find('/') == absl::string_view::npos && pattern != "~") {
    return Match(pattern, BaseName(path), /*path=*/true);
  }
  if (pattern[0] != '~') return Match(pattern, path, /*path=*/true);
  const absl::string_view rest = pattern.substr(1);
  if (!home.empty()) {
    if (home != "/" && home.back() == '/') home.remove_suffix(1);
    if (path.substr(0, home.size()) != home) return false;
    return Match(rest, path.substr(home.size()), /*path=*/true);
  }
  return Match(absl::StrCat("/root", rest), path, true) || Match(absl::StrCat("/home/*", rest), path, true);
}

bool FolderGlobMatches(absl::string_view pattern, absl::string_view path, absl::string_view home) {
  while (!path.empty()) {
    if (PathGlobMatches(pattern, path, home)) return true;
    if (path == "/") return false;
    const size_t slash = path.rfind('/');
    if (slash == absl::string_view::npos) return false;
    path = slash == 0 ? absl::string_view("/") : path.substr(0, slash);
  }
  return false;
}

}  // namespace holdpoint
