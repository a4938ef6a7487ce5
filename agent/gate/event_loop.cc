#include "agent/gate/event_loop.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>

#include "agent/base/status.h"

namespace holdpoint {

absl::StatusOr<std::unique_ptr<EventLoop>> EventLoop::Create(const Clock& clock) {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.ok()) return ErrnoStatus("epoll_create1");
  return std::unique_ptr<EventLoop>(new EventLoop(clock, std::move(epoll)));
}

absl::Status EventLoop::Add(int fd, Callback readable) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return ErrnoStatus("epoll_ctl add");
  readers_[fd] = std::make_shared<Callback>(std::move(readable));
  return absl::OkStatus();
}

void EventLoop::Remove(int fd) {
  if (readers_.erase(fd) != 0) epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

EventLoop::TimerId EventLoop::At(BootTime when, Callback expired) {
  const TimerId id = ++last_timer_;
  timers_.emplace(std::make_pair(when, id), std::move(expired));
  due_[id] = when;
  return id;
}

void EventLoop::Cancel(TimerId id) {
  const auto found = due_.find(id);
  if (found == due_.end()) return;
  timers_.erase(std::make_pair(found->second, id));
  due_.erase(found);
}

void EventLoop::RunTimers() {
  const BootTime now = clock_.Boot();
  while (!stop_ && !timers_.empty() && timers_.begin()->first.first <= now) {
    auto node = timers_.extract(timers_.begin());
    due_.erase(node.key().second);
    alive_();
    node.mapped()();
  }
}

int EventLoop::TimeoutMs() const {
  if (timers_.empty()) return -1;
  const int64_t ms = absl::ToInt64Milliseconds(timers_.begin()->first.first - clock_.Boot() + absl::Microseconds(999));
  return static_cast<int>(std::clamp<int64_t>(ms, 0, 60'000));
}

absl::Status EventLoop::Run() {
  stop_ = false;
  std::array<epoll_event, 64> events;
  while (!stop_) {
    const int n = epoll_wait(epoll_.get(), events.data(), events.size(), TimeoutMs());
    if (n < 0 && errno != EINTR) return ErrnoStatus("epoll_wait");
    for (int i = 0; i < n && !stop_; ++i) {
      // Looked up again for each: an earlier callback may have removed this one.
      const auto found = readers_.find(events[i].data.fd);
      if (found == readers_.end()) continue;
      const std::shared_ptr<Callback> keep = found->second;
      alive_();
      (*keep)();
    }
    RunTimers();
  }
  return absl::OkStatus();
}

}  // namespace holdpoint
