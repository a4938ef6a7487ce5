// Against a small server on loopback that answers what the test tells it to.
#include "agent/notify/webhook.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/base/fd.h"

namespace holdpoint {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Server {
 public:
  // `answers` are taken one for each request; the last one stays.
  explicit Server(std::vector<std::string> answers) : answers_(std::move(answers)) {
    listener_.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_.get(), 16), 0);
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }
  ~Server() {
    shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }

  std::vector<std::string> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  std::string url() const { return absl::StrCat("http://127.0.0.1:", port, "/hook/T0KEN"); }

  uint16_t port = 0;

 private:
  void Serve() {
    for (;;) {
      const UniqueFd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client.ok()) return;
      std::string request;
      size_t length = std::string::npos;
      char buffer[4096];
      while (request.size() < length) {
        const ssize_t got = recv(client.get(), buffer, sizeof(buffer), 0);
        if (got <= 0) break;
        request.append(buffer, static_cast<size_t>(got));
        const size_t end = request.find("\r\n\r\n"), field = request.find("Content-Length: ");
        if (end != std::string::npos) length = end + 4 + std::stoul(request.substr(field + 16));
      }
      const std::lock_guard lock(mutex_);
      const std::string& answer = answers_[std::min(requests_.size(), answers_.size() - 1)];
      requests_.push_back(request);
      const std::string text = absl::StrCat("HTTP/1.1 ", answer, "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
      send(client.get(), text.data(), text.size(), MSG_NOSIGNAL);
    }
  }

  std::vector<std::string> answers_;
  UniqueFd listener_;
  std::mutex mutex_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

class WebhookTest : public ::testing::Test {
 protected:
  void Start(const std::string& url, absl::Duration timeout = absl::Seconds(30)) {
    Webhook::Options options;
    options.url = url;
    options.secret = "word";
    options.timeout = timeout;
    options.first_pause = absl::Milliseconds(1);
    auto webhook = Webhook::Create(options, Clock::Real(),
                                   [this](uint64_t sequence, WebhookResult result, const std::string& problem) {
                                     done_.push_back({sequence, result});
                                     problem_ = problem;
                                   });
    ASSERT_TRUE(webhook.ok()) << webhook.status();
    webhook_ = *std::move(webhook);
  }
  void Add(uint64_t sequence) {
    webhook_->Add({.sequence = sequence, .delivery = absl::StrCat("run-", sequence), .body = "{\"a\":1}"});
  }
  void Finish(size_t count) {
    while (done_.size() < count) webhook_->Wait(-1, absl::Seconds(60));
  }
  using Results = std::vector<std::pair<uint64_t, WebhookResult>>;

  std::unique_ptr<Webhook> webhook_;
  Results done_;
  std::string problem_;
};

TEST_F(WebhookTest, PostsInOrderAndSigned) {
  Server server({"204 No Content"});
  Start(server.url());
  Add(1);
  Add(2);
  Finish(2);
  EXPECT_EQ(done_, (Results{{1, WebhookResult::kDelivered}, {2, WebhookResult::kDelivered}}));
  const std::vector<std::string> requests = server.requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_THAT(requests[0], HasSubstr("POST /hook/T0KEN HTTP/1.1\r\n"));
  EXPECT_THAT(requests[0], HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_THAT(requests[0], HasSubstr("Holdpoint-Delivery: run-1\r\n"));
  EXPECT_THAT(requests[0], HasSubstr("Holdpoint-Signature: t="));
  EXPECT_THAT(requests[0], HasSubstr("\r\n\r\n{\"a\":1}"));
  EXPECT_THAT(requests[1], HasSubstr("Holdpoint-Delivery: run-2\r\n"));
}

TEST_F(WebhookTest, TriesAgainAfterAnErrorThatMayPass) {
  Server server({"500 Oops", "429 Too Many", "200 OK"});
  Start(server.url());
  Add(1);
  Finish(1);
  EXPECT_EQ(done_, (Results{{1, WebhookResult::kDelivered}}));
  EXPECT_EQ(server.requests().size(), 3u);
  EXPECT_THAT(server.requests()[2], HasSubstr("Holdpoint-Delivery: run-1\r\n"));
}

TEST_F(WebhookTest, GivesUpAtOnceWhatWillNotPass) {
  Server server({"404 Not Found", "200 OK"});
  Start(server.url());
  Add(1);
  Finish(1);
  EXPECT_EQ(done_, (Results{{1, WebhookResult::kGivenUp}}));
  EXPECT_THAT(problem_, HasSubstr("404"));
  EXPECT_THAT(problem_, Not(HasSubstr("T0KEN")));
  Add(2);
  Finish(2);
  EXPECT_EQ(done_[1].second, WebhookResult::kDelivered);
}

TEST_F(WebhookTest, ARedirectIsNotFollowed) {
  Server elsewhere({"200 OK"});
  Server server({absl::StrCat("307 Elsewhere\r\nLocation: http://127.0.0.1:", elsewhere.port, "/")});
  Start(server.url());
  Add(1);
  Finish(1);
  EXPECT_EQ(done_, (Results{{1, WebhookResult::kGivenUp}}));
  EXPECT_THAT(problem_, HasSubstr("redirect"));
  EXPECT_TRUE(elsewhere.requests().empty());
}

TEST_F(WebhookTest, WhatDoesNotFitDisplacesTheOldestThatWaits) {
  Server server({"200 OK"});
  Start(server.url());
  for (uint64_t i = 1; i <= Webhook::kMaxWaiting + 2; ++i) Add(i);
  EXPECT_EQ(done_, (Results{{2, WebhookResult::kDropped}, {3, WebhookResult::kDropped}}));
  EXPECT_EQ(webhook_->waiting(), Webhook::kMaxWaiting);
}

TEST_F(WebhookTest, AServerThatSaysNothingCostsTheTimeoutOfEachTryAndNoMore) {
  const UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listener.get(), 16), 0);
  getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
  Start(absl::StrCat("http://127.0.0.1:", ntohs(address.sin_port), "/"), absl::Milliseconds(100));
  Add(1);
  Finish(1);
  EXPECT_EQ(done_, (Results{{1, WebhookResult::kGivenUp}}));
  EXPECT_THAT(problem_, HasSubstr("given up after 6 tries"));
}

}  // namespace
}  // namespace holdpoint
