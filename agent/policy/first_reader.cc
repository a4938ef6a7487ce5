#include "agent/policy/first_reader.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/policy/host_evidence.h"

namespace holdpoint {
namespace {

constexpr int kMaxLooked = 8;  // files
constexpr size_t kMaxFingerprints = 256;

std::string Ago(uint32_t seconds) {
  if (seconds < 120) return absl::StrCat(seconds, " s ago");
  if (seconds < 7200) return absl::StrCat(seconds / 60, " min ago");
  return absl::StrCat(seconds / 3600, " h ago");
}

bool Holds(const v1::ContentFact& file, const std::vector<FoundCredential>& credentials, absl::string_view key) {
  const std::vector<std::string> inside = FingerprintsIn(key, file.content(), kMaxFingerprints);
  return std::any_of(credentials.begin(), credentials.end(), [&inside](const FoundCredential& credential) {
    return std::find(inside.begin(), inside.end(), credential.fingerprint) != inside.end();
  });
}

FirstReader Describe(const std::vector<FoundCredential>& credentials, const v1::SeenCredential& seen) {
  const bool token = std::any_of(credentials.begin(), credentials.end(), [](const FoundCredential& credential) {
    return credential.kind == "bearer" || absl::StartsWith(credential.kind, "header");
  });
  const std::string program = seen.program().empty() ? "a program" : seen.program();
  const std::string by = absl::StrCat(seen.own_process() ? "the coding agent itself, " : "", program, " (pid ", seen.pid(), ")");
  const std::string what = absl::StrCat("its ", token ? "token" : "credential");
  return {absl::StrCat(seen.read() ? absl::StrCat(what, " was first read from ", seen.file())
                                   : absl::StrCat("the file with ", what, ", ", seen.file(), ", was first opened"),
                       " by ", by, " ", Ago(seen.seconds_ago())),
          MakeEvidence(absl::StrCat("first ", seen.read() ? "read" : "opened", " by"), by, seen.file())};
}

}  // namespace

std::optional<FirstReader> FindFirstReader(const std::vector<FoundCredential>& credentials,
                                           const EvaluationContext& context, FactBook* facts) {
  if (credentials.empty()) return std::nullopt;
  int looked = 0;
  for (const v1::SeenCredential& seen : context.session.seen_credentials()) {
    const bool same_name = std::any_of(credentials.begin(), credentials.end(), [&seen](const FoundCredential& credential) {
      return !credential.tag_name.empty() && credential.tag_name == seen.credential();
    });
    if (same_name) return Describe(credentials, seen);
    if (++looked > kMaxLooked) continue;
    const v1::ContentFact* file = facts->ContentAside(seen.file());
    if (file != nullptr && Holds(*file, credentials, context.fingerprint_key)) return Describe(credentials, seen);
  }
  return std::nullopt;
}

}  // namespace holdpoint
