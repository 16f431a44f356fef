// Steering a model by a direction that is added to its residual stream, and grading what comes of
// it. No libtorch in this header.
//
// The direction and the strengths are those of arXiv:2605.18838; that outputs change says nothing
// about truth, so that a strength is graded on held-out items against no steering and against
// random directions.
#pragma once

#include <Eigen/Dense>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "probes/benchmark/pack.h"
#include "probes/benchmark/requests.h"
#include "probes/device/place.h"
#include "probes/internals/gram_statistics.h"
#include "probes/model/decoder.h"
#include "probes/model/forward_hook.h"
#include "probes/tokenizer/tokenizer.h"

namespace couplingd {

// 3.0, 1.5, 0.5 or 0 for a coupling below −0.1, +0.1, +0.3 or not.
double AdaptiveStrength(double coupling);

// ⌊layers / 4⌋ where `asked` is 0. kUnsupported: fewer than 4 layers; kUsage: no such layer.
Result<int> SteeringLayer(std::int64_t layers, int asked);

struct TruthDirection {
  int layer = 0;
  Eigen::VectorXf unit;  // mean over true statements − mean over false ones, of length 1
  double mean_norm = 0;  // mean length of the states it was taken from
};
// At the last token of statements. kInvalidData: NaN, infinity, or no difference.
Result<TruthDirection> FindTruthDirection(Decoder& decoder, const Place& place,
                                          std::span<const std::vector<TokenId>> true_ones,
                                          std::span<const std::vector<TokenId>> false_ones,
                                          int layer, int token_budget);

// Of length 1, uniform over directions.
Eigen::VectorXf RandomDirection(Eigen::Index width, std::uint64_t seed);

// Adds `vector` to every row behind `layer` layers, as long as it is attached to a decoder.
std::unique_ptr<ForwardHook> MakeSteeringHook(const Place& place, int layer,
                                              const Eigen::VectorXf& vector);

struct GenerationOptions {
  int max_tokens = 48;
  bool sample = false;     // from the model's distribution; otherwise the first most likely token
  std::uint64_t seed = 1;  // the same draws for every text
  std::vector<TokenId> stop;  // ends the text and is no part of it
};
// The tokens that continue the prompt, through the hook that is attached. They end where the
// model's positions do.
Result<std::vector<TokenId>> Generate(Decoder& decoder, std::span<const TokenId> prompt,
                                      const GenerationOptions& options);

// Per item: (log-likelihood per byte of the right choice) − (that of the wrong one), through the
// hook that is attached. REQUIRES: `requests` are those of EncodeRequests for the pack.
Result<std::vector<double>> ItemMargins(Decoder& decoder, const Pack& pack,
                                        std::span<const EncodedRequest> requests, int token_budget);

// Whether each text would still be what the model gives greedily, through the hook that is
// attached: one pass, no generation.
Result<std::vector<bool>> StaysGreedy(Decoder& decoder,
                                      std::span<const std::vector<TokenId>> prompts,
                                      std::span<const std::vector<TokenId>> continuations,
                                      int token_budget);

// Shares of right items without and with steering, on the same items.
struct PairedGrade {
  double without = 0, with = 0;
  Estimate difference;         // of the shares; 95 % by a bootstrap over items
  std::vector<double> random;  // the same difference for each random direction
  double p = 1;                // (1 + random directions that gain as much) / (1 + directions)
};
PairedGrade GradeMargins(std::span<const double> without, std::span<const double> with,
                         std::span<const std::vector<double>> random, std::uint64_t seed);

}  // namespace couplingd
