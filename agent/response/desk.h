#pragma once

#include <poll.h>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "agent/response/response.h"

// For tests: a Responder with a state writer that remembers (and asks another one), and the loop that waits for
// results.
namespace holdpoint::stage {

class Desk {
 public:
  explicit Desk(TaskStateWriter write_state = {}) {
    auto made =
        Responder::Create([this, write_state = std::move(write_state)](const StoppedTask& task, hp_task_state state) {
          {
            std::lock_guard lock(mutex_);
            states_[task.exec_id].push_back(state);
            if (fail_ == state) return absl::InternalError("the map is gone");
          }
          return write_state ? write_state(task, state) : absl::OkStatus();
        });
    if (made.ok()) responder_ = std::move(*made);
  }

  Responder& responder() { return *responder_; }
  void EndResponder() { responder_.reset(); }
  void FailWriting(hp_task_state state) { fail_ = state; }
  std::vector<hp_task_state> States(const StoppedTask& task) {
    std::lock_guard lock(mutex_);
    return states_[task.exec_id];
  }

  ResponseResult Own(const StoppedTask& task) {
    return Await([&](Responder::Done done) { responder_->Own(task, done); });
  }
  ResponseResult Release(const StoppedTask& task) {
    return Await([&](Responder::Done done) { responder_->Release(task, done); });
  }
  ResponseResult Refuse(const StoppedTask& task, const std::string& text) {
    return Await([&](Responder::Done done) { responder_->Refuse(task, text, done); });
  }
  ResponseResult End(const StoppedTask& task, const std::string& text) {
    return Await([&](Responder::Done done) { responder_->End(task, text, done); });
  }
  ResponseResult Kill(const StoppedTask& task, const std::string& text) {
    return Await([&](Responder::Done done) { responder_->Kill(task, text, done); });
  }
  ResponseResult Tell(const StoppedTask& task, const std::string& text) {
    return Await([&](Responder::Done done) { responder_->Tell(task, text, done); });
  }

  // Dispatches until `ready` says so or the bound has passed.
  template <typename Ready>
  bool DispatchUntil(Ready ready) {
    while (!ready()) {
      pollfd poller{.fd = responder_->CompletedFd(), .events = POLLIN, .revents = 0};
      if (poll(&poller, 1, 30'000) <= 0) return ready();
      responder_->DispatchCompleted();
    }
    return true;
  }

 private:
  template <typename Command>
  ResponseResult Await(Command command) {
    auto result = std::make_shared<std::optional<ResponseResult>>();
    command([result](const ResponseResult& r) { *result = r; });
    if (!DispatchUntil([&] { return result->has_value(); })) return {.detail = "no result came"};
    return **result;
  }

  std::mutex mutex_;
  std::map<uint64_t, std::vector<hp_task_state>> states_;
  std::optional<hp_task_state> fail_;
  std::unique_ptr<Responder> responder_;
};

}  // namespace holdpoint::stage
