// Two sets of scores of one task side by side, ours and another harness's: which choices differ,
// and what their difference comes from as far as the evidence says.
//
//   template    the request's text differs: other worked examples, another prompt, another choice
//   spacing     it differs in white space only
//   tokenizer   the texts are equal and their tokens are not
//   truncation  it is longer than what one side's model takes
//   bos         its tokens are equal but for a BOS token at the front of one side
//   dtype       the tokens are equal, and the difference is what rounding of one side makes
//   unknown     none of these is shown; what would decide is said
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "probes/benchmark/pack.h"
#include "probes/benchmark/requests.h"
#include "probes/tokenizer/tokenizer.h"
#include "records/score.h"

namespace couplingd {

enum class DifferenceCause { kTemplate, kSpacing, kTokenizer, kTruncation, kBos, kDtype, kUnknown };
std::string_view ToString(DifferenceCause cause);

// A special token as a harness names it.
struct SpecialToken {
  std::string text;
  TokenId id = 0;
};

// What one side asked and answered, and what is known of how.
struct ScoredSide {
  Pack pack;
  TaskScores scores;                                      // parallel to the pack's items
  std::vector<std::vector<std::uint32_t>> scored_tokens;  // as stored; empty where not known
  std::shared_ptr<const Tokenizer> tokenizer;             // null where not known
  std::optional<BosMode> bos;
  std::optional<std::size_t> max_length;
  std::string dtype;                   // "fp32", "bf16", "fp16"; empty where not known
  std::vector<SpecialToken> specials;  // of its tokenizer, as its results state them
};

struct ChoiceDifference {
  std::string our_item, their_item;  // ids
  std::size_t choice = 0;
  double ours = 0, theirs = 0;
  std::optional<std::size_t> tokens;  // scored ones
  DifferenceCause cause = DifferenceCause::kUnknown;
  std::string evidence;
};

struct Agreement {
  std::size_t items = 0, only_ours = 0, only_theirs = 0;
  std::size_t choices = 0, agreeing = 0;
  std::size_t other_texts = 0;  // choices that agree although their texts differ
  std::size_t other_best = 0;   // items of which another choice is the likeliest
  std::vector<ChoiceDifference> differing;
  std::vector<std::string> would_decide;  // what to give or to do where a cause is unknown
};

// `per_token`: how far log-likelihoods of one token may lie apart and still agree; tokens that are
// not known are taken as four characters each. Items are matched by their texts, then without white
// space, then by choices and question, then by place where both sides have as many. kInvalidData
// where no item of one side is one of the other.
Result<Agreement> CompareScores(const ScoredSide& ours, const ScoredSide& theirs, double per_token);

// "bf16" or "fp16" where every log-likelihood is a number of that format, as lm-eval's are that
// sums them in the model's dtype; else empty.
std::string HalfFormatOf(const TaskScores& scores);

}  // namespace couplingd
