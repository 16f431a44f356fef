// Log-likelihoods of continuations, by the rules of lm-eval's loglikelihood.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "probes/model/decoder.h"
#include "probes/scoring/planner.h"
#include "probes/scoring/score_log.h"

namespace couplingd {

// Changes with every change that can move a score; part of an evaluation's identity.
inline constexpr std::string_view kScorerVersion = "trie-3";

struct ContinuationScore {
  double log_likelihood = 0;  // Σ log p(token | what precedes it), natural logarithm
  bool is_greedy = false;     // every token was its row's first maximum
};

// Packs done so far, of all: told once before anything is forwarded, of what a log holds, and after
// every pack. False stops the scoring with kCancelled.
using ScoringProgress = std::function<bool(std::size_t done, std::size_t packs)>;

// One score per request of the plan, in the requests' order. With a log, packs that it holds are
// not scored again, and every other is added to it; those that hold what is still attended to are
// forwarded again. On one machine the scores of a plan are equal bit by bit whatever the order of
// requests, the number of threads and the breaks.
Result<std::vector<ContinuationScore>> ScoreRequests(Decoder& decoder, const ScoringPlan& plan,
                                                     const ScoringProgress& progress,
                                                     const ScoreLog* log = nullptr);

}  // namespace couplingd
