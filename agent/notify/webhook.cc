#include "agent/notify/webhook.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/status.h"
#include "agent/base/version.h"
#include "agent/notify/text.h"

namespace holdpoint {
namespace {

size_t Discard(char*, size_t size, size_t count, void*) { return size * count; }

bool MayPass(long status) { return status == 408 || status == 429 || status >= 500; }

}  // namespace

absl::StatusOr<std::unique_ptr<Webhook>> Webhook::Create(Options options, const Clock& clock, Done done) {
  std::unique_ptr<Webhook> webhook(new Webhook(std::move(options), clock, std::move(done)));
  HP_RETURN_IF_ERROR(webhook->Start());
  return webhook;
}

absl::Status Webhook::Start() {
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return absl::InternalError("libcurl can't be initialised");
  multi_ = curl_multi_init();
  easy_ = curl_easy_init();
  if (multi_ == nullptr || easy_ == nullptr) return absl::ResourceExhaustedError("libcurl: no memory");
  const auto set = [this](CURLoption option, auto value) { return curl_easy_setopt(easy_, option, value) == CURLE_OK; };
  curl_blob ca{.data = const_cast<char*>(options_.ca_pem.data()), .len = options_.ca_pem.size(), .flags = CURL_BLOB_COPY};
  const bool good =
      set(CURLOPT_URL, options_.url.c_str()) && set(CURLOPT_PROTOCOLS_STR, "https,http") &&
      set(CURLOPT_FOLLOWLOCATION, 0L) && set(CURLOPT_SSL_VERIFYPEER, 1L) && set(CURLOPT_SSL_VERIFYHOST, 2L) &&
      set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2)) && set(CURLOPT_NOSIGNAL, 1L) &&
      set(CURLOPT_PROXY, "") && set(CURLOPT_TIMEOUT_MS, static_cast<long>(absl::ToInt64Milliseconds(options_.timeout))) &&
      set(CURLOPT_USERAGENT, absl::StrCat("holdpoint/", Version()).c_str()) && set(CURLOPT_WRITEFUNCTION, &Discard) &&
      set(CURLOPT_HEADERFUNCTION, &Discard) &&
      (options_.ca_pem.empty() || set(CURLOPT_CAINFO_BLOB, &ca));
  return good ? absl::OkStatus() : absl::FailedPreconditionError("libcurl doesn't take the webhook's settings");
}

Webhook::~Webhook() {
  if (under_way_) curl_multi_remove_handle(multi_, easy_);
  if (easy_ != nullptr) curl_easy_cleanup(easy_);
  if (multi_ != nullptr) curl_multi_cleanup(multi_);
  curl_slist_free_all(headers_);
}

void Webhook::Add(Post post) {
  queue_.push_back(std::move(post));
  if (queue_.size() <= kMaxWaiting) return;
  const auto oldest = queue_.begin() + 1;  // The first is under way.
  const uint64_t sequence = oldest->sequence;
  queue_.erase(oldest);
  done_(sequence, WebhookResult::kDropped, "the webhook takes notices more slowly than they come");
}

void Webhook::Begin() {
  if (under_way_ || queue_.empty() || clock_.Boot() < next_try_) return;
  const Post& post = queue_.front();
  ++attempts_;
  curl_slist_free_all(std::exchange(headers_, nullptr));
  const auto header = [this](const std::string& line) { headers_ = curl_slist_append(headers_, line.c_str()); };
  header("Content-Type: application/json");
  header("Expect:");
  header(absl::StrCat("Holdpoint-Delivery: ", post.delivery));
  if (!options_.secret.empty()) {
    // Made for each attempt: a receiver may refuse one that is old.
    const int64_t now = absl::ToUnixSeconds(clock_.Wall());
    header(absl::StrCat("Holdpoint-Signature: ", WebhookSignature(options_.secret, now, post.body)));
  }
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers_);
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE, static_cast<long>(post.body.size()));
  curl_easy_setopt(easy_, CURLOPT_COPYPOSTFIELDS, post.body.c_str());
  if (curl_multi_add_handle(multi_, easy_) != CURLM_OK) return Ended(CURLE_FAILED_INIT);
  under_way_ = true;
}

void Webhook::Ended(CURLcode code) {
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  std::string problem;
  bool again = true;
  if (code != CURLE_OK) {
    problem = curl_easy_strerror(code);
    again = code != CURLE_PEER_FAILED_VERIFICATION;
  } else if (status >= 200 && status < 300) {
    return Finish(WebhookResult::kDelivered, "");
  } else if (status >= 300 && status < 400) {
    problem = absl::StrCat("it answers with a redirect (", status, "), which is not followed: name the address itself");
    again = false;
  } else {
    problem = absl::StrCat("it answers with status ", status);
    again = MayPass(status);
  }
  if (!again || attempts_ >= kAttempts) {
    return Finish(WebhookResult::kGivenUp, absl::StrCat("webhook: ", problem, "; given up after ", attempts_, " tries"));
  }
  next_try_ = clock_.Boot() + options_.first_pause * (1 << (attempts_ - 1));
}

void Webhook::Finish(WebhookResult result, const std::string& problem) {
  const uint64_t sequence = queue_.front().sequence;
  queue_.pop_front();
  attempts_ = 0;
  next_try_ = BootTime{};
  done_(sequence, result, problem);
}

void Webhook::Wait(int fd, absl::Duration at_most) {
  Begin();
  absl::Duration wait = at_most;
  if (!under_way_ && !queue_.empty()) wait = std::min(wait, std::max(absl::ZeroDuration(), next_try_ - clock_.Boot()));
  curl_waitfd input{.fd = fd, .events = CURL_WAIT_POLLIN, .revents = 0};
  // Rounded up: a pause that is nearly over must not become a loop.
  curl_multi_poll(multi_, &input, 1, static_cast<int>(absl::ToInt64Milliseconds(wait)) + 1, nullptr);
  int running = 0;
  curl_multi_perform(multi_, &running);
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    curl_multi_remove_handle(multi_, easy_);
    under_way_ = false;
    Ended(code);
  }
}

}  // namespace holdpoint
