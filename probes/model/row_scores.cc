#include "probes/model/row_scores.h"

#include <ATen/ops/_log_softmax.h>
#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace couplingd {
namespace {

// Whether no earlier logit is as large; NaN and infinity give false.
bool IsFirstMaximum(const float* row, TokenId target, float max) {
  return row[target] == max && std::find(row, row + target, max) == row + target;
}

void ScoreOnHost(const at::Tensor& logits, std::span<const TokenRead> reads,
                 std::span<const std::int64_t> row_of, std::span<TokenScore> scores) {
  const at::Tensor values = logits.to(at::kCPU, at::ScalarType::Float).contiguous();
  const at::Tensor log_probabilities = at::_log_softmax(values, -1, /*half_to_float=*/false);
  const at::Tensor max = values.amax(-1);
  const std::int64_t vocab = values.size(1);
  const float* value = values.const_data_ptr<float>();
  const float* log_probability = log_probabilities.const_data_ptr<float>();
  const float* max_of = max.const_data_ptr<float>();
  for (std::size_t i = 0; i < reads.size(); ++i) {
    const std::int64_t row = row_of[i];
    scores[i] = {log_probability[row * vocab + reads[i].target],
                 IsFirstMaximum(value + row * vocab, reads[i].target, max_of[row])};
  }
}

Status ScoreOnCuda(const at::Tensor& logits, std::span<const TokenRead> reads,
                   std::span<const std::int64_t> row_of, const TensorFactory& factory,
                   const CudaHalf& cuda, std::span<TokenScore> scores) {
  std::vector<std::int64_t> begin(static_cast<std::size_t>(logits.size(0)) + 1, 0);
  std::vector<std::int32_t> targets;
  for (std::size_t i = 0; i < reads.size(); ++i) {
    targets.push_back(reads[i].target);
    ++begin[static_cast<std::size_t>(row_of[i]) + 1];
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

Status ScoreRows(const at::Tensor& logits, std::span<const TokenRead> reads,
                 std::span<const std::int64_t> row_of, const TensorFactory& factory,
                 const CudaHalf& cuda, std::span<TokenScore> scores) {
  if (logits.is_cuda() && cuda.token_scores != nullptr) {
    return ScoreOnCuda(logits, reads, row_of, factory, cuda, scores);
  }
  ScoreOnHost(logits, reads, row_of, scores);
  return {};
}

}  // namespace couplingd
