#include "agent/gate/quarantine.h"

#include "absl/strings/str_cat.h"
#include "agent/base/sha256.h"

namespace holdpoint {
namespace {

constexpr int kEnough = 2;

// Lengths in front: two texts never run into each other.
void Append(std::string& all, const std::string& text) { absl::StrAppend(&all, text.size(), ":", text); }

}  // namespace

std::string Quarantine::DigestOf(const v1::ToJudge& question) {
  std::string chosen;
  if (question.has_exec()) {
    const v1::ConsultExec& exec = question.exec();
    for (const std::string* text : {&exec.raw_executable(), &exec.raw_script(), &exec.raw_working_directory(),
                                    &exec.raw_argv(), &exec.process().working_directory()}) {
      Append(chosen, *text);
    }
  } else if (question.has_session()) {
    Append(chosen, question.session().raw_argv());
    Append(chosen, question.session().raw_environment());
  } else {
    return "";
  }
  const Sha256Digest digest = Sha256(chosen);
  return std::string(reinterpret_cast<const char*>(digest.data()), digest.size());
}

bool Quarantine::Strike(const std::string& digest, bool crashed) {
  if (digest.empty() || Has(digest)) return false;
  const auto [entry, added] = strikes_.try_emplace(digest, 0);
  if (added) order_.push_back(digest);
  entry->second += crashed ? kEnough : 1;
  const bool now = entry->second >= kEnough;
  if (order_.size() > max_) {
    strikes_.erase(order_.front());
    order_.pop_front();
  }
  return now;
}

bool Quarantine::Has(const std::string& digest) const {
  const auto found = strikes_.find(digest);
  return found != strikes_.end() && found->second >= kEnough;
}

void Quarantine::Clear() {
  strikes_.clear();
  order_.clear();
}

}  // namespace holdpoint
