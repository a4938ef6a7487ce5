#include "agent/gate/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>

#include "absl/strings/str_cat.h"

namespace holdpoint {
namespace {

bool GoodInstanceName(const std::string& name) {
  return !name.empty() && name.size() <= 32 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_';
  });
}

std::string OwnDirectory() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "/usr/bin" : self.parent_path().string();
}

void FillDefaults(Options& options) {
  if (options.state.empty()) options.state = absl::StrCat("/var/lib/holdpoint/", options.instance);
  if (options.run.empty()) options.run = absl::StrCat("/run/holdpoint/", options.instance);
  if (options.pin.empty()) options.pin = absl::StrCat("/sys/fs/bpf/holdpoint/", options.instance);
  if (options.bin.empty()) options.bin = OwnDirectory();
  if (options.rules.empty()) options.rules = absl::StrCat(options.bin, "/../share/holdpoint/rules");
}

}  // namespace

absl::StatusOr<Options> ParseOptions(int argc, char** argv) {
  Options options;
  CLI::App app{"Holdpoint's gate: decides before a coding agent destroys something.", "holdpointd"};
  app.set_version_flag("--version", "holdpointd 0.1.0");
  app.add_option("--scope", options.scope, "cgroup v2 directory to watch; without it the whole host");
  app.add_option("--instance", options.instance, "name of this daemon where several run");
  app.add_option("--config", options.config, "configuration file (/etc/holdpoint/holdpoint.yaml)");
  app.add_option("--rules", options.rules, "directory with the rule packs");
  app.add_option("--state", options.state, "directory of the record (/var/lib/holdpoint/INSTANCE)");
  app.add_option("--run", options.run, "directory of the control socket (/run/holdpoint/INSTANCE)");
  app.add_option("--pin", options.pin, "directory of the pinned programs (/sys/fs/bpf/holdpoint/INSTANCE)");
  app.add_option("--bin", options.bin, "directory of Holdpoint's other programs");
  app.add_option("--heartbeat-key", options.heartbeat_key, "Ed25519 key that signs the heartbeats, PEM, root's alone");
  app.add_flag("--observe", options.observe, "record every verdict, stop nothing");
  CLI::Option* uninstall =
      app.add_flag("--uninstall", options.uninstall, "remove the kernel programs, pins and socket that an ended daemon left");
  app.add_flag("--purge", options.purge, "with --uninstall: remove the record, too")->needs(uninstall);
  app.add_option("--ready-fd", options.ready_fd, "descriptor that gets READY and a newline");
  app.add_option("--wedged-ms", options.wedged_ms, "without a heartbeat for so long the gate counts as wedged and is ended")
      ->check(CLI::Range(400, 3'600'000));
  app.add_option("--without", options.without, "do as if this kernel lacked a capability (see holdpoint doctor)");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      app.exit(error);
      return absl::AbortedError("asked for help");
    }
    return absl::InvalidArgumentError(absl::StrCat(error.what(), " (holdpointd --help lists the flags)"));
  }
  if (!GoodInstanceName(options.instance)) {
    return absl::InvalidArgumentError("--instance: want 1 to 32 letters, digits, '-' or '_'");
  }
  FillDefaults(options);
  return options;
}

}  // namespace holdpoint
