// Layer coupling, competing heads, the output bottleneck and the dimension of representations of
// one model, each beside what it is under random labels and with weights that never learned. No
// libtorch.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "probes/internals/gram_statistics.h"
#include "probes/internals/prompts.h"
#include "probes/internals/states.h"
#include "records/score.h"

namespace couplingd {

// What a value is comparable with: the prompts, and how states are taken and statistics made from
// them. Changes with either; values of two protocols are never one series.
std::string InternalsProtocol(const PromptSet& prompts);

// Why a layer's coupling says nothing about what the model learned, or that it does.
enum class LayerVerdict {
  kStands,
  kUntrained,   // its interval holds the value of re-initialised weights: the statistic is rejected
  kRelabelled,  // it lies where random labels put it: the model keeps the two sets no more apart
};
std::string_view ToString(LayerVerdict verdict);  // "stands", "as untrained", "as relabelled"

struct LayerInternals {
  int layer = 0;  // behind so many layers of the decoder: 1 … layers
  Estimate coupling, centred;
  Relabelled relabelled;
  std::optional<double> reinitialised;  // coupling; absent until compared
  LayerVerdict verdict = LayerVerdict::kStands;
  double competing_share = 0;
  Estimate d_rep;
  std::vector<double> eigenvalues;    // the largest, descending
  std::vector<double> head_coupling;  // per head; NaN where there is none
  int competing_heads = 0;
  int non_finite_heads = 0;  // of which a pair's cosine does not exist: neither class
};

// How many layers or heads compete, and how many do under random labels.
struct CompetingCount {
  int count = 0;
  Relabelled relabelled;  // extreme is large
  std::optional<int> reinitialised;
};

struct RankCoupling {
  std::int64_t rank = 0;
  Estimate coupling;
};

struct Internals {
  std::string protocol;
  std::string prompts_hash;
  PromptGroups prompts;
  double tokens[3] = {};  // mean length: reasoning, truthfulness, neutral
  int heads_per_layer = 0;
  std::vector<LayerInternals> layers;
  CompetingCount competing_layers, competing_heads;
  int non_finite_heads = 0;
  // Before and after the output matrix; `bottleneck` is the difference.
  Estimate output_coupling, logits_coupling, bottleneck;
  std::optional<double> bottleneck_reinitialised;
  std::vector<RankCoupling> ranks;  // coupling of the logits by rank of the output matrix
};

// Prompts of a set as token ids, in the order of PromptGroups.
struct EncodedPrompts {
  PromptGroups groups;
  std::vector<std::vector<TokenId>> tokens;
};
Result<EncodedPrompts> EncodePrompts(const PromptSet& prompts, const Tokenizer& tokenizer,
                                     const EncodeOptions& options, std::int64_t vocabulary);

// kInvalidData names the first layer whose state is NaN or infinite, and the prompt.
Result<Internals> AnalyseStates(const PromptSet& prompts, const EncodedPrompts& encoded,
                                const PromptStates& states, int heads_per_layer);

// Sets what the same statistics are with re-initialised weights, and the verdicts.
void CompareWithReinitialised(Internals& internals, const Internals& reinitialised);

// One row per metric and layer, of the task "internals:<protocol>": layer_coupling_l12,
// centred_coupling_l12, relabelled_coupling_l12, reinitialised_coupling_l12, d_rep_l12,
// competing_layers, competing_heads, non_finite_heads, bottleneck. What does not exist is left out.
std::vector<Score> InternalsScores(const Internals& internals);

// An object as docs/json.md describes it under "internals": no checkpoint, no run.
std::string ToJson(const Internals& internals);

}  // namespace couplingd
