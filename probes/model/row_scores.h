// From hidden rows to log-probabilities of the tokens that are asked for: logits exist for a tile
// of rows and a tile of the vocabulary at a time.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <span>

#include "base/result.h"
#include "probes/device/factory.h"
#include "probes/device/place.h"
#include "probes/model/decoder.h"
#include "probes/model/forward_plan.h"

namespace couplingd {

// Logits of tokens [first, first + count) for rows [row, row + rows) of those that are scored:
// [rows, count]. Called from several threads at once.
using LogitTile = std::function<at::Tensor(std::int64_t row, std::int64_t rows, std::int64_t first,
                                           std::int64_t count)>;

// Reads are sorted by row, and row_of[i] ∈ [0, rows) is the scored row of reads[i]. The softmax is
// over all of vocab, in fp32: a running maximum and sum of exponentials over the tiles. On CUDA the
// project's own kernel does it, elsewhere ATen. A logit that is NaN or infinite gives a NaN score.
Status ScoreRows(std::int64_t rows, std::int64_t vocab, const LogitTile& logits,
                 std::span<const TokenRead> reads, std::span<const std::int64_t> row_of,
                 const TensorFactory& factory, const CudaHalf& cuda, std::span<TokenScore> scores);

}  // namespace couplingd
