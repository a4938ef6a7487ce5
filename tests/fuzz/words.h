#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// Divides a fuzzer's bytes into words at line ends and NULs: how seeds for argv are written.
inline std::vector<std::string> Words(const uint8_t* data, size_t size) {
  std::vector<std::string> words(1);
  for (size_t i = 0; i < size; ++i) {
    if (data[i] == '\n' || data[i] == 0) {
      words.emplace_back();
    } else {
      words.back().push_back(static_cast<char>(data[i]));
    }
  }
  return words;
}
