#pragma once

#include <string>
#include <vector>

namespace holdpoint {

// Git working trees below `home`, sorted: at most four folders deep, at most `max` of them, hidden folders and links left
// out, nothing inside a working tree looked at, 20,000 folders at most. Only reads directories.
std::vector<std::string> FindCheckouts(const std::string& home, size_t max);

}  // namespace holdpoint
