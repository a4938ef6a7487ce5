#include "agent/policy/act.h"

#include "agent/environment/fingerprint.h"
#include "agent/environment/secrets.h"

namespace holdpoint {
namespace {

class Encoder {
 public:
  void Number(uint64_t value) {
    for (int i = 0; i < 8; ++i) bytes_ += static_cast<char>(value >> (8 * i));
  }
  void Text(absl::string_view text) {
    Number(text.size());
    bytes_.append(text.data(), text.size());
  }
  void Tag(const v1::Tag& tag) {
    Text(tag.environment());
    Number(tag.protected_() ? 1 : 0);
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace

Sha256Digest ActDigest(const ActIdentity& identity) {
  Encoder encoder;
  encoder.Text("holdpoint act v1");
  encoder.Text(identity.kind);
  encoder.Text(identity.executable);
  encoder.Number(identity.executable_id.dev);
  encoder.Number(identity.executable_id.ino);
  encoder.Number(identity.executable_id.ctime_ns);
  encoder.Number(identity.argv.size());
  for (const std::string& word : identity.argv) encoder.Text(word);
  encoder.Text(identity.cwd);
  encoder.Number(identity.contents.size());
  for (const ActContent& content : identity.contents) {
    encoder.Text(content.name);
    encoder.Text(content.sha256);
  }
  encoder.Text(identity.resource_type);
  encoder.Text(identity.resource_id);
  encoder.Tag(identity.tags.session());
  encoder.Tag(identity.tags.destination());
  encoder.Tag(identity.tags.credential());
  encoder.Tag(identity.tags.resource());
  encoder.Tag(identity.tags.target());
  encoder.Number(identity.tags.crossing() ? 1 : 0);
  return Sha256(encoder.bytes());
}

std::vector<std::string> SealSecrets(absl::string_view key, const std::vector<std::string>& argv) {
  std::vector<std::string> sealed = argv;
  if (key.empty()) return sealed;
  // From the last to the first, so that the places before a replaced one stay right.
  const std::vector<ArgvSecret> secrets = FindSecretsInArgv(argv);
  for (auto it = secrets.rbegin(); it != secrets.rend(); ++it) {
    if (it->word >= sealed.size()) continue;
    std::string& word = sealed[it->word];
    if (it->span.begin > word.size()) continue;
    const std::string secret = word.substr(it->span.begin, it->span.size);
    word.replace(it->span.begin, it->span.size, Fingerprint(key, secret));
  }
  return sealed;
}

}  // namespace holdpoint
