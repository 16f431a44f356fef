#include "probes/scoring/scorer.h"

#include <fmt/format.h>

namespace couplingd {

Result<std::vector<ContinuationScore>> ScoreRequests(Decoder& decoder, const ScoringPlan& plan,
                                                     const ScoringProgress& progress) {
  const ForwardPlan& forward = plan.forward;
  std::vector<TokenScore> tokens(forward.reads.size());
  for (std::size_t pack = 0; pack < forward.packs.size(); ++pack) {
    TRY(decoder.Run(forward, pack, tokens));
    if (!progress(pack + 1, forward.packs.size())) {
      return Fail(ErrorKind::kCancelled, fmt::format("scoring was stopped after {} of {} packs",
                                                     pack + 1, forward.packs.size()));
    }
  }

  std::vector<ContinuationScore> scores;
  scores.reserve(plan.first_read.size());
  for (std::size_t request = 0; request + 1 < plan.first_read.size(); ++request) {
    ContinuationScore score{.is_greedy = true};
    for (std::int64_t i = plan.first_read[request]; i < plan.first_read[request + 1]; ++i) {
      const TokenScore& token = tokens[static_cast<std::size_t>(plan.read_of[i])];
      score.log_likelihood += token.log_probability;
      score.is_greedy = score.is_greedy && token.is_argmax;
    }
    scores.push_back(score);
  }
  return scores;
}

}  // namespace couplingd
