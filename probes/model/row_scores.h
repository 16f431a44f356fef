// From rows of logits to log-probabilities of the tokens that are asked for.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "base/result.h"
#include "probes/device/factory.h"
#include "probes/device/place.h"
#include "probes/model/decoder.h"
#include "probes/model/forward_plan.h"

namespace couplingd {

// logits [rows, vocab]; reads are sorted by row, and row_of[i] is the row of reads[i] in `logits`.
// The softmax is over all of vocab, in fp32. On CUDA the project's own kernel does it, elsewhere
// ATen. A logit that is NaN or infinite gives a NaN score.
Status ScoreRows(const at::Tensor& logits, std::span<const TokenRead> reads,
                 std::span<const std::int64_t> row_of, const TensorFactory& factory,
                 const CudaHalf& cuda, std::span<TokenScore> scores);

}  // namespace couplingd
