// docs/privacy.md as a test: an act whose command line carries a secret is judged by the real judge and recorded as the
// gate does it; then the secret is in no answer of the judge, in no byte of the spool and in no export. What stands beside
// it and is none stays.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "agent/event/recorder.h"
#include "agent/export/format.h"
#include "agent/judge/judge.h"
#include "agent/judge/test_world.h"
#include "agent/spool/reader.h"
#include "agent/spool/spool.h"

namespace holdpoint {
namespace {

namespace fs = std::filesystem;

// Made from parts when the test runs, so that no text in this tree looks like a token to a scanner.
std::string Mixed(size_t size) {
  std::string body;
  for (size_t i = 0; i < size; ++i) body += "aB3dE7gH9kLmN2pQ5rS8tUvW"[i % 24];
  return body;
}
std::string HexBody(size_t size) {
  std::string body;
  for (size_t i = 0; i < size; ++i) body += "a1b2c3d4e5f60718"[i % 16];
  return body;
}
std::string Capitals(size_t size) {
  std::string body;
  for (size_t i = 0; i < size; ++i) body += "ABCDEFGH23456789"[i % 16];
  return body;
}

struct Token {
  const char* name;
  std::string text;
};

// What its issuer can be told by, wherever it stands.
std::vector<Token> Tokens() {
  const std::string dash = "-", low = "_", dot = ".";
  return {
      {"AwsKeyId", "AK" + std::string("IA") + Capitals(16)},
      {"AwsTemporaryKeyId", "AS" + std::string("IA") + Capitals(16)},
      {"GitHubPersonal", "ghp" + low + Mixed(36)},
      {"GitHubFineGrained", "github" + low + "pat" + low + Mixed(22) + low + Mixed(59)},
      {"GitHubApp", "ghs" + low + Mixed(36)},
      {"GitLab", "glpat" + dash + Mixed(20)},
      {"GitLabJob", "glcbt" + dash + Mixed(24)},
      {"SlackBot", "xox" + std::string("b-") + "123456789012-" + Mixed(24)},
      {"SlackRefresh", "xox" + std::string("e-1-") + Mixed(40)},
      {"StripeLive", "sk" + low + "live" + low + Mixed(24)},
      {"StripeRestricted", "rk" + low + "live" + low + Mixed(24)},
      {"StripeWebhook", "whsec" + low + Mixed(32)},
      {"Anthropic", "sk" + dash + "ant" + dash + "api03" + dash + Mixed(80)},
      {"OpenAi", "sk" + dash + "proj" + dash + Mixed(64)},
      {"Groq", "gsk" + low + Mixed(52)},
      {"Xai", "xai" + dash + Mixed(80)},
      {"Perplexity", "pplx" + dash + Mixed(48)},
      {"HuggingFace", "hf" + low + Mixed(34)},
      {"GoogleApi", "AI" + std::string("za") + Mixed(35)},
      {"GoogleOauth", "ya29" + dot + Mixed(60)},
      {"GoogleClientSecret", "GOCSPX" + dash + Mixed(28)},
      {"AzureClientSecret", "aB3" + std::string("8Q~") + Mixed(34)},
      {"Npm", "npm" + low + Mixed(36)},
      {"PyPi", "pypi" + dash + "AgEIcHlwaS5vcmc" + Mixed(60)},
      {"RubyGems", "rubygems" + low + HexBody(48)},
      {"DockerHub", "dckr" + low + "pat" + low + Mixed(27)},
      {"DigitalOcean", "dop" + low + "v1" + low + HexBody(64)},
      {"Vault", "hvs" + dot + Mixed(24)},
      {"TerraformCloud", Mixed(14) + dot + "atlasv1" + dot + Mixed(60)},
      {"Pulumi", "pul" + dash + HexBody(40)},
      {"Databricks", "dapi" + HexBody(32)},
      {"SendGrid", "SG" + dot + Mixed(22) + dot + Mixed(43)},
      {"Mailgun", "key" + dash + HexBody(32)},
      {"Twilio", "SK" + HexBody(32)},
      {"Telegram", "1234567890:AA" + Mixed(33)},
      {"Shopify", "shpat" + low + HexBody(32)},
      {"Grafana", "glsa" + low + Mixed(32) + low + HexBody(8)},
      {"Sentry", "sntrys" + low + Mixed(60)},
      {"Linear", "lin" + low + "api" + low + Mixed(40)},
      {"Notion", "ntn" + low + Mixed(46)},
      {"Figma", "figd" + low + Mixed(40)},
      {"Atlassian", "ATATT3" + Mixed(60)},
      {"Supabase", "sbp" + low + HexBody(40)},
      {"PlanetScale", "pscale" + low + "tkn" + low + Mixed(43)},
      {"Fly", "fm2" + low + Mixed(60)},
      {"Netlify", "nfp" + low + Mixed(40)},
      {"Tailscale", "tskey" + dash + "auth" + dash + Mixed(30)},
      {"Postman", "PMAK" + dash + HexBody(24) + dash + HexBody(34)},
      {"NewRelic", "NRAK" + dash + Capitals(27)},
      {"AgeKey", "AGE" + dash + "SECRET" + dash + "KEY" + dash + "1" + Capitals(58)},
      {"Jwt", "ey" + std::string("J") + Mixed(20) + dot + "ey" + "J" + Mixed(30) + dot + Mixed(43)},
  };
}

// Where the command line says that a secret follows. %% stands for something without any issuer's shape.
struct Place {
  const char* name;
  std::vector<std::string> argv;
};

std::vector<Place> Places() {
  return {
      {"AwsSecretKey", {"env", "AWS_SECRET_ACCESS_KEY=%%", "aws", "s3", "rm", "s3://b/k"}},
      {"AwsSessionToken", {"env", "AWS_SESSION_TOKEN=%%", "aws", "s3", "ls"}},
      {"BearerHeader", {"curl", "-H", "Authorization: Bearer %%", "https://api.example.com/"}},
      {"BasicHeader", {"curl", "-H", "Authorization: Basic %%", "https://api.example.com/"}},
      {"OwnHeader", {"curl", "-H", "Project-Access-Token: %%", "-X", "DELETE", "https://api.example.com/v1/x"}},
      {"Cookie", {"curl", "-H", "Cookie: session=%%", "https://api.example.com/"}},
      {"User", {"curl", "-u", "dana:%%", "https://api.example.com/"}},
      {"UrlPassword", {"psql", "postgres://dana:%%@db.example.com:5432/shop", "-c", "DROP TABLE orders"}},
      {"MongoUrl", {"mongosh", "mongodb+srv://dana:%%@c.example.net/shop", "--eval", "db.dropDatabase()"}},
      {"RedisUrl", {"redis-cli", "-u", "rediss://default:%%@r.example.com:6379", "FLUSHALL"}},
      {"AmqpUrl", {"tool", "amqps://dana:%%@mq.example.com/vhost"}},
      {"JdbcUrl", {"tool", "jdbc:postgresql://db.example.com/shop?user=dana&password=%%"}},
      {"AzureStorage",
       {"tool", "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=%%;EndpointSuffix=core.windows.net"}},
      {"AzureBus", {"tool", "Endpoint=sb://b.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey=%%"}},
      {"AzureSas", {"curl", "https://shop.blob.core.windows.net/c?sv=2022-11-02&sp=rwd&sig=%%"}},
      {"AwsPresigned", {"curl", "https://b.s3.amazonaws.com/k?X-Amz-Date=20260101T000000Z&X-Amz-Signature=%%"}},
      {"SqlServer", {"tool", "Server=tcp:db.example.com;Database=shop;User ID=dana;Password=%%;Encrypt=True"}},
      {"MysqlOption", {"mysql", "-h", "db", "-p%%", "-e", "DROP DATABASE shop"}},
      {"PgPassword", {"sh", "-c", "PGPASSWORD=%% psql -h db -c 'DROP TABLE orders'"}},
      {"SshPass", {"sshpass", "-p", "%%", "ssh", "h", "rm -rf /srv"}},
      {"DockerLogin", {"docker", "login", "-u", "dana", "-p", "%%", "r.example.com"}},
      {"JsonBody", {"curl", "-d", "{\"user\":\"dana\",\"password\":\"%%\"}", "https://api.example.com/login"}},
      {"FormBody", {"curl", "-d", "grant_type=password&client_secret=%%&x=1", "https://api.example.com/token"}},
      {"QueryKey", {"curl", "https://maps.example.com/v1?q=x&api_key=%%"}},
      {"NpmToken", {"npm", "config", "set", "//registry.npmjs.org/:_authToken=%%"}},
      {"Netrc", {"sh", "-c", "echo 'machine h.example.com login dana password %%' >> ~/.netrc"}},
      {"SlackWebhook", {"curl", "-d", "{}", "https://hooks.slack.com/services/T00000000/B00000000/%%"}},
      {"DiscordWebhook", {"curl", "-d", "{}", "https://discord.com/api/webhooks/123456789012345678/%%"}},
      {"KubectlSecret", {"kubectl", "create", "secret", "generic", "x", "--from-literal=password=%%"}},
      {"HelmSet", {"helm", "upgrade", "x", "c", "--set", "db.password=%%"}},
      {"TerraformVariable", {"terraform", "destroy", "-var", "db_password=%%"}},
      {"PythonCode", {"python3", "-c", "import os; connect(password=\"%%\")"}},
      {"ExportInShell", {"bash", "-lc", "export API_TOKEN='%%'; curl https://api.example.com/"}},
      {"DotEnv", {"sh", "-c", "printf 'DB_PASSWORD=%%\\n' > .env"}},
      {"OptionAlone", {"tool", "--api-token", "%%", "rm"}},
      {"OptionWithSign", {"tool", "--client-secret=%%", "rm"}},
      {"OpensslPass", {"openssl", "enc", "-pass", "pass:%%", "-in", "x"}},
      {"PrivateKey",
       {"sh", "-c", "echo '-----BEGIN PRIV_ATE KEY-----\n%%\n-----END PRIV_ATE KEY-----' > key.pem"}},
  };
}

// How a token is handed to programs that delete, ask, or only print.
std::vector<std::vector<std::string>> Commands(const std::string& token) {
  return {
      {"echo", token},
      {"curl", "-sS", "-X", "POST", "https://backboard.railway.app/graphql/v2", "-H", "X-Whatever: " + token, "-d",
       "{\"query\":\"mutation { volumeDelete(volumeId: \\\"3d2c42fb\\\") }\"}"},
      {"curl", "-d", "{\"query\":\"mutation { tokenDelete(id: \\\"" + token + "\\\") }\"}",
       "https://backboard.railway.app/graphql/v2"},
      {"sh", "-c", "cd /srv && T=" + token + " ./deploy.sh"},
      {"git", "clone", "https://x:" + token + "@git.example.com/shop.git"},
      {"rm", "-rf", "/srv/live/" + token},
      {"python3", "-c", "requests.delete('https://api.example.com/" + token + "')"},
      {"curl", "https://api.example.com/v1?k=" + token + "&x=1"},
  };
}

class PrivacyTest : public testing::Test {
 protected:
  PrivacyTest() {
    char name[] = "/tmp/holdpoint-privacy-XXXXXX";
    dir_ = mkdtemp(name);
    spool_ = *Spool::Open(dir_ + "/spool", "0123456789abcdef0123456789abcdef");
    stream_.set_run_id("0123456789abcdef0123456789abcdef");
    recorder_ = std::make_unique<Recorder>(stream_, Clock::Real(), *spool_);
    judge_.Handle(testworld::ConfigureMessage(1));
  }
  ~PrivacyTest() override { fs::remove_all(dir_); }

  // Judges the act and records it and its refusal as the gate does.
  v1::ExecVerdict Record(const std::vector<std::string>& argv) {
    v1::ToJudge message = testworld::ExecMessage(++id_, absl::StrCat("/usr/bin/", argv[0]), argv);
    message.mutable_exec()->mutable_process()->set_inode(id_);
    std::vector<v1::FromJudge> answers = judge_.Handle(message);
    for (int i = 0; i < Judge::kMaxRounds && !answers.empty() && answers[0].has_facts_wanted(); ++i) {
      v1::ToJudge more;
      more.set_id(id_);
      more.mutable_facts();
      answers = judge_.Handle(more);
    }
    EXPECT_EQ(answers.size(), 1u);
    EXPECT_TRUE(!answers.empty() && answers[0].has_exec());
    if (answers.empty()) return {};
    v1::ExecVerdict verdict = answers[0].exec();
    verdict.clear_footprint();  // For the gate's memory, never for the record.
    said_ += verdict.SerializeAsString();
    v1::Envelope exec;
    exec.set_session("s-1");
    exec.mutable_exec()->mutable_process()->mutable_argv()->CopyFrom(verdict.argv());
    *exec.mutable_exec()->mutable_judgement() = verdict.judgement();
    v1::Envelope outcome;
    outcome.set_session("s-1");
    outcome.mutable_outcome()->set_what("refused");
    *outcome.mutable_outcome()->mutable_judgement() = verdict.judgement();
    *outcome.mutable_outcome()->mutable_process() = exec.exec().process();
    EXPECT_TRUE(recorder_->Record(std::move(exec)).ok());
    EXPECT_TRUE(recorder_->Record(std::move(outcome)).ok());
    return verdict;
  }

  // Every byte that left: what the judge said, the spool's files, and each export of each record.
  std::string Everything() {
    EXPECT_TRUE(recorder_->Sync().ok());
    std::string all = said_;
    for (const auto& entry : fs::recursive_directory_iterator(dir_)) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      all.append(std::istreambuf_iterator<char>(in), {});
    }
    const auto reader = *SpoolReader::Open(dir_ + "/spool", {});
    SpoolReader::Record record;
    while (*reader->Next(&record)) {
      v1::Envelope event;
      EXPECT_TRUE(ParseRecord(record.bytes, &event));
      for (const ExportFormat format :
           {ExportFormat::kJson, ExportFormat::kCef, ExportFormat::kOcsf, ExportFormat::kEcs}) {
        absl::StrAppend(&all, Export(format, event), "\n");
      }
    }
    return all;
  }

  // Neither the secret nor a piece of it that would help to find it.
  static void ExpectAbsent(const std::string& all, const std::string& secret, const std::string& what) {
    const size_t at = all.find(secret);
    EXPECT_EQ(at, std::string::npos) << what << ", behind: " << (at == std::string::npos ? "" : all.substr(at - std::min<size_t>(at, 60), 60));
    const size_t piece = std::min<size_t>(16, secret.size());
    EXPECT_FALSE(absl::StrContains(all, secret.substr(secret.size() - piece))) << what << ": its end";
  }

  std::string dir_;
  v1::StreamId stream_;
  std::unique_ptr<Spool> spool_;
  std::unique_ptr<Recorder> recorder_;
  Judge judge_;
  uint64_t id_ = 1;
  std::string said_;
};

TEST_F(PrivacyTest, TokensOfPublicShapesAreNowhereInTheRecord) {
  for (const Token& token : Tokens()) {
    for (const std::vector<std::string>& argv : Commands(token.text)) {
      const size_t before = said_.size();
      Record(argv);
      const std::string said = said_.substr(before);
      EXPECT_FALSE(absl::StrContains(said, token.text)) << token.name << " in " << argv[0] << " " << argv[1];
    }
  }
  const std::string all = Everything();
  for (const Token& token : Tokens()) EXPECT_FALSE(absl::StrContains(all, token.text)) << token.name;
  EXPECT_TRUE(absl::StrContains(all, "<redacted fp:"));
}

TEST_F(PrivacyTest, SecretsByTheirPlaceAreNowhereInTheRecord) {
  size_t number = 100;
  std::vector<std::pair<std::string, std::string>> secrets;
  for (const Place& place : Places()) {
    // No digits in a row, no prefix: only the place gives it away. Long enough for a signature.
    const std::string secret = absl::StrCat("correct/horse+battery/staple", ++number);
    std::vector<std::string> argv = place.argv;
    for (std::string& word : argv) {
      word = absl::StrReplaceAll(word, {{"%%", secret}, {"PRIV_ATE", "PRIVATE"}});
    }
    Record(argv);
    secrets.emplace_back(place.name, secret);
  }
  const std::string all = Everything();
  for (const auto& [name, secret] : secrets) ExpectAbsent(all, secret, name);
}

// What is none has to stay: a record that hides the volume's id helps nobody.
TEST_F(PrivacyTest, NeighboursStay) {
  const std::vector<std::vector<std::string>> acts = {
      {"curl", "-X", "DELETE", "https://api.example.com/v1/volumes/3d2c42fb-aaaa-bbbb-cccc-0123456789ab"},
      {"git", "push", "--force", "https://git.example.com/shop.git", HexBody(40)},
      {"docker", "pull", "registry.example.com/secret:latest"},
      {"docker", "run", "-p", "8080:80", "alpine"},
      {"rm", "-rf", "/srv/tokens/key-rotation.md"},
      {"tool", "--token-file", "/run/secrets/token", "--max-tokens=4096"},
      {"env", "TOKENIZERS_PARALLELISM=false", "python3", "skeleton-animation-controller-module.py"},
      {"psql", "-h", "db.example.com", "-c", "SELECT password FROM users"},
      {"kubectl", "delete", "secret", "shop-database-password"},
      {"curl", "https://hooks.slack.com/help", "https://api.example.com/v1?sig=1"},
      {"aws", "s3", "rm", "s3://shop-backups/sha256:" + HexBody(64)},
      {"sh", "-c", "echo 'the login page asks for a password twice'"},
      {"sh", "-c", "curl -H \"Authorization: Bearer $API_TOKEN\" https://api.example.com/"},
      {"tool", "npm_config_cache", "sk-short", "ghp_x", "AKIA", "eyJ.a.b", "SG.x", "key-value", "SKU123456", "pul-request"},
  };
  for (const std::vector<std::string>& argv : acts) {
    const v1::ExecVerdict verdict = Record(argv);
    EXPECT_EQ(std::vector<std::string>(verdict.argv().begin(), verdict.argv().end()), argv);
  }
}

// Of a request only what decided is in the record: the operation, not its body.
TEST_F(PrivacyTest, ABodyIsNotRecordedBeyondItsArgv) {
  const std::string filler(4000, 'z');
  const v1::ExecVerdict verdict =
      Record({"curl", "-X", "POST", "https://backboard.railway.app/graphql/v2", "-d",
              "{\"query\":\"mutation { volumeDelete(volumeId: \\\"3d2c42fb\\\") }\",\"note\":\"" + filler + "\"}"});
  EXPECT_LT(verdict.judgement().ByteSizeLong(), 2000u);
  EXPECT_FALSE(absl::StrContains(verdict.judgement().SerializeAsString(), filler.substr(0, 100)));
  EXPECT_THAT(verdict.judgement().summary(), testing::HasSubstr("volumeDelete"));
}

}  // namespace
}  // namespace holdpoint
