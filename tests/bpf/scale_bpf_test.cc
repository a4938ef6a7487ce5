// Many sessions, many processes, many forks; and what a process gets that no table has room for. Sizes from HP_SCALE, as
// "SESSIONS PROCESSES FORKS".
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "agent/kernel/maps.h"
#include "bpf/shared/hp_limits.h"
#include "tests/bpf/fixture.h"

namespace holdpoint {
namespace {

struct Sizes {
  int sessions = 50;
  int processes = 2000;
  int forks = 20000;

  static Sizes FromEnvironment() {
    Sizes sizes;
    if (const char* text = getenv("HP_SCALE"); text != nullptr) {
      EXPECT_EQ(sscanf(text, "%d %d %d", &sizes.sessions, &sizes.processes, &sizes.forks), 3) << text;
    }
    return sizes;
  }
};

// Memory that every child of this test writes to.
template <typename T>
T* Shared(size_t count) {
  void* at = mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  EXPECT_NE(at, MAP_FAILED);
  return static_cast<T*>(at);
}

int Sleep(void*) {
  while (true) pause();
}

// In a child: makes `count` processes that only wait, as cheap as they come, and writes their pids down.
void Crowd(int count, pid_t* pids, std::atomic<int>* up) {
  constexpr size_t kStack = 8192;
  char* stacks = static_cast<char*>(mmap(nullptr, kStack * static_cast<size_t>(count + 1), PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  for (int i = 0; i < count; ++i) {
    pids[i] = clone(Sleep, stacks + kStack * static_cast<size_t>(i + 1), CLONE_VM | SIGCHLD, nullptr);
    if (pids[i] > 0) up->fetch_add(1);
  }
}

// A child that ends at once: 0 where it did.
int ForkOne(bool shares_memory) {
  const pid_t pid = shares_memory ? vfork() : fork();
  if (pid == 0) _exit(0);
  int status = 1;
  return pid > 0 && waitpid(pid, &status, 0) == pid ? status : 1;
}

// In a child: `count` children that end at once, made in each of the ways in which a program makes them.
bool Fork(int count) {
  for (int i = 0; i < count; ++i) {
    if (i % 16 == 15) std::thread([] {}).join();
    if (ForkOne(i % 2 == 0) != 0) return false;
  }
  return true;
}

class ScaleTest : public KernelTest {
 protected:
  void SetUp() override {
    rlimit files{.rlim_cur = 16384, .rlim_max = 16384};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
    KernelTest::SetUp();
  }
  uint64_t Stat(hp_stat stat) const { return (*kernel_->Stats())[stat]; }

  const Sizes sizes_ = Sizes::FromEnvironment();
};

TEST_F(ScaleTest, EveryProcessOfEverySessionHasItsLabelAndNobodyElseHasOne) {
  const int each = sizes_.processes / sizes_.sessions - 1;
  auto* up = Shared<std::atomic<int>>(1);
  auto* pids = Shared<pid_t>(static_cast<size_t>((sizes_.sessions + 1) * each));
  std::vector<Child> roots;
  std::map<pid_t, SessionNumber> truth;
  std::vector<SessionNumber> numbers;
  for (int s = 0; s <= sizes_.sessions; ++s) {  // The last one is in no session.
    roots.push_back(InScope([=] {
      Crowd(each, pids + s * each, up);
      return Sleep(nullptr);
    }));
    numbers.push_back(s < sizes_.sessions ? Label(roots.back(), HP_SESSION_CONFIRMED | HP_SESSION_ENFORCE) : 0);
    roots.back().Go();
  }
  ASSERT_TRUE(gate_->RunUntil([&] { return up->load() == (sizes_.sessions + 1) * each; }));
  for (int s = 0; s < sizes_.sessions; ++s) {
    truth[roots[static_cast<size_t>(s)].pid()] = numbers[static_cast<size_t>(s)];
    for (int i = 0; i < each; ++i) truth[pids[s * each + i]] = numbers[static_cast<size_t>(s)];
  }
  const absl::Time began = absl::Now();
  const auto tasks = kernel_->LabelledTasks();
  const absl::Duration took = absl::Now() - began;
  ASSERT_TRUE(tasks.ok()) << tasks.status();
  EXPECT_EQ(tasks->size(), truth.size());
  size_t wrong = 0;
  for (const Kernel::LabelledTask& task : *tasks) {
    const auto found = truth.find(task.id.tgid);
    wrong += found == truth.end() || found->second != task.label.session ? 1 : 0;
  }
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(Stat(HP_STAT_LABEL_FAILED), 0u);
  printf("%d sessions, %zu labelled processes: all listed in %s\n", sizes_.sessions, tasks->size(),
         absl::FormatDuration(took).c_str());
}

TEST_F(ScaleTest, NoForkGetsAnotherLabelThanItsParents) {
  const int each = sizes_.forks / sizes_.sessions;
  std::vector<Child> roots;
  std::map<SessionNumber, int> exits;
  for (int s = 0; s < sizes_.sessions; ++s) {
    roots.push_back(InScope([each] { return Fork(each) ? 0 : 1; }));
    exits[Label(roots.back(), HP_SESSION_CONFIRMED | HP_SESSION_ENFORCE)] = 0;
  }
  roots.push_back(InScope([each] { return Fork(each) ? 0 : 1; }));  // in no session: nothing is told of it
  const absl::Time began = absl::Now();
  for (Child& root : roots) root.Go();
  uint64_t told = 0;
  const auto all_over = [&] {
    for (const ExitEvent& event : gate_->exits) ++exits[event.head.session];
    told += gate_->exits.size();
    gate_->exits.clear();
    for (const Child& root : roots) {
      if (!root.Ended()) return false;
    }
    return true;
  };
  while (!gate_->RunUntil(all_over)) ASSERT_LT(absl::Now() - began, absl::Minutes(20));
  const absl::Duration took = absl::Now() - began;
  gate_->Drain();
  all_over();
  for (Child& root : roots) EXPECT_EQ(root.Reap(), 0);
  const uint64_t expected = static_cast<uint64_t>((each + 1) * sizes_.sessions);
  const uint64_t lost = Stat(HP_STAT_LOST_EVENTS);
  EXPECT_EQ(told + lost, expected);
  EXPECT_EQ(exits.size(), static_cast<size_t>(sizes_.sessions));
  for (const auto& [session, count] : exits) {
    EXPECT_LE(count, each + 1) << session;
    if (lost == 0) {
      EXPECT_EQ(count, each + 1) << session;
    }
  }
  EXPECT_EQ(Stat(HP_STAT_LABEL_FAILED), 0u);
  printf("%llu forks in %d sessions in %s, %llu exits not told\n", static_cast<unsigned long long>(expected),
         sizes_.sessions, absl::FormatDuration(took).c_str(), static_cast<unsigned long long>(lost));
}

TEST_F(ScaleTest, ChildThatTheTableHasNoRoomForDoesNotRun) {
  ASSERT_TRUE(kernel_->SetGuards(true).ok());
  auto* ran = Shared<std::atomic<int>>(1);
  const auto body = [ran] {
    const pid_t pid = fork();
    if (pid == 0) {
      ran->fetch_add(1);
      _exit(0);
    }
    return waitpid(pid, nullptr, 0) == pid ? 0 : 1;
  };
  Child neighbour = InScope(body);
  Child free = InScope(body);
  Child root = InScope(body);
  Label(neighbour, HP_SESSION_CONFIRMED | HP_SESSION_ENFORCE);
  Label(root, HP_SESSION_CONFIRMED | HP_SESSION_ENFORCE);
  neighbour.Go();
  EXPECT_EQ(gate_->RunUntilEnd(neighbour), 0);
  EXPECT_EQ(ran->load(), 1);

  const MapView<uint32_t, hp_label> by_tgid(kernel_->WardenFds()[3], "hp_tgid");
  constexpr uint32_t kNoProcess = 1u << 30;
  uint32_t filled = 0;
  while (by_tgid.Put(kNoProcess + filled, hp_label{}).ok()) ++filled;
  EXPECT_GT(filled, 100'000u);
  EXPECT_LE(filled, static_cast<uint32_t>(HP_LABELLED_MAX));
  root.Go();
  EXPECT_EQ(gate_->RunUntilEnd(root), SIGKILL);
  free.Go();  // in no session: it needs no room
  EXPECT_EQ(gate_->RunUntilEnd(free), 0);
  EXPECT_EQ(ran->load(), 2);
  EXPECT_EQ(Stat(HP_STAT_LABEL_FAILED), 1u);
  for (uint32_t i = 0; i < filled; ++i) ASSERT_TRUE(by_tgid.Erase(kNoProcess + i).ok());
}

TEST_F(ScaleTest, CodingAgentThatTheTableHasNoRoomForDoesNotStart) {
  ASSERT_TRUE(kernel_->SetAgentNames({"true"}).ok());
  ASSERT_TRUE(kernel_->SetRecognition(true, HP_SESSION_ENFORCE, 0).ok());
  const auto run = [this](const std::string& program) {
    Child child = InScope([program] {
      const int status = RunProgram({program});
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    });
    child.Go();
    return WEXITSTATUS(gate_->RunUntilEnd(child));
  };
  EXPECT_EQ(run("/bin/true"), 0);
  int sessions = 0;
  while (kernel_->NewSession({.environment = 0, .flags = HP_SESSION_CONFIRMED}).ok()) ++sessions;
  EXPECT_GT(sessions, 1000);
  EXPECT_EQ(run("/bin/true"), 128 + SIGKILL);
  EXPECT_EQ(Stat(HP_STAT_LABEL_FAILED), 1u);
  EXPECT_EQ(run("/bin/false"), 1);  // no coding agent: it needs no room
}

}  // namespace
}  // namespace holdpoint
