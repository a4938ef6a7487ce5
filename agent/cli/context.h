#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace CLI {
class App;
}

namespace holdpoint {

// What every command needs: the flags that all share, and the words behind "--".
struct Context {
  std::string instance = "default";
  std::string run;    // empty: /run/holdpoint/INSTANCE
  std::string state;  // empty: what the daemon says, else /var/lib/holdpoint/INSTANCE
  bool json = false;
  std::string color = "auto";
  std::vector<std::string> behind;  // "--"
  bool has_behind = false;

  // What the chosen command does; its exit code. main() prints the error.
  std::function<absl::StatusOr<int>()> command = {};

  std::string SocketPath() const { return (run.empty() ? "/run/holdpoint/" + instance : run) + "/control.sock"; }
  bool Colored() const;

  // The directory of the record. Asks the daemon where no flag names it.
  std::string StateDir() const;
};

// Each adds its commands to the program; option values live as long as the program's own object does.
void AddRun(CLI::App& app, Context& context);
void AddDecisions(CLI::App& app, Context& context);       // approve, deny, wait
void AddViews(CLI::App& app, Context& context);           // status, sessions, holds
void AddAdministration(CLI::App& app, Context& context);  // kill, reload
void AddDoctor(CLI::App& app, Context& context);
void AddRecord(CLI::App& app, Context& context);         // events, verify
void AddMetrics(CLI::App& app, Context& context);
void AddTestAlert(CLI::App& app, Context& context);
void AddConfiguration(CLI::App& app, Context& context);  // config, fingerprint
void AddPolicy(CLI::App& app, Context& context);         // check, rules
void AddMode(CLI::App& app, Context& context);
void AddPresence(CLI::App& app, Context& context);  // presence, challenge
void AddEmergency(CLI::App& app, Context& context);  // break-glass, off, on, approvals
void AddReport(CLI::App& app, Context& context);
void AddSuggest(CLI::App& app, Context& context);
void AddInit(CLI::App& app, Context& context);
void AddWatch(CLI::App& app, Context& context);
void AddNotifyDesktop(CLI::App& app, Context& context);

// Writes to standard output. What could not be written is an error of FlushOutput, kUnavailable.
void Print(const std::string& text);
absl::Status FlushOutput();

}  // namespace holdpoint
