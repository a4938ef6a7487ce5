#include "agent/policy/act.h"

#include <set>

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
  void Tags(const v1::Tags& tags) {
    Tag(tags.session());
    Tag(tags.destination());
    Tag(tags.credential());
    Tag(tags.resource());
    Tag(tags.target());
    Number(tags.crossing() ? 1 : 0);
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
  encoder.Tags(identity.tags);
  return Sha256(encoder.bytes());
}

Sha256Digest TargetDigest(absl::string_view key, absl::string_view environment, absl::string_view resource_type,
                          absl::string_view resource_id) {
  Encoder encoder;
  encoder.Text("holdpoint target v1");
  encoder.Text(environment);
  encoder.Text(resource_type);
  encoder.Text(resource_id);
  return HmacSha256(key, encoder.bytes());
}

Sha256Digest LossDigest(absl::string_view key, const std::vector<ActLoss>& losses) {
  std::set<std::string> each;
  for (const ActLoss& loss : losses) {
    Encoder one;
    one.Text(loss.rule);
    one.Number(static_cast<uint64_t>(loss.effect));
    one.Number(static_cast<uint64_t>(loss.recoverability));
    one.Text(loss.resource_type);
    one.Text(loss.resource_id);
    one.Number(loss.where.size());
    for (const std::string& word : loss.where) one.Text(word);
    one.Tags(loss.tags);
    each.insert(one.bytes());
  }
  Encoder encoder;
  encoder.Text("holdpoint loss v1");
  encoder.Number(each.size());
  for (const std::string& one : each) encoder.Text(one);
  return HmacSha256(key, encoder.bytes());
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
