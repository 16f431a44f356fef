#include "probes/model/row_scores.h"

#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "probes/cuda/token_scores.h"
#include "probes/model/row_tiles.h"

namespace couplingd {
namespace {

// A tile of logits that a core's cache holds while it is used.
constexpr std::int64_t kRowTile = 128;
constexpr std::int64_t kVocabularyTile = 1024;
constexpr std::int64_t kCudaLogits = std::int64_t{1} << 26;  // elements of one block of rows

// Joins tokens [first, first + count) to what is known of one row. `sum`: of exp(logit − max).
void JoinTile(const float* logits, std::int64_t count, float max, float sum, std::int64_t first,
              RowSummary& row) {
  RowSummary tile{.max = max, .sum = sum, .argmax = first};
  if (!(max < row.max)) {  // it may hold the row's first maximum; a NaN is found nowhere
    const float* found = std::find(logits, logits + count, max);
    tile.argmax = found == logits + count ? -1 : first + (found - logits);
  }
  row.Merge(tile);
}

// Rows [begin, begin + rows) against the whole vocabulary; `reads` are theirs.
void ScoreTile(std::int64_t begin, std::int64_t rows, std::int64_t vocab, const LogitTile& logits,
               std::span<const TokenRead> reads, std::span<const std::int64_t> row_of,
               std::span<TokenScore> scores) {
  std::vector<RowSummary> summaries(static_cast<std::size_t>(rows));
  std::vector<float> target_logits(reads.size());
  for (std::int64_t first = 0; first < vocab; first += kVocabularyTile) {
    const std::int64_t count = std::min(kVocabularyTile, vocab - first);
    const at::Tensor values =
        logits(begin, rows, first, count).to(at::ScalarType::Float).contiguous();
    const float* value = values.const_data_ptr<float>();
    for (std::size_t i = 0; i < reads.size(); ++i) {
      const std::int64_t column = reads[i].target - first;
      if (column >= 0 && column < count) {
        target_logits[i] = value[(row_of[i] - begin) * count + column];
      }
    }
    const at::Tensor max = values.amax(-1);
    const at::Tensor sum = (values - max.unsqueeze(-1)).exp_().sum(-1);
    for (std::int64_t row = 0; row < rows; ++row) {
      JoinTile(value + row * count, count, max.const_data_ptr<float>()[row],
               sum.const_data_ptr<float>()[row], first, summaries[static_cast<std::size_t>(row)]);
    }
  }
  for (std::size_t i = 0; i < reads.size(); ++i) {
    const RowSummary& row = summaries[static_cast<std::size_t>(row_of[i] - begin)];
    scores[i] = {row.LogProbability(target_logits[i]), row.argmax == reads[i].target};
  }
}

void ScoreOnHost(std::int64_t rows, std::int64_t vocab, const LogitTile& logits,
                 std::span<const TokenRead> reads, std::span<const std::int64_t> row_of,
                 std::span<TokenScore> scores) {
  ForEachTile(
      at::kCPU, rows,
      [&](std::int64_t begin, std::int64_t count) {
        const auto from =
            static_cast<std::size_t>(std::ranges::lower_bound(row_of, begin) - row_of.begin());
        const auto to = static_cast<std::size_t>(std::ranges::lower_bound(row_of, begin + count) -
                                                 row_of.begin());
        ScoreTile(begin, count, vocab, logits, reads.subspan(from, to - from),
                  row_of.subspan(from, to - from), scores.subspan(from, to - from));
      },
      kRowTile);
}

// Rows [first_row, first_row + logits' rows) against the whole vocabulary; `reads` are theirs.
Status ScoreOnCuda(const at::Tensor& logits, std::int64_t first_row,
                   std::span<const TokenRead> reads, std::span<const std::int64_t> row_of,
                   const TensorFactory& factory, const CudaHalf& cuda,
                   std::span<TokenScore> scores) {
  std::vector<std::int64_t> begin(static_cast<std::size_t>(logits.size(0)) + 1, 0);
  std::vector<std::int32_t> targets;
  for (std::size_t i = 0; i < reads.size(); ++i) {
    targets.push_back(reads[i].target);
    ++begin[static_cast<std::size_t>(row_of[i] - first_row) + 1];
  }
  for (std::size_t row = 1; row < begin.size(); ++row) begin[row] += begin[row - 1];

  const auto count = static_cast<std::int64_t>(reads.size());
  const at::Tensor rows = logits.contiguous();
  const at::Tensor begin_on_device = factory.Indices(begin);
  const at::Tensor targets_on_device = factory.TokenIds(targets);
  const at::Tensor log_probabilities = factory.Empty({count}, at::ScalarType::Float);
  const at::Tensor is_argmax = factory.Empty({count}, at::ScalarType::Byte);
  const LogitType type = rows.scalar_type() == at::ScalarType::BFloat16 ? LogitType::kBf16
                         : rows.scalar_type() == at::ScalarType::Half   ? LogitType::kFp16
                                                                        : LogitType::kFp32;
  void* stream = nullptr;
  int code = cuda.current_stream(logits.device().index(), &stream);
  if (code == 0) {
    code =
        cuda.token_scores(rows.const_data_ptr(), static_cast<int>(type), rows.size(0), rows.size(1),
                          rows.stride(0), begin_on_device.const_data_ptr<std::int64_t>(),
                          targets_on_device.const_data_ptr<std::int32_t>(),
                          log_probabilities.mutable_data_ptr<float>(),
                          is_argmax.mutable_data_ptr<unsigned char>(), stream);
  }
  if (code != 0) {
    return Fail(ErrorKind::kInternal,
                fmt::format("the token score kernel failed: {}", cuda.error_text(code)));
  }
  const at::Tensor host_log = log_probabilities.cpu();
  const at::Tensor host_flag = is_argmax.cpu();
  for (std::size_t i = 0; i < scores.size(); ++i) {
    scores[i] = {host_log.const_data_ptr<float>()[i],
                 host_flag.const_data_ptr<unsigned char>()[i] != 0};
  }
  return {};
}

}  // namespace

Status ScoreRows(std::int64_t rows, std::int64_t vocab, const LogitTile& logits,
                 std::span<const TokenRead> reads, std::span<const std::int64_t> row_of,
                 const TensorFactory& factory, const CudaHalf& cuda, std::span<TokenScore> scores) {
  if (factory.device().is_cpu() || cuda.token_scores == nullptr) {
    ScoreOnHost(rows, vocab, logits, reads, row_of, scores);
    return {};
  }
  const std::int64_t block = std::max<std::int64_t>(1, kCudaLogits / vocab);
  for (std::int64_t begin = 0; begin < rows; begin += block) {
    const std::int64_t count = std::min(block, rows - begin);
    const auto from =
        static_cast<std::size_t>(std::ranges::lower_bound(row_of, begin) - row_of.begin());
    const auto to =
        static_cast<std::size_t>(std::ranges::lower_bound(row_of, begin + count) - row_of.begin());
    TRY(ScoreOnCuda(logits(begin, count, 0, vocab), begin, reads.subspan(from, to - from),
                    row_of.subspan(from, to - from), factory, cuda,
                    scores.subspan(from, to - from)));
  }
  return {};
}

}  // namespace couplingd
