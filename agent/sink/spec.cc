#include "agent/sink/spec.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace holdpoint {
namespace {

using Kind = SinkSpec::Kind;

constexpr std::pair<absl::string_view, Kind> kSchemes[] = {
    {"file:", Kind::kFile},   {"stdout", Kind::kStdout}, {"unix:", Kind::kUnix},  {"udp://", Kind::kUdp},
    {"tcp://", Kind::kTcp},   {"tls://", Kind::kTls},    {"kafka:", Kind::kTopic},
};

bool IsName(absl::string_view name) {
  return !name.empty() && name.size() <= 32 && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-' || c == '_';
  });
}

bool IsPath(absl::string_view path) {
  return path.size() > 1 && path.size() <= 1000 && path[0] == '/' &&
         std::all_of(path.begin(), path.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x20; });
}

// What Kafka takes as a topic's name.
bool IsTopic(absl::string_view name) {
  return !name.empty() && name.size() <= 249 && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-'; });
}

// "host:port", "[2001:db8::1]:port".
bool ReadAddress(absl::string_view text, SinkSpec* spec) {
  const size_t colon = text.rfind(':');
  uint32_t port = 0;
  if (colon == absl::string_view::npos || !absl::SimpleAtoi(text.substr(colon + 1), &port)) return false;
  absl::string_view host = text.substr(0, colon);
  const bool bracketed = absl::ConsumePrefix(&host, "[");
  if (bracketed && !absl::ConsumeSuffix(&host, "]")) return false;
  const bool plain = !host.empty() && host.size() <= 255 && std::all_of(host.begin(), host.end(), [&](char c) {
    return absl::ascii_isalnum(c) || c == '-' || c == '.' || c == '_' || (bracketed && c == ':');
  });
  if (!plain || port == 0 || port > 65535) return false;
  spec->place = std::string(host);
  spec->port = static_cast<uint16_t>(port);
  return true;
}

absl::Status Wrong(absl::string_view name, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("sink ", name, ": wanted ", what));
}

}  // namespace

absl::StatusOr<SinkSpec> ParseSinkSpec(absl::string_view text) {
  SinkSpec spec;
  const std::pair<absl::string_view, absl::string_view> named = absl::StrSplit(text, absl::MaxSplits('=', 1));
  if (!absl::StrContains(text, '=') || !IsName(named.first)) {
    return absl::InvalidArgumentError(
        "a sink is NAME=FORMAT:TARGET with a name of a-z 0-9 - _, such as siem=cef:tcp://siem.example.com:601");
  }
  spec.name = std::string(named.first);
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(named.second, absl::MaxSplits(':', 1));
  const std::optional<ExportFormat> format = ParseExportFormat(parts.first);
  if (!format.has_value()) return Wrong(spec.name, "a format in front of the target: json, cef, ocsf or ecs");
  spec.format = *format;
  absl::string_view target = parts.second;
  const auto* scheme = std::find_if(std::begin(kSchemes), std::end(kSchemes),
                                    [&](const auto& entry) { return absl::ConsumePrefix(&target, entry.first); });
  if (scheme == std::end(kSchemes)) {
    return Wrong(spec.name, "file:/PATH, stdout, unix:/PATH, udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT or kafka:TOPIC");
  }
  spec.kind = scheme->second;
  switch (spec.kind) {
    case Kind::kStdout:
      if (!target.empty()) return Wrong(spec.name, "nothing behind stdout");
      return spec;
    case Kind::kFile:
    case Kind::kUnix:
      if (!IsPath(target)) return Wrong(spec.name, "an absolute path");
      break;
    case Kind::kTopic:
      if (!IsTopic(target)) return Wrong(spec.name, "the name of a topic behind kafka:");
      break;
    case Kind::kUdp:
    case Kind::kTcp:
    case Kind::kTls:
      if (!ReadAddress(target, &spec)) return Wrong(spec.name, "HOST:PORT");
      return spec;
  }
  spec.place = std::string(target);
  return spec;
}

absl::Status SetSinkOption(absl::string_view text, SinkSpec* spec) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
  if (parts.first == "minimum") {
    const std::optional<Level> level = ParseLevel(parts.second);
    if (!level.has_value()) return Wrong(spec->name, "minimum to be informational, low, medium, high or critical");
    spec->minimum = *level;
    return absl::OkStatus();
  }
  for (const auto& [key, file] : {std::pair("ca_file", &SinkSpec::ca_file),
                                  std::pair("certificate_file", &SinkSpec::certificate_file),
                                  std::pair("key_file", &SinkSpec::key_file)}) {
    if (parts.first != key) continue;
    if (spec->kind != Kind::kTls) return Wrong(spec->name, absl::StrCat(key, " with tls:// only"));
    if (!IsPath(parts.second)) return Wrong(spec->name, absl::StrCat(key, " to be an absolute path"));
    spec->*file = std::string(parts.second);
    return absl::OkStatus();
  }
  return Wrong(spec->name, "an option that is minimum, ca_file, certificate_file or key_file");
}

std::string SinkTargetText(const SinkSpec& spec) {
  const auto* scheme = std::find_if(std::begin(kSchemes), std::end(kSchemes),
                                    [&](const auto& entry) { return entry.second == spec.kind; });
  const bool colons = absl::StrContains(spec.place, ':') && spec.port != 0;
  return absl::StrCat(scheme->first, colons ? "[" : "", spec.place, colons ? "]" : "",
                      spec.port == 0 ? "" : absl::StrCat(":", spec.port));
}

}  // namespace holdpoint
