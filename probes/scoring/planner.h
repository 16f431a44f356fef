// Turns the token sequences of all requests of one evaluation into a prefix trie, so that what they
// share is forwarded once, and cuts it into packs within a token budget.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "probes/model/forward_plan.h"

namespace couplingd {

// Context and continuation as token ids, already truncated to what the model can take: at most
// max_positions + 1 ids, since the last one is predicted and never read.
struct ScoringRequest {
  std::vector<TokenId> tokens;
  int scored_from = 1;  // where the continuation begins; 1 ≤ scored_from < tokens.size()
};

struct ScoringPlan {
  ForwardPlan forward;
  // Request i's predictions, in order, are forward.reads[read_of[first_read[i] … first_read[i +
  // 1])].
  std::vector<std::int64_t> first_read;  // requests + 1
  std::vector<std::int64_t> read_of;
  std::int64_t naive_tokens = 0;  // that one pass per request would forward
};

// The plan depends on the set of sequences and the budget alone: not on the order of the requests,
// nor on threads. A pack holds at most `token_budget` ≥ 1 tokens; a longer segment is cut. kUsage
// names the request whose bounds make no sense. Sequences that forward more than `longest_short`
// tokens share nothing with shorter ones, since some models compute long texts otherwise
// (LongestShortText in rotary.h); 0: all may share.
Result<ScoringPlan> PlanScoring(std::span<const ScoringRequest> requests, int token_budget,
                                std::int64_t longest_short = 0);

// What a model can take.
struct PlanBounds {
  std::int64_t vocab_size = 0;
  std::int64_t max_positions = 0;
  int token_budget = 0;
};

// Makes a plan whole again of which the tokens, begin, end and parent of the segments, the reads,
// first_read, read_of and naive_tokens are given: what PlanScoring derives from them is derived.
// kInvalidData: they do not fit together, or the model. What comes out can be forwarded safely
// whatever went in.
Result<ScoringPlan> AssemblePlan(ScoringPlan parts, const PlanBounds& bounds);

}  // namespace couplingd
