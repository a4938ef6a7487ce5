#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/base/clock.h"
#include "agent/base/status.h"
#include "agent/response/blocked_signals.h"
#include "agent/response/response.h"
#include "agent/response/sys.h"
#include "agent/response/tracer.h"

namespace holdpoint {
namespace {

constexpr uint64_t kMailbox = 0;  // epoll data of the eventfd; tasks are numbered from 1

void Ring(int eventfd) {
  const uint64_t one = 1;
  // It can only fail when the counter is full, and then it is readable.
  [[maybe_unused]] const ssize_t put = write(eventfd, &one, sizeof(one));
}

void Silence(int eventfd) {
  uint64_t count;
  [[maybe_unused]] const ssize_t got = read(eventfd, &count, sizeof(count));
}

class RealResponder final : public Responder {
 public:
  RealResponder(TaskStateWriter write_state, UniqueFd epoll, UniqueFd mail, UniqueFd completed)
      : Responder(std::move(write_state)),
        epoll_(std::move(epoll)),
        mail_(std::move(mail)),
        completed_(std::move(completed)) {}

  ~RealResponder() override {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    Ring(mail_.get());
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Start() {
    epoll_event event{.events = EPOLLIN, .data = {.u64 = kMailbox}};
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, mail_.get(), &event) != 0) return ErrnoStatus("responder: epoll_ctl");
    BlockedSignals blocked;
    try {
      thread_ = std::thread(&RealResponder::Run, this);
    } catch (const std::system_error& error) {
      return absl::ResourceExhaustedError(absl::StrCat("responder: no ptrace thread: ", error.what()));
    }
    return absl::OkStatus();
  }

  void Own(StoppedTask task, Done done) override { Post(Command::Kind::kOwn, std::move(task), "", std::move(done)); }
  void Refuse(StoppedTask task, std::string text, Done done) override {
    Post(Command::Kind::kRefuse, std::move(task), std::move(text), std::move(done));
  }
  void End(StoppedTask task, std::string text, Done done) override {
    Post(Command::Kind::kEnd, std::move(task), std::move(text), std::move(done));
  }
  void Kill(StoppedTask task, std::string text, Done done) override {
    Post(Command::Kind::kKill, std::move(task), std::move(text), std::move(done));
  }
  void Tell(StoppedTask task, std::string text, Done done) override {
    Post(Command::Kind::kTell, std::move(task), std::move(text), std::move(done));
  }
  void Release(StoppedTask task, Done done) override {
    bool at_work;
    {
      std::lock_guard lock(mutex_);
      at_work = at_work_.contains(KeyOf(task));
    }
    if (at_work) return Post(Command::Kind::kRelease, std::move(task), "", std::move(done));
    absl::Status status = ReleaseNow(task);
    ResponseResult result;
    result.what = ResponseResult::What::kReleased;
    if (absl::IsNotFound(status) || absl::IsFailedPrecondition(status)) {
      result.what = ResponseResult::What::kGone;  // ended, or at another exec already: this stop is over
      result.detail = std::string(status.message());
    } else if (!status.ok()) {
      return Post(Command::Kind::kKill, std::move(task), "", std::move(done));
    }
    Complete(std::move(done), std::move(result));
  }

  int CompletedFd() const override { return completed_.get(); }

  void DispatchCompleted() override {
    Silence(completed_.get());
    std::vector<std::pair<Done, ResponseResult>> results;
    {
      std::lock_guard lock(mutex_);
      results.swap(results_);
    }
    for (auto& [done, result] : results) {
      if (done) done(result);
    }
  }

 private:
  struct Told {
    uint64_t task;
    uint64_t tell;
    TellPool::Told told;
  };

  void Post(Command::Kind kind, StoppedTask task, std::string text, Done done) {
    {
      std::lock_guard lock(mutex_);
      ++at_work_[KeyOf(task)];
      commands_.push_back(Command{kind, std::move(task), std::move(text), std::move(done)});
    }
    Ring(mail_.get());
  }

  void Complete(Done done, ResponseResult result) {
    {
      std::lock_guard lock(mutex_);
      results_.emplace_back(std::move(done), std::move(result));
    }
    Ring(completed_.get());
  }

  void Run() {
    pthread_setname_np(pthread_self(), "hp-ptrace");
    Tracer tracer(Tracer::World{
        .write_state = write_state_,
        .complete = [this](Done done, ResponseResult result) { Complete(std::move(done), std::move(result)); },
        .dropped =
            [this](const StopKey& key, int commands) {
              std::lock_guard lock(mutex_);
              auto found = at_work_.find(key);
              if (found != at_work_.end() && (found->second -= commands) <= 0) at_work_.erase(found);
            },
        .told =
            [this](uint64_t task, uint64_t tell, TellPool::Told told) {
              {
                std::lock_guard lock(mutex_);
                told_.push_back(Told{task, tell, std::move(told)});
              }
              Ring(mail_.get());
            },
        .epoll = epoll_.get()});
    for (;;) {
      std::vector<Command> commands;
      std::vector<Told> told;
      {
        std::lock_guard lock(mutex_);
        if (stop_) return;  // The thread's end kills what it traces (PTRACE_O_EXITKILL).
        commands.swap(commands_);
        told.swap(told_);
      }
      for (Told& one : told) tracer.Told(one.task, one.tell, std::move(one.told));
      for (Command& command : commands) tracer.Take(std::move(command));
      Sleep(tracer, tracer.Advance(Clock::Real().Boot()));
    }
  }

  void Sleep(Tracer& tracer, absl::Duration wait) {
    std::array<epoll_event, 32> events;
    const timespec time = absl::ToTimespec(wait);
    const bool for_ever = wait == absl::InfiniteDuration();
    const int count = epoll_pwait2(epoll_.get(), events.data(), events.size(), for_ever ? nullptr : &time, nullptr);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u64 == kMailbox) {
        Silence(mail_.get());
      } else {
        tracer.Ended(events[i].data.u64);
      }
    }
  }

  const UniqueFd epoll_;
  const UniqueFd mail_;       // commands and told texts wait
  const UniqueFd completed_;  // results wait
  std::thread thread_;

  std::mutex mutex_;
  bool stop_ = false;
  std::vector<Command> commands_;
  std::vector<Told> told_;
  std::vector<std::pair<Done, ResponseResult>> results_;
  std::map<StopKey, int> at_work_;  // commands given to the ptrace thread for stops that it has not let go of
};

}  // namespace

absl::StatusOr<std::unique_ptr<Responder>> Responder::Create(TaskStateWriter write_state) {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  UniqueFd mail(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  UniqueFd completed(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll.ok() || !mail.ok() || !completed.ok()) return ErrnoStatus("responder: epoll or eventfd");
  auto responder =
      std::make_unique<RealResponder>(std::move(write_state), std::move(epoll), std::move(mail), std::move(completed));
  HP_RETURN_IF_ERROR(responder->Start());
  return responder;
}

absl::Status Responder::ReleaseNow(const StoppedTask& task) {
  if (sys::PidfdEnded(task.pidfd->get())) return absl::NotFoundError(absl::StrCat("process ", task.id.tgid, " has ended"));
  HP_RETURN_IF_ERROR(write_state_(task, HP_TASK_PASSED));
  // From here on it may run, and have ended: a SIGCONT of somebody else's counts as ours.
  if (!task.waits && !sys::PidfdSignal(task.pidfd->get(), SIGCONT) && errno != ESRCH) {
    return ErrnoStatus(absl::StrCat("SIGCONT to ", task.id.tgid));
  }
  return absl::OkStatus();
}

}  // namespace holdpoint
