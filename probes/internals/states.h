// What a model makes of prompts, layer by layer. No libtorch in this header.
#pragma once

#include <Eigen/Dense>
#include <span>
#include <vector>

#include "base/result.h"
#include "probes/device/place.h"
#include "probes/model/decoder.h"

namespace couplingd {

// One row per prompt.
using StateMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct RankGram {
  std::int64_t rank = 0;
  Eigen::MatrixXd gram;  // of the logits through the best approximation of that rank
};

// All at the last token of each prompt, from which the next one is predicted.
struct PromptStates {
  std::vector<StateMatrix> residual;  // [0 … layers]: behind so many layers, [prompts, hidden]
  std::vector<StateMatrix> heads;  // [0 … layers − 1]: [prompts, heads · head_dim]; see below
  StateMatrix output;              // what the output matrix reads, [prompts, hidden]
  Eigen::MatrixXd logits_gram;     // inner products of logits less their mean over the
                                   // vocabulary: that mean moves no probability
  std::vector<RankGram> ranks;     // 1, 2, 4, … and the full rank
};

struct StateOptions {
  int token_budget = 2048;  // forwarded at once
  bool heads = true;
  bool logits = true;
  bool ranks = false;  // needs the eigenvectors of a hidden × hidden matrix
};

// Forwards the prompts through the decoder, to which it attaches a hook of its own and then none.
// `place` is the decoder's. Values are as the model computes them: NaN and infinity are passed on.
Result<PromptStates> CollectStates(Decoder& decoder, const Place& place,
                                   std::span<const std::vector<TokenId>> prompts,
                                   const StateOptions& options);

}  // namespace couplingd
