// holdpoint config and fingerprint.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "agent/base/status.h"
#include "agent/cli/ask.h"
#include "agent/cli/context.h"
#include "agent/cli/files.h"
#include "agent/cli/terminal.h"
#include "agent/environment/fingerprint.h"
#include "agent/environment/load.h"

namespace holdpoint {
namespace {

constexpr char kDefaultFile[] = "/etc/holdpoint/holdpoint.yaml";
constexpr size_t kValueMax = 64 * 1024;
constexpr int kExitConfiguration = 78;

absl::StatusOr<int> Check(const Context& context, const std::string& file) {
  const absl::StatusOr<std::string> bytes = ReadWholeFile(file);
  if (absl::IsNotFound(bytes.status())) return absl::FailedPreconditionError(bytes.status().message());
  if (!bytes.ok()) return bytes.status();
  const ConfigurationReport report = CheckConfiguration(file, *bytes);
  if (context.json) {
    Print(JsonLine({{"file", file},
                    {"accepted", report.accepted},
                    {"problem", report.problem},
                    {"summary", report.summary},
                    {"warnings", report.warnings}}));
    return report.accepted ? 0 : kExitConfiguration;
  }
  for (const std::string& line : report.summary) Print(Safe(line) + "\n");
  for (const std::string& line : report.warnings) fprintf(stderr, "holdpoint: warning: %s\n", Safe(line).c_str());
  if (report.accepted) return 0;
  fprintf(stderr, "holdpoint: %s\n", Safe(report.problem).c_str());
  return kExitConfiguration;
}

// The value to fingerprint: hidden on a terminal, else standard input.
absl::StatusOr<std::string> Value() {
  if (isatty(STDIN_FILENO)) return AskHidden("Value (is not shown): ", kValueMax);
  return ReadSecret(STDIN_FILENO, kValueMax, "the value on standard input");
}

absl::StatusOr<int> MakeFingerprint(const Context& context, const std::string& key_file) {
  const std::string path = key_file.empty() ? context.StateDir() + "/fingerprint.key" : key_file;
  absl::StatusOr<std::string> key = ReadWholeFile(path);
  if (!key.ok()) {
    return absl::Status(key.status().code(),
                        absl::StrCat(key.status().message(),
                                     ": the daemon makes this host's key at its first start, only root reads it; "
                                     "--key names another one"));
  }
  absl::Cleanup wipe_key = [&key] { explicit_bzero(key->data(), key->size()); };
  if (key->size() != kFingerprintKeySize) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": a key of ", kFingerprintKeySize, " bytes is wanted, got ", key->size()));
  }
  HP_ASSIGN_OR_RETURN(std::string value, Value());
  absl::Cleanup wipe_value = [&value] { explicit_bzero(value.data(), value.size()); };
  if (absl::StripAsciiWhitespace(value).empty()) return absl::InvalidArgumentError("an empty value has no fingerprint");
  const std::string fingerprint = Fingerprint(*key, value);
  Print(context.json ? JsonLine({{"fingerprint", fingerprint}}) : fingerprint + "\n");
  return 0;
}

}  // namespace

void AddConfiguration(CLI::App& app, Context& context) {
  CLI::App* config = app.add_subcommand("config", "Check or show the configuration")->require_subcommand(1);
  auto file = std::make_shared<std::string>(kDefaultFile);
  CLI::App* check = config->add_subcommand("check", "Would this file be accepted? 78 where not");
  check->add_option("file", *file, "the file")->capture_default_str();
  check->callback([&context, file] { context.command = [&context, file] { return Check(context, *file); }; });
  config->add_subcommand("default", "Print the configuration that is built in, with its explanations")
      ->callback([&context] {
        context.command = []() -> absl::StatusOr<int> {
          Print(std::string(BuiltInConfigurationText()));
          return 0;
        };
      });

  auto key = std::make_shared<std::string>();
  CLI::App* fingerprint = app.add_subcommand(
      "fingerprint", "What a credential is known by: reads it hidden from the terminal, or from standard input (root)");
  fingerprint->add_option("--key", *key, "the host's key (default: fingerprint.key beside the record)");
  fingerprint->callback(
      [&context, key] { context.command = [&context, key] { return MakeFingerprint(context, *key); }; });
}

}  // namespace holdpoint
