#include "agent/policy/tool_credentials.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/environment/fingerprint.h"
#include "agent/environment/tags.h"
#include "agent/policy/host_evidence.h"
#include "agent/policy/paths.h"

namespace holdpoint {
namespace {

struct Reads {
  absl::string_view tool;
  absl::string_view variable;
};
constexpr std::array<Reads, 27> kReads = {{{"psql", "PGPASSWORD"},
                                           {"dropdb", "PGPASSWORD"},
                                           {"pg_restore", "PGPASSWORD"},
                                           {"mysql", "MYSQL_PWD"},
                                           {"mysqladmin", "MYSQL_PWD"},
                                           {"redis-cli", "REDISCLI_AUTH"},
                                           {"aws", "AWS_ACCESS_KEY_ID"},
                                           {"aws", "AWS_SECRET_ACCESS_KEY"},
                                           {"aws", "AWS_SESSION_TOKEN"},
                                           {"terraform", "AWS_ACCESS_KEY_ID"},
                                           {"terraform", "AWS_SECRET_ACCESS_KEY"},
                                           {"pulumi", "PULUMI_ACCESS_TOKEN"},
                                           {"railway", "RAILWAY_TOKEN"},
                                           {"railway", "RAILWAY_API_TOKEN"},
                                           {"vercel", "VERCEL_TOKEN"},
                                           {"netlify", "NETLIFY_AUTH_TOKEN"},
                                           {"supabase", "SUPABASE_ACCESS_TOKEN"},
                                           {"flyctl", "FLY_API_TOKEN"},
                                           {"flyctl", "FLY_ACCESS_TOKEN"},
                                           {"heroku", "HEROKU_API_KEY"},
                                           {"gh", "GH_TOKEN"},
                                           {"gh", "GITHUB_TOKEN"},
                                           {"doctl", "DIGITALOCEAN_ACCESS_TOKEN"},
                                           {"hcloud", "HCLOUD_TOKEN"},
                                           {"wrangler", "CLOUDFLARE_API_TOKEN"},
                                           {"neonctl", "NEON_API_KEY"},
                                           {"vault", "VAULT_TOKEN"}}};

// The values of a section of an INI file, as the AWS tools write them.
std::string IniValue(absl::string_view text, absl::string_view section, absl::string_view key) {
  bool inside = false;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (absl::StartsWith(line, "[")) {
      const size_t end = std::min(line.find(']'), line.size());
      inside = absl::StripAsciiWhitespace(line.substr(1, end - 1)) == section;
      continue;
    }
    const size_t equals = line.find('=');
    if (!inside || equals == absl::string_view::npos) continue;
    if (absl::StripAsciiWhitespace(line.substr(0, equals)) == key) {
      return std::string(absl::StripAsciiWhitespace(line.substr(equals + 1)));
    }
  }
  return "";
}

std::string AccountOf(const std::string& config, const std::string& section) {
  const std::string account = IniValue(config, section, "sso_account_id");
  if (!account.empty()) return account;
  // arn:aws:iam::123456789012:role/NAME
  const std::vector<std::string> parts = absl::StrSplit(IniValue(config, section, "role_arn"), ':');
  return parts.size() > 4 ? parts[4] : "";
}

class Finder {
 public:
  Finder(const Configuration& configuration, absl::string_view key) : configuration_(configuration), key_(key) {}

  void Add(std::string kind, absl::string_view variable, const std::string& value) {
    if (value.empty()) return;
    FoundCredential found;
    found.kind = std::move(kind);
    found.fingerprint = Fingerprint(key_, value);
    CredentialMatch match =
        CredentialTag(configuration_, {.variable = std::string(variable), .fingerprint = found.fingerprint});
    found.tag = std::move(match.tag);
    found.tag_name = std::move(match.name);
    if (found.tag.known()) found_.push_back(std::move(found));
  }

  void AddNamed(const std::string& kind, const std::string& name, EnvironmentTag tag) {
    if (!tag.known()) return;
    FoundCredential found;
    found.kind = kind;
    found.fingerprint = Fingerprint(key_, name);
    found.tag_name = name;
    found.tag = std::move(tag);
    found_.push_back(std::move(found));
  }

  std::vector<FoundCredential> Take() { return std::move(found_); }

 private:
  const Configuration& configuration_;
  absl::string_view key_;
  std::vector<FoundCredential> found_;
};

void AddProfile(const ToolCall& call, const ExecAct& act, const Configuration& configuration, FactBook* facts, Finder* finder) {
  const std::string* given = call.Value("profile");
  if (given == nullptr && !Variable(act, "AWS_ACCESS_KEY_ID").empty()) return;  // It needs no profile.
  std::string profile = given != nullptr ? *given : Variable(act, "AWS_PROFILE");
  if (profile.empty()) profile = Variable(act, "AWS_DEFAULT_PROFILE");
  if (profile.empty()) profile = "default";
  finder->AddNamed("profile", profile, DestinationTag(configuration, {.host = profile}));
  if (act.home.empty()) return;
  const auto file = [&](absl::string_view variable, absl::string_view usual) {
    const std::string path = Variable(act, variable);
    return ReadContextFile(path.empty() ? CleanPath(absl::StrCat(act.home, usual)) : AbsolutePath(act, path), facts).text;
  };
  const std::string credentials = file("AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials");
  const std::string config = file("AWS_CONFIG_FILE", "/.aws/config");
  for (const absl::string_view key : {"aws_secret_access_key", "aws_access_key_id"}) {
    finder->Add(absl::StrCat("profile ", profile), "", IniValue(credentials, profile, key));
  }
  const std::string account = AccountOf(config, profile == "default" ? profile : absl::StrCat("profile ", profile));
  if (!account.empty()) finder->AddNamed("account", account, ResourceTag(configuration, "account", account).tag);
}

}  // namespace

bool MayCarryCredentials(const ToolModel& tool) {
  return tool.names[0] == "aws" || std::any_of(kReads.begin(), kReads.end(),
                                               [&](const Reads& reads) { return reads.tool == tool.names[0]; });
}

std::vector<FoundCredential> CredentialsOfTool(const ToolCall& call, const ExecAct& act, const Configuration& configuration,
                                               absl::string_view key, FactBook* facts) {
  Finder finder(configuration, key);
  if (call.tool == nullptr) return {};  // A program that no pack describes.
  const std::string& tool = call.tool->names[0];
  for (const Reads& reads : kReads) {
    if (reads.tool == tool) finder.Add(absl::StrCat("variable ", reads.variable), reads.variable, Variable(act, reads.variable));
  }
  if (tool == "aws") AddProfile(call, act, configuration, facts, &finder);
  return finder.Take();
}

}  // namespace holdpoint
