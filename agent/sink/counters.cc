#include "agent/sink/counters.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "agent/base/fd.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

using Json = nlohmann::json;

constexpr std::pair<const char*, uint64_t SinkCounters::*> kNumbers[] = {
    {"delivered", &SinkCounters::delivered}, {"below_minimum", &SinkCounters::below_minimum},
    {"missing", &SinkCounters::missing},     {"unreadable", &SinkCounters::unreadable},
    {"cut", &SinkCounters::cut},             {"failures", &SinkCounters::failures},
};
constexpr std::pair<const char*, int64_t SinkCounters::*> kTimes[] = {
    {"last_delivery_unix_ns", &SinkCounters::last_delivery_unix_ns},
    {"last_failure_unix_ns", &SinkCounters::last_failure_unix_ns},
};
constexpr std::pair<const char*, std::string SinkCounters::*> kTexts[] = {
    {"target", &SinkCounters::target},
    {"format", &SinkCounters::format},
    {"last_failure", &SinkCounters::last_failure},
};

std::string Beside(const std::string& state_dir, const std::string& name, const char* file) {
  return absl::StrCat(state_dir, "/stream/sinks/", name, "/", file);
}

}  // namespace

std::string SinkCountersPath(const std::string& state_dir, const std::string& name) {
  return Beside(state_dir, name, "counters");
}

std::string SinkCursorPath(const std::string& state_dir, const std::string& name) {
  return Beside(state_dir, name, "cursor");
}

SinkCounters ReadSinkCounters(const std::string& path) {
  SinkCounters counters;
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const Json object = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return counters;
  const auto find = [&object](const char* key) { return object.find(key); };
  for (const auto& [key, number] : kNumbers) {
    if (const auto it = find(key); it != object.end() && it->is_number_unsigned()) counters.*number = it->get<uint64_t>();
  }
  for (const auto& [key, time] : kTimes) {
    if (const auto it = find(key); it != object.end() && it->is_number_integer()) counters.*time = it->get<int64_t>();
  }
  for (const auto& [key, word] : kTexts) {
    if (const auto it = find(key); it != object.end() && it->is_string()) counters.*word = it->get<std::string>();
  }
  return counters;
}

absl::Status WriteSinkCounters(const std::string& path, const SinkCounters& counters) {
  Json object = Json::object();
  for (const auto& [key, number] : kNumbers) object[key] = counters.*number;
  for (const auto& [key, time] : kTimes) object[key] = counters.*time;
  for (const auto& [key, word] : kTexts) object[key] = counters.*word;
  const std::string text = object.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n";
  const std::string fresh = path + ".new";
  const UniqueFd fd(open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd.ok()) return ErrnoStatus(fresh);
  if (write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return ErrnoStatus(fresh);
  if (rename(fresh.c_str(), path.c_str()) != 0) return ErrnoStatus(path);
  return absl::OkStatus();
}

}  // namespace holdpoint
