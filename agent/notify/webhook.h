#pragma once

#include <curl/curl.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/base/clock.h"
#include "agent/notify/notice.h"

namespace holdpoint {

// Posts notices to one address, one after the other, in order. A post that fails in a way that may pass (no connection,
// time ran out, 408, 429, 5xx) is tried again, kAttempts times in all with growing pauses; everything else is given up at
// once, a redirect too: it is never followed. Bounded: what does not fit displaces the oldest that waits.
//
// TLS is verified against the system's authorities, or against `ca_pem` alone. Nothing of an answer is kept.
// Thread: one; only Wait() waits.
class Webhook {
 public:
  static constexpr size_t kMaxWaiting = 32;
  static constexpr int kAttempts = 6;  // over some 15 s, beside what each may take

  struct Options {
    std::string url;
    std::string secret;  // empty: posts carry no signature
    std::string ca_pem;
    absl::Duration timeout = absl::Seconds(5);  // of one attempt, all of it
    absl::Duration first_pause = absl::Milliseconds(500);  // each one is twice the one before it
  };
  struct Post {
    uint64_t sequence = 0;
    std::string delivery;  // the same for each attempt
    std::string body;
  };
  // `problem` is a sentence where it was not delivered; it never names the URL, whose path may be a secret.
  using Done = std::function<void(uint64_t sequence, WebhookResult result, const std::string& problem)>;

  static absl::StatusOr<std::unique_ptr<Webhook>> Create(Options options, const Clock& clock, Done done);
  ~Webhook();
  Webhook(const Webhook&) = delete;
  Webhook& operator=(const Webhook&) = delete;

  void Add(Post post);
  size_t waiting() const { return queue_.size(); }

  // Goes on with what is under way until `fd` is readable or `at_most` has passed.
  void Wait(int fd, absl::Duration at_most);

 private:
  Webhook(Options options, const Clock& clock, Done done)
      : options_(std::move(options)), clock_(clock), done_(std::move(done)) {}
  absl::Status Start();
  void Begin();
  void Ended(CURLcode code);
  void Finish(WebhookResult result, const std::string& problem);

  const Options options_;
  const Clock& clock_;
  const Done done_;
  CURLM* multi_ = nullptr;
  CURL* easy_ = nullptr;
  curl_slist* headers_ = nullptr;
  std::deque<Post> queue_;  // the first is the one that is tried
  bool under_way_ = false;
  int attempts_ = 0;   // of the first
  BootTime next_try_;  // of the first
};

}  // namespace holdpoint
