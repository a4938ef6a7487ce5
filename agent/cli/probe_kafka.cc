// Whether the record gets to the brokers: tried by holdpoint-stream itself, with the configuration's words.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/base/fd.h"
#include "agent/base/status.h"
#include "agent/cli/files.h"
#include "agent/cli/probe.h"
#include "agent/environment/configured.h"
#include "agent/environment/load.h"
#include "agent/stream/stream_args.h"

namespace holdpoint {
namespace {

using Level = ProbeResult::Level;

constexpr size_t kAnswerMax = 64 * 1024;

// What the program writes to its standard output.
absl::StatusOr<std::string> Ask(std::vector<std::string> words) {
  int out[2];
  if (pipe2(out, O_CLOEXEC) != 0) return ErrnoStatus("pipe2");
  UniqueFd read_end(out[0]), write_end(out[1]);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const char* environment[] = {"LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
  pid_t child = -1;
  const int error =
      posix_spawn(&child, words[0].c_str(), &actions, nullptr, argv.data(), const_cast<char**>(environment));
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return ErrnoStatus(words[0], error);
  write_end.reset();
  std::string answer;
  char part[4096];
  while (answer.size() < kAnswerMax) {
    const ssize_t got = read(read_end.get(), part, sizeof(part));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    answer.append(part, static_cast<size_t>(got));
  }
  read_end.reset();
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return answer;
}

}  // namespace

std::vector<ProbeResult> ProbeKafka(const ProbeHost& host) {
  const absl::StatusOr<std::string> bytes = ReadWholeFile(host.root + host.configuration);
  if (!bytes.ok()) return {};
  const absl::StatusOr<Configuration> configuration = LoadConfiguration(host.configuration, *bytes);
  if (!configuration.ok() || configuration->kafka.brokers.empty()) return {};
  if (!host.is_root) return {{"kafka", Level::kWarning, "not tried: this host's key is root's alone", "run it with sudo"}};
  std::error_code ignored;
  const std::string program =
      std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path() / "holdpoint-stream";
  v1::Kafka kafka;
  FillKafka(configuration->kafka, &kafka);
  std::vector<std::string> words = {program, "--check"};
  for (std::string& word : StreamArgs(kafka)) words.push_back(std::move(word));
  const absl::StatusOr<std::string> answer = Ask(std::move(words));
  if (!answer.ok()) return {{"kafka", Level::kBad, std::string(answer.status().message()), "is Holdpoint installed whole?"}};
  std::vector<ProbeResult> rows;
  for (const absl::string_view line : absl::StrSplit(*answer, '\n', absl::SkipEmpty())) {
    const auto row = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!row.is_object()) continue;
    const std::string level = row.value("level", "bad");
    rows.push_back({row.value("check", "kafka"),
                    level == "ok"        ? Level::kOk
                    : level == "warning" ? Level::kWarning
                                         : Level::kBad,
                    row.value("detail", ""), row.value("advice", "")});
  }
  if (rows.empty()) rows.push_back({"kafka", Level::kBad, absl::StrCat(program, " gave no answer"), "see its messages above"});
  return rows;
}

}  // namespace holdpoint
