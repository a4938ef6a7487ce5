// Ordinary work and what it gets with the shipped rules: each row with the evidence that lets it pass, and beside it the
// same act without that evidence, or with evidence of the contrary. The workspace is /srv/shop, the home /home/dev, the
// session staging.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/environment/fingerprint.h"
#include "agent/environment/load.h"
#include "agent/judge/check.h"
#include "agent/policy/cases.h"
#include "agent/policy/rule_reader.h"

namespace holdpoint {
namespace {

using Words = std::map<std::string, std::string>;

constexpr char kPostgres[] = "/usr/lib/postgresql/15/bin/postgres";
constexpr char kKubeconfig[] =
    "current-context: kind-shop\n"
    "contexts:\n"
    "- {name: kind-shop, context: {cluster: kind-shop}}\n"
    "- {name: far, context: {cluster: far}}\n"
    "clusters:\n"
    "- {name: kind-shop, cluster: {server: 'https://127.0.0.1:40001'}}\n"
    "- {name: far, cluster: {server: 'https://k8s.example.com:6443'}}\n";
constexpr char kCompose[] = "services: {db: {image: 'postgres:16'}}\nvolumes: {pgdata: }\n";
const Words kNoConfig = {{"file .env", "missing"}, {"file /home/dev/.docker/config.json", "missing"}};

struct Row {
  const char* row;
  const char* argv;  // words divided by single spaces; "|" stands for a space in a word
  const char* verdict;
  Words paths = {};
  Words files = {};
  Words host = {};
  Words git = {};  // empty: nothing is known; {"root", ...} and others as in cases.h
  std::vector<std::string> environment = {};
  const char* cwd = "/srv/shop";
};

Words With(Words words, const std::string& name, const std::string& value) {
  words[name] = value;
  return words;
}

const std::vector<Row>& Rows() {
  static const std::vector<Row> rows = {
      {"npm ci", "npm ci", "allow"},
      {"npm, global", "npm install -g typescript", "audit"},
      {"pip into the project's environment", "/srv/shop/.venv/bin/pip install flask", "allow", {{".venv/pyvenv.cfg", "file"}}},
      {"pip, nothing seen", "/srv/shop/.venv/bin/pip install flask", "audit"},
      {"pip, global", "/usr/bin/pip install flask", "audit", {{"/usr/pyvenv.cfg", "missing"}}},
      {"pip uninstall in the environment", "/srv/shop/.venv/bin/pip uninstall -y flask", "allow", {{".venv/pyvenv.cfg", "file"}}},
      {"pip uninstall, global", "/usr/bin/pip uninstall -y flask", "audit", {{"/usr/pyvenv.cfg", "missing"}}},

      {"compose down -v of the workspace's own project", "docker compose down -v", "audit",
       {{"compose.yaml", "file clean"}, {"compose.yml", "missing"}, {"docker-compose.yml", "missing"}, {"docker-compose.yaml", "missing"},
        {"compose.override.yaml", "missing"}, {"compose.override.yml", "missing"}, {"docker-compose.override.yml", "missing"},
        {"docker-compose.override.yaml", "missing"}},
       {{"compose.yaml", kCompose}}, kNoConfig},
      {"compose down -v, nothing seen", "docker compose down -v", "hold"},
      {"compose down -v of another folder", "docker compose -f /srv/other/compose.yaml down -v", "hold", {},
       {{"/srv/other/compose.yaml", kCompose}},
       {{"file /srv/other/.env", "missing"}, {"file /home/dev/.docker/config.json", "missing"}}},
      {"compose down -v on another host", "docker compose -f compose.yaml down -v", "hold", {}, {{"compose.yaml", kCompose}}, kNoConfig, {},
       {"DOCKER_HOST=ssh://web.example.com"}},
      {"compose down -v by a context that is another host", "docker compose -f compose.yaml down -v", "hold", {},
       {{"compose.yaml", kCompose}, {"/home/dev/.docker/config.json", "{\"currentContext\":\"far\"}"}}, {{"file .env", "missing"}}},
      {"compose down without -v", "docker compose down", "audit"},

      {"reset --hard, clean", "git reset --hard", "allow", {}, {}, {}, {{"dirty", "0"}}},
      {"reset --hard, dirty", "git reset --hard", "hold", {}, {}, {}, {{"dirty", "2"}}},
      {"reset --hard, nothing seen", "git reset --hard", "hold"},
      {"push --force to one's own branch", "git push --force", "audit", {}, {}, {}, {{"upstream_local", "true"}}},
      {"push --force, its tip is not here", "git push --force", "hold", {}, {}, {}, {{"upstream_local", "false"}}},
      {"push --force to the default branch", "git push --force", "hold", {}, {}, {}, {{"upstream_local", "true"}, {"branch", "main"}}},
      {"push --force, nothing seen", "git push --force", "hold"},
      {"branch -d", "git branch -d feature-1", "allow", {}, {}, {}, {{"dirty", "0"}}},
      {"branch -D", "git branch -D feature-1", "audit", {}, {}, {}, {{"dirty", "0"}}},
      {"deleting one's own remote branch", "git push origin --delete feature", "audit", {}, {}, {}, {{"upstream_local", "true"}}},
      {"deleting a remote branch of which nothing is here", "git push origin --delete feature", "hold", {}, {}, {}, {{"upstream_local", "false"}}},

      {"rm -rf node_modules", "rm -rf node_modules", "allow", {{"node_modules", "directory"}}},
      {"rm -rf build, ignored", "rm -rf build", "allow", {{"build", "directory ignored"}}},
      {"rm -rf dist, not ignored", "rm -rf dist", "hold", {{"dist", "directory"}}},
      {"rm -rf build, nothing seen", "rm -rf build", "hold"},
      {"rm -rf .", "rm -rf /srv/shop", "hold", {{"/srv/shop", "directory root"}}},
      {"rm -rf .git", "rm -rf .git", "hold", {{".git", "directory"}}},
      {"rm -rf of another working tree", "rm -rf /srv/shop-hotfix", "hold", {{"/srv/shop-hotfix", "directory root"}}},
      {"rm -rf $HOME", "rm -rf /home/dev", "hold", {{"/home/dev", "directory"}}},
      {"rm -rf below a cache", "rm -rf /home/dev/.cache/x", "allow", {{"/home/dev/.cache/x", "directory"}}},
      {"rm -rf of the cache", "rm -rf /home/dev/.cache", "hold", {{"/home/dev/.cache", "directory"}}},

      {"prisma migrate reset, local", "prisma migrate reset --force", "hold", {}, {{".env", "DATABASE_URL=postgres://d:x@localhost/shop\n"}},
       {{"listener localhost:5432", kPostgres}}},
      {"prisma migrate reset, nothing seen", "prisma migrate reset --force", "hold"},
      {"supabase db reset", "supabase db reset", "hold"},
      {"dropdb of a test database here", "dropdb test_db", "audit", {}, {},
       {{"listener /var/run/postgresql/.s.PGSQL.5432", kPostgres}, {"listener /tmp/.s.PGSQL.5432", "none"}}},
      {"dropdb, no test", "dropdb shop", "hold", {}, {},
       {{"listener /var/run/postgresql/.s.PGSQL.5432", kPostgres}, {"listener /tmp/.s.PGSQL.5432", "none"}}},
      {"dropdb, nothing seen", "dropdb test_db", "hold"},
      {"dropdb, a server in a container", "dropdb -h localhost test_db", "audit", {}, {}, {{"listener localhost:5432", "container /usr/local/bin/postgres"}}},
      {"dropdb through ssh", "dropdb -h localhost test_db", "hold", {}, {}, {{"listener localhost:5432", "/usr/bin/ssh"}}},
      {"dropdb through kubectl port-forward", "dropdb -h localhost test_db", "hold", {}, {}, {{"listener localhost:5432", "/usr/bin/kubectl"}}},
      {"dropdb through a proxy of the cloud", "dropdb -h localhost test_db", "hold", {}, {}, {{"listener localhost:5432", "/usr/bin/cloud_sql_proxy"}}},
      {"dropdb, a proxy in a container", "dropdb -h localhost test_db", "hold", {}, {}, {{"listener localhost:5432", "container /cloud-sql-proxy"}}},
      {"dropdb, a program that is called like a server", "dropdb -h localhost test_db", "hold", {}, {}, {{"listener localhost:5432", "own /home/dev/postgres"}}},
      {"dropdb, nobody listens", "dropdb -h 127.0.0.1 test_db", "hold", {}, {}, {{"listener 127.0.0.1:5432", "none"}}},
      {"dropdb elsewhere", "dropdb -h db1 test_db", "hold"},
      {"DROP DATABASE of a test database here", "psql -h localhost -c DROP|DATABASE|test_db", "audit", {}, {}, {{"listener localhost:5432", kPostgres}}},
      {"DROP DATABASE through a tunnel", "psql -h localhost -c DROP|DATABASE|test_db", "hold", {}, {}, {{"listener localhost:5432", "/usr/bin/ssh"}}},
      {"FLUSHALL here", "redis-cli FLUSHALL", "audit", {}, {}, {{"listener 127.0.0.1:6379", "/usr/bin/redis-server"}}},
      {"FLUSHALL, nothing seen", "redis-cli FLUSHALL", "hold"},
      {"FLUSHALL through a tunnel", "redis-cli FLUSHALL", "hold", {}, {}, {{"listener 127.0.0.1:6379", "/usr/bin/ssh"}}},

      {"terraform destroy", "terraform destroy", "hold", {}, {{".terraform/environment", "sandbox"}}, {{"file .terraform/terraform.tfstate", "missing"}}},
      {"terraform apply of a plan that adds", "terraform apply p.plan", "audit", {}, {}, {{"plan p.plan", ""}}},
      {"terraform apply of a plan that takes away", "terraform apply p.plan", "hold", {}, {}, {{"plan p.plan", "aws_db_instance.shop"}}},
      {"terraform apply of a plan, nothing seen", "terraform apply p.plan", "hold"},

      {"kubectl delete pod in kind", "kubectl delete pod web-1", "audit", {}, {{"/home/dev/.kube/config", kKubeconfig}},
       {{"listener 127.0.0.1:40001", "container /usr/local/bin/kube-apiserver"}}},
      {"kubectl delete pod through a tunnel", "kubectl delete pod web-1", "hold", {}, {{"/home/dev/.kube/config", kKubeconfig}},
       {{"listener 127.0.0.1:40001", "/usr/bin/ssh"}}},
      {"kubectl delete pod elsewhere", "kubectl --context far delete pod web-1", "hold", {}, {{"/home/dev/.kube/config", kKubeconfig}}},
      {"kubectl delete pod, nothing seen", "kubectl delete pod web-1", "hold"},
      {"helm uninstall in kind", "helm uninstall web", "audit", {}, {{"/home/dev/.kube/config", kKubeconfig}},
       {{"listener 127.0.0.1:40001", "container /usr/local/bin/kube-apiserver"}}},
      {"helm uninstall elsewhere", "helm --kube-context far uninstall web", "hold", {}, {{"/home/dev/.kube/config", kKubeconfig}}},

      {"SELECT in production", "psql -h db.prod.example.com -c SELECT|1", "audit"},
      {"SELECT anywhere else", "psql -h localhost -c SELECT|1", "allow", {}, {}, {{"listener localhost:5432", kPostgres}}},
      {"a file to production", "psql -h db.prod.example.com -f x.sql", "hold"},
      {"reading .env", "cat .env", "allow"},
      {"reading .env.production", "cat .env.production", "allow"},
      {"aws", "aws s3 ls", "allow"},
      {"its credentials read by something else", "cat /home/dev/.aws/credentials", "audit"},

      {"apt-get remove", "apt-get remove -y nginx", "audit"},
      {"apt-get purge of a database with data", "apt-get purge -y mysql-server", "hold", {{"/var/lib/mysql", "directory"}}},
      {"apt-get purge of a database without data", "apt-get purge -y mysql-server", "audit", {{"/var/lib/mysql", "missing"}}},
      {"apt-get purge of a database, nothing seen", "apt-get purge -y mysql-server", "hold"},
      {"kill of what this session started", "kill 4242", "allow", {}, {}, {{"process 4242", "session"}}},
      {"kill of another process of this user", "kill 4242", "audit", {}, {}, {{"process 4242", "own"}}},
      {"kill of another user's process", "kill 4242", "hold", {}, {}, {{"process 4242", "other"}}},
      {"kill of a service", "kill 4242", "hold", {}, {}, {{"process 4242", "service"}}},
      {"systemctl stop", "systemctl stop nginx", "audit"},
      {"systemctl stop of a database", "systemctl stop postgresql", "hold"},
      {"systemctl stop of a database by another name", "systemctl stop shop-data", "hold", {},
       {{"/etc/systemd/system/shop-data.service", "[Service]\nExecStart=/usr/sbin/mariadbd\n"}}},
      {"systemctl stop of Holdpoint", "systemctl stop holdpointd", "refuse"},
      {"ssh", "ssh web.staging.example.com", "audit"},
      {"gh pr close", "gh pr close 7", "audit"},
      {"docker system prune", "docker system prune -f", "audit"},
      {"docker system prune -a", "docker system prune -af", "hold"},
      {"docker system prune --volumes where all is the workspace's", "docker system prune -f --volumes", "audit", {}, {{"compose.yaml", kCompose}},
       With(kNoConfig, "volumes", "shop_pgdata"), {}, {"COMPOSE_FILE=compose.yaml"}},
      {"docker system prune --volumes where there is more", "docker system prune -f --volumes", "hold", {}, {{"compose.yaml", kCompose}},
       With(kNoConfig, "volumes", "shop_pgdata other_data"), {}, {"COMPOSE_FILE=compose.yaml"}},
      {"docker volume rm of the workspace's", "docker volume rm shop_pgdata", "audit", {}, {{"compose.yaml", kCompose}}, kNoConfig, {},
       {"COMPOSE_FILE=compose.yaml"}},
      {"docker volume rm of another one", "docker volume rm other_data", "hold", {}, {{"compose.yaml", kCompose}}, kNoConfig, {},
       {"COMPOSE_FILE=compose.yaml"}},
      {"crontab -r", "crontab -r", "hold", {}, {}, {{"crontab", "unsaved"}}},
      {"crontab -r, saved first", "crontab -r", "audit", {}, {}, {{"crontab", "saved"}}},
      {"crontab -r, nothing seen", "crontab -r", "hold"},
      {"truncate of a log in the workspace", "truncate -s 0 app.log", "audit", {{"app.log", "file"}}},
      {"truncate of a log of the host", "truncate -s 0 /var/log/syslog", "hold", {{"/var/log/syslog", "file"}}},
  };
  return rows;
}

std::shared_ptr<const Policy> ShippedPolicy() {
  const char* source = getenv("HP_SOURCE_DIR");
  std::vector<Pack> packs;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(source ? source : ".") / "rules")) {
    if (entry.path().extension() != ".yaml") continue;
    std::ifstream in(entry.path());
    std::stringstream text;
    text << in.rdbuf();
    auto pack = ReadPack(entry.path().filename().string(), text.str());
    EXPECT_TRUE(pack.ok()) << pack.status().message();
    if (pack.ok()) packs.push_back(*std::move(pack));
  }
  auto policy = Policy::Compile(std::move(packs));
  EXPECT_TRUE(policy.ok()) << policy.status().message();
  return policy.ok() ? *policy : nullptr;
}

TEST(EverydayVerdictsTest, EachRowGetsItsVerdict) {
  const std::shared_ptr<const Policy> policy = ShippedPolicy();
  ASSERT_NE(policy, nullptr);
  const Configuration configuration = BuiltInConfiguration();
  for (const Row& row : Rows()) {
    RuleCase c;
    for (const absl::string_view one : absl::StrSplit(row.argv, ' ')) {
      std::string word(one);
      for (char& letter : word) letter = letter == '|' ? ' ' : letter;
      c.argv.push_back(std::move(word));
    }
    c.cwd = row.cwd;
    c.environment = row.environment;
    c.paths = row.paths;
    c.files = row.files;
    c.host = row.host;
    c.git = row.git;
    c.git_known = !row.git.empty();
    const absl::StatusOr<v1::Judgement> judgement = JudgeCase(*policy, c, configuration);
    ASSERT_TRUE(judgement.ok()) << row.row << ": " << judgement.status().message();
    EXPECT_EQ(VerdictWord(judgement->verdict()), row.verdict)
        << row.row << ": " << row.argv << ": by " << judgement->rule() << ": " << judgement->reason();
  }
}

// What may be remembered for its resource must have one, and say everything that it loses.
TEST(EverydayVerdictsTest, WhatIsHeldOnceCanBeRememberedForItsResource) {
  const std::shared_ptr<const Policy> policy = ShippedPolicy();
  ASSERT_NE(policy, nullptr);
  const auto judged = [&](std::vector<std::string> argv, std::vector<std::string> environment = {}) {
    RuleCase c;
    c.argv = std::move(argv);
    c.cwd = "/srv/shop";
    c.environment = std::move(environment);
    c.files = {{".env", "DATABASE_URL=postgres://d:x@localhost/shop\n"}, {".terraform/environment", "sandbox"}};
    c.host = {{"listener localhost:5432", kPostgres}, {"file .terraform/terraform.tfstate", "missing"}};
    const absl::StatusOr<v1::Judgement> judgement = JudgeCase(*policy, c, BuiltInConfiguration());
    EXPECT_TRUE(judgement.ok());
    EXPECT_EQ(judgement->verdict(), v1::VERDICT_HOLD) << c.argv[0];
    EXPECT_EQ(judgement->loss_digest().size(), 32u) << judgement->reason() << judgement->ShortDebugString();
    return *judgement;
  };
  const v1::Judgement reset = judged({"prisma", "migrate", "reset"});
  EXPECT_EQ(reset.loss_digest(), judged({"prisma", "migrate", "reset", "--force", "--skip-seed"}).loss_digest());
  EXPECT_NE(reset.loss_digest(), judged({"prisma", "migrate", "reset"}, {"DATABASE_URL=postgres://d:x@localhost/other"}).loss_digest());
  EXPECT_NE(reset.loss_digest(), judged({"prisma", "migrate", "reset"}, {"DATABASE_URL=postgres://d:x@db.prod.example.com/shop"}).loss_digest());
  const v1::Judgement destroy = judged({"terraform", "destroy"});
  EXPECT_EQ(destroy.resource().id(), "local /srv/shop, workspace sandbox");
  EXPECT_EQ(destroy.loss_digest(), judged({"terraform", "destroy", "-auto-approve"}).loss_digest());
  EXPECT_NE(destroy.loss_digest(), judged({"terraform", "destroy", "-target=aws_db_instance.shop"}).loss_digest());
  EXPECT_NE(destroy.loss_digest(), judged({"terraform", "destroy"}, {"TF_WORKSPACE=live"}).loss_digest());
  judged({"supabase", "db", "reset"});
}

// The use of a credential of another environment is what counts, wherever it comes from; who only inherits one uses none.
TEST(EverydayVerdictsTest, CredentialsAreKnownByProfileByVariableAndByFile) {
  const std::shared_ptr<const Policy> policy = ShippedPolicy();
  ASSERT_NE(policy, nullptr);
  constexpr char kKey[] = "0123456789abcdef0123456789abcdef";  // of JudgeCase
  constexpr char kSecret[] = "wJalrXUtnFEMIK7MDENGbPxRfiCYzzzz";
  Configuration configuration = BuiltInConfiguration();
  configuration.credentials.push_back(
      {.name = "live", .environment = "production", .files = {}, .variables = {}, .fingerprints = {Fingerprint(kKey, kSecret)}});
  const auto tagged = [&](std::vector<std::string> argv, Words files, std::vector<std::string> environment = {}) {
    RuleCase c;
    c.argv = std::move(argv);
    c.cwd = "/srv/shop";
    c.environment = std::move(environment);
    c.files = std::move(files);
    c.paths = {{"node_modules", "directory"}};
    c.host = {{"file /home/dev/.aws/config", "missing"}, {"listener localhost:5432", kPostgres}};
    const absl::StatusOr<v1::Judgement> judgement = JudgeCase(*policy, c, configuration);
    EXPECT_TRUE(judgement.ok());
    EXPECT_EQ(judgement->ShortDebugString().find(kSecret), std::string::npos);
    return judgement->tags().credential().environment();
  };
  const std::string profiles = absl::StrCat("[default]\naws_secret_access_key = abc\n[far]\naws_secret_access_key = ", kSecret, "\n");
  const Words files = {{"/home/dev/.aws/credentials", profiles}};
  EXPECT_EQ(tagged({"aws", "s3", "ls"}, files), "");
  EXPECT_EQ(tagged({"aws", "--profile", "far", "s3", "ls"}, files), "production");
  EXPECT_EQ(tagged({"aws", "s3", "ls"}, files, {"AWS_PROFILE=far"}), "production");
  EXPECT_EQ(tagged({"aws", "s3", "ls"}, files, {"AWS_PROFILE=shop-prod"}), "production");
  EXPECT_EQ(tagged({"psql", "-h", "localhost", "-c", "select 1"}, {}, {absl::StrCat("PGPASSWORD=", kSecret)}), "production");
  EXPECT_EQ(tagged({"rm", "-rf", "node_modules"}, {}, {absl::StrCat("PGPASSWORD=", kSecret)}), "");
  EXPECT_EQ(tagged({"prisma", "migrate", "reset"}, {{".env", absl::StrCat("DATABASE_URL=postgres://u:", kSecret, "@localhost/shop\n")}}),
            "production");
}

}  // namespace
}  // namespace holdpoint
