#include "probes/model/row_scores.h"

#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "probes/cuda/token_scores.h"
#include "probes/model/row_tiles.h"

namespace couplingd {
namespace {

// A tile of logits that a core's cache holds while it is used.
constexpr std::int64_t kRowTile = 256;
constexpr std::int64_t kVocabularyTile = 512;
// Likewise for a GPU: enough to fill it.
constexpr std::int64_t kCudaRows = 4096;
constexpr std::int64_t kCudaVocabularyTile = 8192;

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

// The reads of rows [begin, begin + count): [first, second).
std::pair<std::size_t, std::size_t> ReadsOf(std::span<const std::int64_t> row_of,
                                            std::int64_t begin, std::int64_t count) {
  const auto first_at = [&](std::int64_t row) {
    return static_cast<std::size_t>(std::ranges::lower_bound(row_of, row) - row_of.begin());
  };
  return {first_at(begin), first_at(begin + count)};
}

void ScoreOnHost(std::int64_t rows, std::int64_t vocab, const LogitTile& logits,
                 std::span<const TokenRead> reads, std::span<const std::int64_t> row_of,
                 std::span<TokenScore> scores) {
  ForEachTile(
      at::kCPU, rows,
      [&](std::int64_t begin, std::int64_t count) {
        const auto [from, to] = ReadsOf(row_of, begin, count);
        ScoreTile(begin, count, vocab, logits, reads.subspan(from, to - from),
                  row_of.subspan(from, to - from), scores.subspan(from, to - from));
      },
      kRowTile);
}

LogitType TypeOf(const at::Tensor& logits) {
  if (logits.scalar_type() == at::ScalarType::BFloat16) return LogitType::kBf16;
  return logits.scalar_type() == at::ScalarType::Half ? LogitType::kFp16 : LogitType::kFp32;
}

// A block of rows on a GPU, to which the vocabulary is joined tile by tile.
class CudaBlock {
 public:
  // Rows [first_row, first_row + rows); `reads` are theirs.
  CudaBlock(std::int64_t first_row, std::int64_t rows, std::span<const TokenRead> reads,
            std::span<const std::int64_t> row_of, const TensorFactory& factory,
            const CudaHalf& cuda)
      : rows_(rows), cuda_(cuda), device_(factory.device()) {
    std::vector<std::int64_t> begin(static_cast<std::size_t>(rows) + 1, 0);
    std::vector<std::int32_t> targets;
    for (std::size_t i = 0; i < reads.size(); ++i) {
      targets.push_back(reads[i].target);
      ++begin[static_cast<std::size_t>(row_of[i] - first_row) + 1];
    }
    std::partial_sum(begin.begin(), begin.end(), begin.begin());
    const auto count = static_cast<std::int64_t>(reads.size());
    begin_ = factory.Indices(begin);
    targets_ = factory.TokenIds(targets);
    summaries_ = factory.Empty({rows, sizeof(RowSummary)}, at::ScalarType::Byte);
    target_logits_ = factory.Empty({count}, at::ScalarType::Float);
    log_probabilities_ = factory.Empty({count}, at::ScalarType::Float);
    is_argmax_ = factory.Empty({count}, at::ScalarType::Byte);
  }

  Status Join(const at::Tensor& logits, std::int64_t first_token) {
    return Call([&](void* stream) {
      return cuda_.join_logits(
          logits.const_data_ptr(), static_cast<int>(TypeOf(logits)), rows_, logits.size(1),
          logits.stride(0), first_token, begin_.const_data_ptr<std::int64_t>(),
          targets_.const_data_ptr<std::int32_t>(), summaries_.mutable_data_ptr(),
          target_logits_.mutable_data_ptr<float>(), stream);
    });
  }

  Status Finish(std::span<TokenScore> scores) {
    TRY(Call([&](void* stream) {
      return cuda_.token_scores(
          summaries_.const_data_ptr(), rows_, begin_.const_data_ptr<std::int64_t>(),
          targets_.const_data_ptr<std::int32_t>(), target_logits_.const_data_ptr<float>(),
          log_probabilities_.mutable_data_ptr<float>(),
          is_argmax_.mutable_data_ptr<unsigned char>(), stream);
    }));
    const at::Tensor host_log = log_probabilities_.cpu();
    const at::Tensor host_flag = is_argmax_.cpu();
    for (std::size_t i = 0; i < scores.size(); ++i) {
      scores[i] = {host_log.const_data_ptr<float>()[i],
                   host_flag.const_data_ptr<unsigned char>()[i] != 0};
    }
    return {};
  }

 private:
  Status Call(const std::function<int(void* stream)>& kernel) const {
    void* stream = nullptr;
    int code = cuda_.current_stream(device_.index(), &stream);
    if (code == 0) code = kernel(stream);
    if (code == 0) return {};
    return Fail(ErrorKind::kInternal,
                fmt::format("the token score kernel failed: {}", cuda_.error_text(code)));
  }

  const std::int64_t rows_;
  const CudaHalf& cuda_;
  const at::Device device_;
  at::Tensor begin_, targets_;                                // per row and one more, per read
  at::Tensor summaries_;                                      // per row
  at::Tensor target_logits_, log_probabilities_, is_argmax_;  // per read
};

Status ScoreOnCuda(std::int64_t begin, std::int64_t rows, std::int64_t vocab,
                   const LogitTile& logits, std::span<const TokenRead> reads,
                   std::span<const std::int64_t> row_of, const TensorFactory& factory,
                   const CudaHalf& cuda, std::span<TokenScore> scores) {
  CudaBlock block(begin, rows, reads, row_of, factory, cuda);
  for (std::int64_t first = 0; first < vocab; first += kCudaVocabularyTile) {
    const std::int64_t count = std::min(kCudaVocabularyTile, vocab - first);
    TRY(block.Join(logits(begin, rows, first, count), first));
  }
  return block.Finish(scores);
}

}  // namespace

Status ScoreRows(std::int64_t rows, std::int64_t vocab, const LogitTile& logits,
                 std::span<const TokenRead> reads, std::span<const std::int64_t> row_of,
                 const TensorFactory& factory, const CudaHalf& cuda, std::span<TokenScore> scores) {
  if (factory.device().is_cpu() || cuda.token_scores == nullptr) {
    ScoreOnHost(rows, vocab, logits, reads, row_of, scores);
    return {};
  }
  for (std::int64_t begin = 0; begin < rows; begin += kCudaRows) {
    const std::int64_t count = std::min(kCudaRows, rows - begin);
    const auto [from, to] = ReadsOf(row_of, begin, count);
    TRY(ScoreOnCuda(begin, count, vocab, logits, reads.subspan(from, to - from),
                    row_of.subspan(from, to - from), factory, cuda,
                    scores.subspan(from, to - from)));
  }
  return {};
}

}  // namespace couplingd
