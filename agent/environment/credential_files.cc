#include "agent/environment/credential_files.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "agent/environment/tags.h"

namespace holdpoint {
namespace {

constexpr char kWellKnownName[] = "well-known";

constexpr const char* kWellKnown[] = {
    "~/.aws/credentials",
    "~/.azure/accessTokens.json",
    "~/.azure/msal_token_cache.json",
    "~/.boto",
    "~/.cargo/credentials.toml",
    "~/.config/doctl/config.yaml",
    "~/.config/flyctl/config.yml",
    "~/.config/gcloud/application_default_credentials.json",
    "~/.config/gcloud/credentials.db",
    "~/.config/gh/hosts.yml",
    "~/.config/hcloud/cli.toml",
    "~/.config/hub",
    "~/.config/netlify/config.json",
    "~/.docker/config.json",
    "~/.fly/config.yml",
    "~/.git-credentials",
    "~/.kube/config",
    "~/.my.cnf",
    "~/.netrc",
    "~/.npmrc",
    "~/.pgpass",
    "~/.pypirc",
    "~/.railway/config.json",
    "~/.ssh/id_*[!b]",  // and no *.pub
    "~/.ssh/id_*[!u]b",
    "~/.terraform.d/credentials.tfrc.json",
    "~/.vault-token",
    "./.env.production",  // by name, for its tag: see LookAlike
    "./.env.prod",
    "./.env.live",
    "./.env*",
    "./.npmrc",
};

bool HasGlob(absl::string_view text) { return text.find_first_of("*?[") != absl::string_view::npos; }

std::string Watchable(absl::string_view glob) {
  const size_t slash = glob.rfind('/');
  if (slash == absl::string_view::npos) return absl::StrCat("./", glob);
  return HasGlob(glob.substr(0, slash)) ? absl::StrCat("./", glob.substr(slash + 1)) : std::string(glob);
}

}  // namespace

std::vector<v1::CredentialFile> CredentialFiles(const Configuration& configuration) {
  std::vector<v1::CredentialFile> files;
  for (const CredentialConfig& credential : configuration.credentials) {
    for (const std::string& glob : credential.files) {
      v1::CredentialFile& file = files.emplace_back();
      file.set_path(Watchable(glob));
      file.set_credential(credential.name);
      *file.mutable_environment() =
          ToProto(MakeTag(configuration, credential.environment, absl::StrCat("credential ", credential.name, ", file ", glob)));
    }
  }
  for (const absl::string_view path : kWellKnown) {
    v1::CredentialFile& file = files.emplace_back();
    file.set_path(std::string(path));
    file.set_credential(kWellKnownName);
    if (!HasGlob(path)) {
      const CredentialMatch match = CredentialTag(configuration, {.file = absl::StrCat("/", path.substr(2))});
      *file.mutable_environment() = ToProto(match.tag);
    }
  }
  return files;
}

}  // namespace holdpoint
