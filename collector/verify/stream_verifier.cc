#include "collector/verify/stream_verifier.h"

#include <algorithm>

namespace holdpoint {

StreamVerdict VerifyStream(const VerifiedTo& from, const StreamFacts& facts,
                           const std::function<std::optional<ChainLink>()>& next) {
  ChainChecker checker(from.sequence, from.hash);
  for (const DeclaredGap& gap : facts.declared) checker.AddDeclaredGap(gap);
  if (facts.end.has_value()) checker.ExpectEnd(facts.end->sequence, facts.end->hash);

  // Candidates for verified_to: the last record before each gap. Which gaps are unexplained shows at the end.
  std::vector<VerifiedTo> before_gaps;
  VerifiedTo newest = from;
  while (const auto link = next()) {
    if (link->sequence > newest.sequence + 1) before_gaps.push_back(newest);
    checker.Add(*link);
    newest = {link->sequence, link->hash};
  }

  StreamVerdict verdict;
  verdict.last_sequence = newest.sequence;
  verdict.findings = checker.Finish();
  verdict.declared_missing = checker.declared_missing();
  verdict.verified_to = newest;
  const auto missing = std::find_if(verdict.findings.begin(), verdict.findings.end(),
                                    [](const ChainFinding& f) { return f.kind == ChainFinding::Kind::kMissing; });
  if (missing != verdict.findings.end()) {  // Findings are sorted: this is the first one.
    for (const VerifiedTo& candidate : before_gaps) {
      if (candidate.sequence < missing->first) verdict.verified_to = candidate;
    }
    if (newest.sequence < missing->first) verdict.verified_to = newest;
  }
  return verdict;
}

}  // namespace holdpoint
