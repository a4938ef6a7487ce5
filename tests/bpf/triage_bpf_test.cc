// Which execs of a session are passed without being asked about: automata over argv, names, sizes, generations.
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/base/file_id.h"
#include "agent/policy/automaton.h"
#include "tests/bpf/fixture.h"

namespace holdpoint {
namespace {

constexpr uint32_t kEnforce = HP_SESSION_CONFIRMED | HP_SESSION_ENFORCE | HP_SESSION_TRIAGE;

class TriageTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    ArgvPatterns unseen;
    unseen.parts = {"delete"};
    tables_.unseen = table_.Add(unseen, 1000, 1000).value();
    ArgvPatterns listed;
    listed.words = {"push"};
    listed.letters = "D";
    state_ = table_.Add(listed, 1000, 1000).value();
    for (const AutomatonTable::Row& row : table_.rows()) {
      rows_.append(reinterpret_cast<const char*>(row.data()), sizeof(row));
    }
    tables_.rows = rows_;
    tables_.names = {"rm", "terraform"};
    struct stat st;
    ASSERT_EQ(stat("/bin/rm", &st), 0);
    tables_.sizes = {static_cast<uint64_t>(st.st_size)};
    ASSERT_TRUE(kernel_->SetTriage(tables_, kGeneration).ok());
    // Not /tmp, which may be a tmpfs: nothing of one is believed.
    std::string name = absl::StrCat(getenv("HP_BUILD_DIR"), "/triage-XXXXXX");
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    KernelTest::TearDown();
    RunProgram({"/bin/rm", "-r", folder_});
  }

  // Runs argv in a session; what the kernel made of it.
  ExecEvent Run(std::vector<std::string> argv, uint32_t flags = kEnforce) {
    gate_->execs.clear();
    Child root = InScope([argv] { return RunProgram(argv) == -1 ? 1 : 0; });
    Label(root, flags);
    root.Go();
    gate_->RunUntilEnd(root);
    EXPECT_FALSE(gate_->execs.empty());
    return gate_->execs.empty() ? ExecEvent{} : gate_->execs.front();
  }
  bool Asked(const std::vector<std::string>& argv, uint32_t flags = kEnforce) {
    return Run(argv, flags).head.kind == HP_EVENT_ASK;
  }

  std::string Copy(const std::string& from, const std::string& name, const std::string& more = "") {
    const std::string path = absl::StrCat(folder_, "/", name);
    EXPECT_EQ(RunProgram({"/bin/cp", from, path}), 0);
    if (!more.empty()) std::ofstream(path, std::ios::app) << more;
    return path;
  }
  // Of a file that has just changed nothing is kept.
  static void Age(const std::string& path) {
    struct stat st;
    ASSERT_EQ(stat(path.c_str(), &st), 0);
    const absl::Time changed = absl::TimeFromTimespec(st.st_ctim);
    while (absl::Now() - changed <= kFreshFile) sched_yield();
  }
  std::string Script(const std::string& name, const std::string& interpreter) {
    const std::string path = absl::StrCat(folder_, "/", name);
    std::ofstream(path) << "#!" << interpreter << "\n";
    EXPECT_EQ(chmod(path.c_str(), 0755), 0);
    return path;
  }

  AutomatonTable table_;
  std::string rows_, folder_;
  Kernel::TriageTables tables_;
  uint32_t state_ = 0;
};

TEST_F(TriageTest, TheKernelRunsTheAutomatonAsItIsMeant) {
  SetClassOf("/bin/true", HP_CLASS_ARGUMENTS, state_);
  const std::vector<std::vector<std::string>> lines = {
      {"/bin/true"},
      {"/bin/true", "status"},
      {"/bin/true", "push"},
      {"/bin/true", "pushed", "xpush"},
      {"/bin/true", "-abD"},
      {"/bin/true", "--D", "D"},
      {"/bin/true", "", "", "push", ""},
      {"/bin/true", std::string(15, 'x'), "push"},
      {"/bin/true", std::string(4000, 'x'), "push"},
      {"/bin/true", std::string(4000, 'x'), "pull"},
      {"/bin/true", "\xff\x80 push"},
  };
  for (const std::vector<std::string>& argv : lines) {
    std::string raw;
    for (const std::string& word : argv) raw.append(word).push_back('\0');
    const ExecEvent event = Run(argv);
    EXPECT_EQ(event.head.kind == HP_EVENT_ASK, table_.Asks(state_, raw)) << argv.back();
    EXPECT_EQ(event.reason, event.head.kind == HP_EVENT_ASK ? HP_REASON_CLASS : HP_REASON_ARGUMENTS) << argv.back();
    EXPECT_EQ(event.class_value, HP_CLASS_ARGUMENTS);
  }
}

TEST_F(TriageTest, OfASessionThatTheGateDoesNotKnowYetItIsAsked) {
  SetClassOf("/bin/true", HP_CLASS_ARGUMENTS, state_);
  EXPECT_FALSE(Asked({"/bin/true"}));
  EXPECT_TRUE(Asked({"/bin/true"}, kEnforce & ~HP_SESSION_TRIAGE));
  EXPECT_TRUE(Asked({Copy("/bin/true", "tool")}, kEnforce & ~HP_SESSION_TRIAGE));
}

TEST_F(TriageTest, WithoutAGateNothingPassesWhereItFailsClosed) {
  SetClassOf("/bin/true", HP_CLASS_ARGUMENTS, state_);
  EXPECT_EQ(Run({"/bin/true"}, kEnforce | HP_SESSION_FAIL_CLOSED).reason, HP_REASON_ARGUMENTS);
  gate_->beating = false;
  kernel_->Beat(BootTime{0});
  EXPECT_EQ(Run({"/bin/true"}, kEnforce | HP_SESSION_FAIL_CLOSED).head.kind, HP_EVENT_KILLED);
  EXPECT_EQ(Run({"/bin/true"}, kEnforce).head.kind, HP_EVENT_EXEC);
}

// What is known of a file, it was called by one of its names.
TEST_F(TriageTest, UnderTheNameOfAToolAFileIsThatTool) {
  const std::string tool = Copy("/bin/true", "tool"), link = absl::StrCat(folder_, "/terraform");
  ASSERT_EQ(RunProgram({"/bin/ln", tool, link}), 0);
  Age(tool);
  SetClassOf(tool, HP_CLASS_ARGUMENTS, tables_.unseen);
  EXPECT_FALSE(Asked({tool, "plan"}));
  EXPECT_TRUE(Asked({link, "plan"}));
  SetClassOf(tool, HP_CLASS_HARMLESS);
  EXPECT_FALSE(Asked({tool, "plan"}));
  EXPECT_TRUE(Asked({link, "plan"}));
  // By its content it is one whatever it is called.
  SetClassOf(tool, HP_CLASS_ARGUMENTS, state_);
  EXPECT_FALSE(Asked({link, "plan"}));
  EXPECT_TRUE(Asked({link, "push"}));
}

TEST_F(TriageTest, ACodingAgentInsideIsAsked) {
  ASSERT_TRUE(kernel_->SetAgentNames({"tool"}).ok());
  EXPECT_FALSE(Asked({Copy("/bin/true", "other")}));
  EXPECT_TRUE(Asked({Copy("/bin/true", "tool")}));
}

TEST_F(TriageTest, WhatIsTooLongToBeLookedAtIsAsked) {
  SetClassOf("/bin/true", HP_CLASS_ARGUMENTS, state_);
  EXPECT_FALSE(Asked({"/bin/true", std::string(HP_ARGV_MAX - 20, 'x')}));
  EXPECT_TRUE(Asked({"/bin/true", std::string(HP_ARGV_MAX, 'x')}));
}

TEST_F(TriageTest, WithoutATableOfThisGenerationEverythingIsAsked) {
  SetClassOf("/bin/true", HP_CLASS_ARGUMENTS, state_);
  ASSERT_FALSE(Asked({"/bin/true"}));
  // The class is of the new generation, its table is not there yet.
  ASSERT_TRUE(kernel_->SetPolicyGeneration(kGeneration + 1).ok());
  struct stat st;
  ASSERT_EQ(stat("/bin/true", &st), 0);
  ASSERT_TRUE(kernel_->SetClass(FileIdFromStat(st), HP_CLASS_ARGUMENTS, state_, kGeneration + 1).ok());
  EXPECT_TRUE(Asked({"/bin/true"}));
  ASSERT_TRUE(kernel_->SetTriage(tables_, kGeneration + 1).ok());
  EXPECT_FALSE(Asked({"/bin/true"}));
  // Another table in the same place, of a generation that has not begun.
  ASSERT_TRUE(kernel_->SetTriage(tables_, kGeneration + 3).ok());
  EXPECT_TRUE(Asked({"/bin/true"}));
}

TEST_F(TriageTest, AStateThatTheTableDoesNotHaveIsAsked) {
  SetClassOf("/bin/true", HP_CLASS_ARGUMENTS, 60000);
  EXPECT_TRUE(Asked({"/bin/true"}));
  SetClassOf("/bin/true", HP_CLASS_ASK, state_);
  EXPECT_TRUE(Asked({"/bin/true"}));
}

TEST_F(TriageTest, WhereTheKernelDoesNotTakeItEverythingIsAsked) {
  Close();
  Kernel::Options options = DefaultOptions();
  options.without = {"triage"};
  Open(options);
  ASSERT_TRUE(kernel_->SetTriage(tables_, kGeneration).ok());
  SetClassOf("/bin/true", HP_CLASS_ARGUMENTS, state_);
  EXPECT_TRUE(Asked({"/bin/true"}));
  const std::vector<Rung> rungs = kernel_->Rungs();
  EXPECT_TRUE(std::any_of(rungs.begin(), rungs.end(), [](const Rung& rung) {
    return rung.capability == "triage" && rung.in_use == "none" && !rung.missing.empty();
  }));
}

TEST_F(TriageTest, BytesThatAreNoTableAreRefused) {
  Kernel::TriageTables broken = tables_;
  broken.rows.remove_suffix(1);
  EXPECT_EQ(kernel_->SetTriage(broken, kGeneration + 1).code(), absl::StatusCode::kInvalidArgument);
  broken.rows = "";
  EXPECT_EQ(kernel_->SetTriage(broken, kGeneration + 1).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(TriageTest, NeverSeenAndNoCopyPassesUnlessItsWordsSayMore) {
  const std::string tool = Copy("/bin/true", "tool");
  EXPECT_EQ(Run({tool, "build"}).reason, HP_REASON_NO_COPY);
  EXPECT_EQ(Run({tool, "build"}).class_value, HP_CLASS_UNKNOWN);
  EXPECT_TRUE(Asked({tool, "volume", "delete"}));
}

TEST_F(TriageTest, ACopyOfAListedToolIsAskedByItsSizeOrItsName) {
  EXPECT_TRUE(Asked({Copy("/bin/rm", "innocent"), "--version"}));
  EXPECT_TRUE(Asked({Copy("/bin/true", "terraform"), "plan"}));
  // One byte more is no copy, as it is for the judge.
  EXPECT_FALSE(Asked({Copy("/bin/rm", "longer", "x"), "--version"}));
  EXPECT_TRUE(Asked({Copy("/bin/true", std::string(HP_BASENAME_MAX, 'n')), "x"}));
}

TEST_F(TriageTest, AScriptIsTheToolThatItIsNamedAfter) {
  SetClassOf("/bin/true", HP_CLASS_ARGUMENTS, state_);
  EXPECT_FALSE(Asked({Script("build", "/bin/true"), "x"}));
  EXPECT_TRUE(Asked({Script("terraform", "/bin/true"), "x"}));
  SetClassOf("/bin/true", HP_CLASS_HARMLESS);
  EXPECT_FALSE(Asked({absl::StrCat(folder_, "/build"), "x"}));
  EXPECT_TRUE(Asked({absl::StrCat(folder_, "/terraform"), "x"}));
}

TEST_F(TriageTest, ATableWithOtherNamesTakesThePlaceOfTheOne) {
  const std::string tool = Copy("/bin/true", "kubectl");
  EXPECT_FALSE(Asked({tool}));
  tables_.names = {"kubectl"};
  ASSERT_TRUE(kernel_->SetTriage(tables_, kGeneration + 1).ok());
  // Until its generation begins, the names of both are asked about.
  EXPECT_TRUE(Asked({tool}));
  const std::string terraform = Copy("/bin/true", "terraform");
  EXPECT_TRUE(Asked({terraform}));
  ASSERT_TRUE(kernel_->SetPolicyGeneration(kGeneration + 1).ok());
  EXPECT_TRUE(Asked({tool}));
  EXPECT_FALSE(Asked({terraform}));
}

}  // namespace
}  // namespace holdpoint
