// A judge for the tests of JudgeLink: what it does with a question is the question's working directory.
//   answer   answers         silent  does not         crash  aborts
//   facts    wants facts about /x, then answers with what the reader said as the reason

#include <csignal>
#include <cstdlib>
#include <utility>

#include "agent/judge/channel.h"
#include "holdpoint/v1/judge.pb.h"

int main() {
  holdpoint::JudgeChannel channel(holdpoint::UniqueFd(3), holdpoint::JudgeChannel::Mode::kBlocking);
  for (;;) {
    holdpoint::v1::ToJudge question;
    if (!channel.Receive(&question).ok()) return 0;
    holdpoint::v1::FromJudge answer;
    answer.set_id(question.id());
    if (question.has_configure()) {
      answer.mutable_configured()->set_accepted(question.configure().configuration().content() != "bad");
      answer.mutable_configured()->set_problem("it is bad");
    } else if (question.has_facts()) {
      answer.mutable_exec()->mutable_judgement()->set_reason(question.facts().problem());
    } else {
      const std::string& what = question.exec().process().working_directory();
      if (what == "silent") continue;
      if (what == "crash") std::abort();
      if (what == "facts") {
        answer.mutable_facts_wanted()->add_paths("/x");
        answer.mutable_facts_wanted()->set_budget_ms(100);
      } else {
        answer.mutable_exec()->mutable_judgement()->set_verdict(holdpoint::v1::VERDICT_AUDIT);
      }
    }
    if (!channel.Send(answer).ok()) return 0;
  }
}
