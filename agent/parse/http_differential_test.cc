// What this host's curl and wget really send, against what ParseCurl and ParseWget say they would: every command is run
// against a server on loopback that writes down what came.

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "agent/base/fd.h"
#include "agent/parse/http_request.h"
#include "agent/parse/uri.h"

namespace holdpoint {
namespace {

using Words = std::vector<std::string>;

constexpr int kPatienceMs = 20'000;  // until a peer that says nothing is given up

// METHOD path?query [type] {body}
std::string Line(absl::string_view method, absl::string_view path, absl::string_view query, absl::string_view type,
                 absl::string_view body) {
  return absl::StrCat(method, " ", path, query.empty() ? "" : "?", query, " [", type, "] {", body, "}");
}

// Answers every request with 200 and an empty body, one connection at a time.
class EchoServer {
 public:
  EchoServer() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), stop_(eventfd(0, EFD_CLOEXEC)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_.get(), 16), 0);
    EXPECT_EQ(getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }

  // Ends the server; what came, in order.
  std::vector<std::string> Stop() {
    const uint64_t one = 1;
    EXPECT_EQ(write(stop_.get(), &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
    thread_.join();
    return lines_;
  }

  int port() const { return port_; }

 private:
  void Serve() {
    while (true) {
      pollfd fds[] = {{listener_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
      if (poll(fds, 2, kPatienceMs) <= 0 || fds[1].revents) return;
      UniqueFd connection(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (connection.ok()) Answer(connection.get());
    }
  }

  bool Fill(int fd) {
    pollfd readable = {fd, POLLIN, 0};
    char buffer[4096];
    if (poll(&readable, 1, kPatienceMs) <= 0) return false;
    const ssize_t got = read(fd, buffer, sizeof(buffer));
    if (got <= 0) return false;
    pending_.append(buffer, got);
    return true;
  }

  static void Say(int fd, absl::string_view text) {
    EXPECT_EQ(send(fd, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }

  void Answer(int fd) {
    pending_.clear();
    size_t end;
    while ((end = pending_.find("\r\n\r\n")) == pending_.npos) {
      if (!Fill(fd)) return;
    }
    const Words head = absl::StrSplit(pending_.substr(0, end), "\r\n");
    pending_.erase(0, end + 4);
    size_t length = 0;
    std::string type;
    for (const std::string& header : head) {
      const std::vector<absl::string_view> parts = absl::StrSplit(header, absl::MaxSplits(':', 1));
      if (parts.size() != 2) continue;
      if (absl::EqualsIgnoreCase(parts[0], "content-length")) (void)absl::SimpleAtoi(parts[1], &length);
      if (absl::EqualsIgnoreCase(parts[0], "expect")) Say(fd, "HTTP/1.1 100 Continue\r\n\r\n");
      if (absl::EqualsIgnoreCase(parts[0], "content-type")) {
        type = absl::AsciiStrToLower(absl::StripAsciiWhitespace(parts[1].substr(0, parts[1].find(';'))));
      }
    }
    while (pending_.size() < length && Fill(fd)) {
    }
    const Words request_line = absl::StrSplit(head[0], ' ');
    const Words target = absl::StrSplit(request_line.at(1), absl::MaxSplits('?', 1));
    lines_.push_back(Line(request_line[0], NormalizePath(target[0]), target.size() > 1 ? target[1] : "", type,
                          absl::string_view(pending_).substr(0, length)));
    Say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  }

  UniqueFd listener_, stop_;
  int port_ = 0;
  std::thread thread_;
  std::string pending_;
  std::vector<std::string> lines_;
};

// An empty home and working directory with the files that the commands name.
class HttpDifferentialTest : public ::testing::TestWithParam<Words> {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::path(::testing::TempDir()) / absl::StrCat("hp_http_differential.", getpid());
    std::filesystem::create_directories(directory_);
    for (const auto& [name, file] : files_) {
      if (name != "-") std::ofstream(directory_ / name, std::ios::binary) << file.bytes;
    }
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  void Run(const Words& words) {
    std::vector<char*> argv, env;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    const std::string home = absl::StrCat("HOME=", directory_.string()), path = absl::StrCat("PATH=", getenv("PATH"));
    env = {const_cast<char*>(home.c_str()), const_cast<char*>(path.c_str()), nullptr};
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ASSERT_EQ(posix_spawn_file_actions_init(&actions), 0);
    posix_spawn_file_actions_addchdir_np(&actions, directory_.c_str());
    posix_spawn_file_actions_addopen(&actions, 0, (directory_ / "body").c_str(), O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    pid_t pid = -1;
    ASSERT_EQ(posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), env.data()), 0);
    posix_spawn_file_actions_destroy(&actions);
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
  }

  const AttachedFiles files_ = {
      {"body", {std::string("a\r\nb&c\n"), false, ""}},
      {"-", {std::string("a\r\nb&c\n"), false, ""}},
      {"headers", {"Content-Type: text/h\nX-B: c\n", false, ""}},
      {"conf", {"# all\nrequest = \"PATCH\"\n-d x=1\ndata-raw: \"@y\\tz\"\nget\nno-get\n", false, ""}}};
  std::filesystem::path directory_;
};

TEST_P(HttpDifferentialTest, SaysWhatIsReallySent) {
  const std::string tool = GetParam().at(0);
  if (std::system(absl::StrCat("command -v ", tool, " >/dev/null").c_str()) != 0) {
    GTEST_SKIP() << "missing capability: the program " << tool;
  }
  EchoServer server;
  Words words = GetParam();
  for (std::string& word : words) {
    word = absl::StrReplaceAll(word, {{"URL", absl::StrCat("http://127.0.0.1:", server.port())},
                                      {"HOST", absl::StrCat("127.0.0.1:", server.port())}});
  }
  const HttpCommand command = tool == "curl" ? ParseCurl(words, files_) : ParseWget(words, files_);
  Words said;
  for (const HttpRequest& request : command.requests) {
    EXPECT_EQ(request.host, "127.0.0.1");
    EXPECT_EQ(request.port, server.port());
    said.push_back(Line(request.method, request.path, request.query, request.content_type, request.body));
  }
  const Words quiet = tool == "curl" ? Words{"-s", "-m", "20"} : Words{"-q", "--tries=1", "-O/dev/null"};
  words.insert(words.begin() + 1, quiet.begin(), quiet.end());
  Run(words);
  EXPECT_EQ(absl::StrJoin(server.Stop(), "\n"), absl::StrJoin(said, "\n"));
}

INSTANTIATE_TEST_SUITE_P(
    Curl, HttpDifferentialTest,
    ::testing::Values(
        Words{"curl", "URL/x"}, Words{"curl", "HOST/a?b=1#c"}, Words{"curl", "-XDELETE", "URL/x"},
        Words{"curl", "-sSLXPUT", "URL/x"}, Words{"curl", "--REQUEST", "PUT", "URL/x"},
        Words{"curl", "--heade", "X: y", "URL/x"}, Words{"curl", "-I", "URL/x"},
        Words{"curl", "-d", "a=1", "--data", "b", "--data-raw", "@c", "URL/x"},
        Words{"curl", "-d", "", "-d", "x", "URL/x"}, Words{"curl", "-d@body", "URL/x"},
        Words{"curl", "-d", "@-", "URL/x"}, Words{"curl", "--data-binary", "@body", "-X", "PATCH", "URL/x"},
        Words{"curl", "--json", "{\"a\"", "--json", ":1}", "URL/x"}, Words{"curl", "-d", "a", "--json", "{}", "URL/x"},
        Words{"curl", "--json", "{}", "-d", "x", "URL/x"}, Words{"curl", "--json", "@body", "URL/x"},
        Words{"curl", "-H", "content-type: text/x; q=1", "--json", "{}", "URL/x"},
        Words{"curl", "-H", "Content-Type:", "-d", "x", "URL/x"}, Words{"curl", "-H", "@headers", "-d", "x", "URL/x"},
        Words{"curl", "--data-urlencode", "a=b=c d", "--data-urlencode", "=x&y", "--data-urlencode", "x&y",
              "--data-urlencode", "n@body", "--data-urlencode", "@body", "URL/x"},
        Words{"curl", "-G", "-d", "a=1", "-d", "b=2", "URL/x?c=3"}, Words{"curl", "-G", "--no-get", "-d", "x", "URL/x"},
        Words{"curl", "-X", "POST", "-G", "-d", "x=1", "URL/x"}, Words{"curl", "-T", "body", "URL/d/"},
        Words{"curl", "-T", "body", "-X", "POST", "URL/d/u"}, Words{"curl", "-T", "body", "URL/1", "URL/2"},
        Words{"curl", "URL/{a,b}[1-2]"}, Words{"curl", "URL/[08-10]"}, Words{"curl", "URL/[a-e:2]"},
        Words{"curl", "URL/\\{x\\}"}, Words{"curl", "-g", "URL/{a,b}"}, Words{"curl", "URL/1", "-d", "z", "URL/2"},
        Words{"curl", "URL/1", "-d", "z", "--next", "URL/2"}, Words{"curl", "URL/1", "-:", "-XPUT", "--url", "URL/2"},
        Words{"curl", "URL/a/../b//%63"}, Words{"curl", "--request-target", "/zz?q", "URL/y"},
        Words{"curl", "--url-query", "a=b c", "--url-query", "+x=%20", "URL/q?z=1"},
        Words{"curl", "-K", "conf", "URL/k"},
        Words{"curl", "-o", "/dev/null", "-w", "%{url}", "--retry", "0", "-A", "ua", "-e", "r", "-b", "c=d", "URL/x"},
        Words{"curl", "--help", "URL/x"}, Words{"curl", "-V", "URL/x"}, Words{"curl", "-XPUT", "--", "URL/x"}));

INSTANTIATE_TEST_SUITE_P(
    Wget, HttpDifferentialTest,
    ::testing::Values(Words{"wget", "URL/x"}, Words{"wget", "HOST/a?b=1#c"}, Words{"wget", "--post-data=a=1", "URL/x"},
                      Words{"wget", "--post-d", "a", "URL/x"}, Words{"wget", "--post-file", "body", "URL/x"},
                      Words{"wget", "--method=DELETE", "URL/x"},
                      Words{"wget", "--method", "put", "--body-data", "x", "URL/x"},
                      Words{"wget", "--method=PATCH", "--body-file=body", "URL/x"},
                      Words{"wget", "--header=Content-Type: application/json", "--post-data={}", "URL/x"},
                      Words{"wget", "--header", "X: y", "--header", "", "URL/1", "URL/2"},
                      Words{"wget", "--spider", "URL/x"}, Words{"wget", "-e", "post_data=x", "URL/x"},
                      Words{"wget", "-e", "Post-Data = x", "URL/x"}, Words{"wget", "-nv", "-nc", "-t", "1", "URL/x"},
                      Words{"wget", "-nH", "--no-parent", "URL/x"}, Words{"wget", "URL/a b"},
                      Words{"wget", "--version", "URL/x"}));

}  // namespace
}  // namespace holdpoint
