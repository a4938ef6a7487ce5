#include "agent/environment/redact.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "agent/base/utf8.h"
#include "agent/environment/fingerprint.h"
#include "agent/environment/secrets.h"

namespace holdpoint {
namespace {

const std::string kKey(32, 'k');

// Made at run time from parts, so that no text in this tree looks like a token to a scanner.
std::string Body(size_t size) {
  std::string body;
  for (size_t i = 0; i < size; ++i) body += "aB3dE7gH9kLmN2pQ5rS8tUvW"[i % 24];
  return body;
}

std::string Lower(size_t size) { return std::string("a1b2c3d4e5f60718").append(size, 'c').substr(0, size); }

std::string UpperBody(size_t size) {
  std::string body;
  for (size_t i = 0; i < size; ++i) body += "ABCDEFGH23456789"[i % 16];
  return body;
}

// Every issuer's shape that the table knows, by itself in a sentence.
TEST(TokenShapeTest, EachIssuersTokenIsRedactedWhereverItStands) {
  const std::string dash = "-", low = "_", dot = ".";
  for (const std::string& token : {
           "ghp" + low + Body(36),
           "gho" + low + Body(36),
           "ghu" + low + Body(36),
           "ghs" + low + Body(36),
           "ghr" + low + Body(36),
           "github" + low + "pat" + low + Body(40),
           "glpat" + dash + Body(20),
           "sk" + dash + "ant" + dash + Body(40),
           "sk" + dash + Body(48),
           "sk" + low + "live" + low + Body(24),
           "rk" + low + "test" + low + Body(24),
           "AK" + std::string("IA") + UpperBody(16),
           "AS" + std::string("IA") + UpperBody(16),
           "AI" + std::string("za") + Body(35),
           "ya29" + dot + Body(40),
           "xox" + std::string("b-") + Body(24),
           "xox" + std::string("p-") + Body(24),
           "npm" + low + Body(36),
           "pypi" + dash + Body(60),
           "hf" + low + Body(34),
           "dop" + low + "v1" + low + Lower(64),
           "hvs" + dot + Body(24),
           "SG" + dot + Body(22) + dot + Body(43),
           "dckr" + low + "pat" + low + Body(27),
           "glsa" + low + Body(32),
           "sbp" + low + Lower(40),
           "ey" + std::string("J") + Body(20) + dot + Body(30) + dot + Body(43),
       }) {
    EXPECT_FALSE(TokenKind(token).empty()) << token;
    for (const std::string& text : {token, "see " + token + ", please", "a=" + token, "\"" + token + "\"", token + ".",
                                    "x\\n" + token, "https://h.example/?k=" + token + "&b=1"}) {
      const std::string redacted = RedactText(kKey, text, 1000);
      EXPECT_FALSE(absl::StrContains(redacted, token)) << redacted;
      EXPECT_TRUE(absl::StrContains(redacted, Fingerprint(kKey, token))) << text << " gave " << redacted;
    }
  }
}

TEST(TokenShapeTest, NeighboursStay) {
  for (const std::string& word :
       {std::string("sk-short"), std::string("ghp_x"), std::string("AKIA"), std::string("eyJ.a.b"),
        std::string("3d2c42fb-aaaa-bbbb-cccc-0123456789ab"), std::string("sha256:") + Lower(64), Lower(40),
        std::string("skeleton-animation-controller-module"), std::string("npm_config_cache"),
        std::string("hf_transfer"), std::string("registry.example/secret:latest"), std::string("SG.x")}) {
    EXPECT_EQ(RedactText(kKey, word, 1000), word);
    EXPECT_EQ(RedactArgv(kKey, {word})[0], word);
  }
}

TEST(SecretNameTest, Table) {
  for (const char* name : {"password",      "DB_PASSWORD",          "PGPASSWORD",
                           "MYSQL_PWD",     "accessToken",          "X-Api-Key",
                           "APIKey",        "client_secret",        "AWS_SECRET_ACCESS_KEY",
                           "GITHUB_TOKEN",  "Project-Access-Token", "Cookie",
                           "Authorization", "_authToken",           "REDIS_AUTH",
                           "db-pass",       "private_key",          "passphrase",
                           "SENTRY_DSN",    "credentials"}) {
    EXPECT_TRUE(IsSecretName(name)) << name;
  }
  for (const char* name : {"PWD", "OLDPWD", "MAX_TOKENS", "TOKEN_FILE", "password-file", "TOKENIZERS_PARALLELISM",
                           "SECRET_NAME", "key", "PRIMARY_KEY", "author", "compass", "PATH", "monkey", "tokenize",
                           "password-stdin", "GIT_ASKPASS_MODE", "TOKEN_URL", "x", ""}) {
    EXPECT_FALSE(IsSecretName(name)) << name;
  }
}

struct Case {
  std::vector<std::string> argv;  // SECRET stands for the secret
  std::string wanted;             // joined by blanks, * where it was
};

TEST(RedactArgvTest, SecretsByTheirPlace) {
  // No issuer's shape, no digits: only the place gives it away.
  const std::string secret = "correct/horse+battery";
  for (const Case& c : {
           Case{{"curl", "-H", "Authorization: Bearer SECRET", "u"}, "curl -H Authorization: Bearer * u"},
           Case{{"curl", "-H", "authorization: SECRET"}, "curl -H authorization: *"},
           Case{{"curl", "-HX-Api-Key: SECRET"}, "curl -HX-Api-Key: *"},
           Case{{"curl", "-H", "Project-Access-Token:SECRET"}, "curl -H Project-Access-Token:*"},
           Case{{"curl", "--header=Cookie: sid=SECRET"}, "curl --header=Cookie: *"},
           Case{{"curl", "-u", "dana:SECRET", "u"}, "curl -u dana:* u"},
           Case{{"curl", "-udana:SECRET"}, "curl -udana:*"},
           Case{{"curl", "-sSu", "dana:SECRET"}, "curl -sSu dana:*"},
           Case{{"curl", "--user", "SECRET:"}, "curl --user *:"},
           Case{{"/usr/bin/curl", "--oauth2-bearer", "SECRET"}, "/usr/bin/curl --oauth2-bearer *"},
           Case{{"curl", "-d", "{\"query\":\"q\",\"token\":\"SECRET\"}"}, "curl -d {\"query\":\"q\",\"token\":\"*\"}"},
           Case{{"curl", "-d", "user=a&password=SECRET&x=1"}, "curl -d user=a&password=*&x=1"},
           Case{{"curl", "https://a:SECRET@h.example/p"}, "curl https://a:*@h.example/p"},
           Case{{"git", "clone", "https://SECRET@h.example/p"}, "git clone https://SECRET@h.example/p"},
           Case{{"tool", "--password=SECRET", "rest"}, "tool --password=* rest"},
           Case{{"tool", "--api-key", "SECRET", "rest"}, "tool --api-key * rest"},
           Case{{"tool", "-token", "SECRET"}, "tool -token *"},
           Case{{"tool", "--token", "--next", "SECRET"}, "tool --token --next SECRET"},
           Case{{"env", "DB_PASSWORD=SECRET", "tool"}, "env DB_PASSWORD=* tool"},
           Case{{"env", "DB_PASSWORD=SECRET and more", "tool"}, "env DB_PASSWORD=* tool"},
           Case{{"mysql", "-pSECRET", "db"}, "mysql -p* db"},
           Case{{"mysql", "-p", "SECRET"}, "mysql -p SECRET"},
           Case{{"sudo", "sshpass", "-p", "SECRET", "ssh", "h"}, "sudo sshpass -p * ssh h"},
           Case{{"redis-cli", "-a", "SECRET", "PING"}, "redis-cli -a * PING"},
           Case{{"docker", "login", "-p", "SECRET"}, "docker login -p *"},
           Case{{"docker", "run", "-p", "80:80", "SECRET"}, "docker run -p 80:80 SECRET"},
           Case{{"docker", "build", "--secret", "id=npm,src=SECRET"}, "docker build --secret id=npm,src=SECRET"},
           Case{{"sh", "-c", "TOKEN=SECRET rm -rf x"}, "sh -c TOKEN=* rm -rf x"},
           Case{{"bash", "-lc", "cd x && curl -u dana:SECRET h"}, "bash -lc cd x && curl -u dana:* h"},
           Case{{"bash", "-c", "curl -H 'Authorization: Bearer SECRET' -d '{\"a\": 1}' h"},
                "bash -c curl -H 'Authorization: Bearer *' -d '{\"a\": 1}' h"},
           Case{{"bash", "-c", "curl -H \"Authorization: Bearer $SECRETNAME\" h"},
                "bash -c curl -H \"Authorization: Bearer $SECRETNAME\" h"},
           Case{{"bash", "-c", "export API_KEY='SECRET x'; run"}, "bash -c export API_KEY='*'; run"},
           Case{{"python3", "-c", "post(json={\\\"password\\\": \\\"SECRET\\\"})"},
                "python3 -c post(json={\\\"password\\\": \\\"*\\\"})"},
           Case{{"npm", "config", "set", "//r.example/:_authToken=SECRET"}, "npm config set //r.example/:_authToken=*"},
           Case{{"echo", "the password is SECRET"}, "echo the password is SECRET"},
       }) {
    std::vector<std::string> argv = c.argv;
    bool whole = false;
    for (std::string& word : argv) {
      whole = whole || absl::StrContains(word, "SECRETNAME");
      if (!whole) word = absl::StrReplaceAll(word, {{"SECRET", secret}});
    }
    std::string got = absl::StrJoin(RedactArgv("", argv), " ");
    std::string wanted = absl::StrReplaceAll(c.wanted, {{"*", "<redacted>"}});
    if (!whole) wanted = absl::StrReplaceAll(wanted, {{"SECRET", secret}});
    EXPECT_EQ(got, wanted);
  }
}

TEST(RedactArgvTest, MarkCarriesTheFingerprint) {
  const std::string value = Body(20);
  EXPECT_EQ(RedactArgv(kKey, {"tool", "--token=" + value})[1],
            absl::StrCat("--token=<redacted ", Fingerprint(kKey, value), ">"));
}

TEST(RedactArgvTest, PrivateKeyGoesWhole) {
  const std::string body = Body(400);
  const std::string text = absl::StrCat("x\\n-----BEGIN ", "OPENSSH PRIVATE", " KEY-----\n", body, "\n-----END ");
  const std::string redacted = RedactArgv(kKey, {"echo", text})[1];
  EXPECT_FALSE(absl::StrContains(redacted, body.substr(0, 40)));
  EXPECT_TRUE(absl::StrContains(redacted, "-----END"));
}

// Its quotes away, a short key in a shell's text is a word that begins with dashes and ends with the words "private key".
TEST(RedactArgvTest, PrivateKeyIsNoNameOfAnOption) {
  const std::string body = Body(64), rim = absl::StrCat(" PRIVATE", " KEY-----");
  const std::vector<std::string> argv = {
      "sh", "-c", absl::StrCat("echo '-----BEGIN", rim, "\n", body, "\n-----END", rim, "' > key.pem")};
  EXPECT_FALSE(absl::StrContains(RedactArgv(kKey, argv)[2], body));
  for (const ArgvSecret& secret : FindSecretsInArgv(argv)) EXPECT_FALSE(absl::StrContains(secret.span.kind, body));
}

TEST(RedactArgvTest, RemoveSecretsOfFindsThemInWhatWasMadeOfThem) {
  const std::vector<std::string> argv = {"curl", "https://hooks.slack.com/services/T0/B0/abcdefgh12345678"};
  std::string text = "api /services/T0/B0/abcdefgh12345678", other = "api /help";
  RemoveSecretsOf(kKey, argv, {&text, &other});
  EXPECT_FALSE(absl::StrContains(text, "abcdefgh")) << text;
  EXPECT_TRUE(absl::StrContains(text, "api /services/<redacted fp:")) << text;
  EXPECT_EQ(other, "api /help");
}

TEST(RedactArgvTest, IsBounded) {
  std::vector<std::string> argv(1000, std::string(10'000, 'x'));
  const std::vector<std::string> redacted = RedactArgv(kKey, argv);
  ASSERT_EQ(redacted.size(), kMaxRedactedWords + 1);
  EXPECT_EQ(redacted.back(), "...(+936 words)");
  EXPECT_EQ(redacted[0], std::string(512, 'x') + "...(+9488 bytes)");
}

// A secret that begins before the cut and ends behind it must not leave its first half.
TEST(RedactArgvTest, SecretAcrossTheCutIsNotHalved) {
  const std::string token = "ghp" + std::string("_") + Body(36);
  for (size_t before = 470; before < 520; ++before) {
    const std::string word = RedactArgv(kKey, {std::string(before, '/') + token})[0];
    EXPECT_FALSE(absl::StrContains(word, token.substr(0, 8))) << before;
    EXPECT_LT(word.size(), 540u);
  }
}

TEST(RedactArgvTest, RedactingTwiceChangesNothing) {
  const std::vector<std::string> once = RedactArgv(kKey, {"curl", "-u", "a:" + Body(20), "--password=" + Body(9)});
  EXPECT_EQ(RedactArgv(kKey, once)[3], once[3]);
}

// One bad byte would make the whole message that carries it unreadable.
TEST(RedactArgvTest, ResultIsValidUtf8AlsoWhereTheCutGoesThroughACharacter) {
  EXPECT_EQ(RedactArgv(kKey, {"a\xff"})[0], "a?");
  std::string word(kMaxRedactedWord - 1, 'x');
  word += "\xc3\xa9 and more";
  EXPECT_TRUE(IsValidUtf8(RedactArgv(kKey, {word})[0]));
}

TEST(SplitRawArgvTest, EmptyWordsCount) {
  EXPECT_EQ(SplitRawArgv(std::string("a\0\0b\0", 5)), (std::vector<std::string>{"a", "", "b"}));
  EXPECT_EQ(SplitRawArgv("a"), std::vector<std::string>{"a"});
  EXPECT_TRUE(SplitRawArgv("").empty());
}

}  // namespace
}  // namespace holdpoint
