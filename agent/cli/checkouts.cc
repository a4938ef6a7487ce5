#include "agent/cli/checkouts.h"

#include <algorithm>
#include <deque>
#include <filesystem>

namespace holdpoint {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxFolders = 20'000;
constexpr int kMaxDepth = 4;

}  // namespace

std::vector<std::string> FindCheckouts(const std::string& home, size_t max) {
  std::vector<std::string> found;
  std::deque<std::pair<fs::path, int>> folders = {{home, 0}};  // breadth first: the near ones matter most
  for (size_t looked = 0; !folders.empty() && looked < kMaxFolders && found.size() < max; ++looked) {
    const auto [folder, depth] = folders.front();
    folders.pop_front();
    std::error_code error;
    if (depth > 0 && fs::exists(folder / ".git", error)) {
      found.push_back(folder.string());
      continue;
    }
    if (depth == kMaxDepth) continue;
    fs::directory_iterator it(folder, fs::directory_options::skip_permission_denied, error);
    for (; !error && it != fs::directory_iterator(); it.increment(error)) {
      const std::string name = it->path().filename().string();
      std::error_code ignored;
      if (name[0] == '.' || name == "node_modules" || !fs::is_directory(it->symlink_status(ignored))) continue;
      folders.emplace_back(it->path(), depth + 1);
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace holdpoint
