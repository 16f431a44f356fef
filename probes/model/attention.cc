#include "probes/model/attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/logaddexp.h>
#include <ATen/ops/logsumexp.h>

#include <algorithm>
#include <limits>

#include "probes/model/row_tiles.h"

namespace couplingd {
namespace {

constexpr std::int64_t kClusterRows = 256;
constexpr std::int64_t kPlainScores = std::int64_t{1} << 26;  // elements of one block of scores

// [rows, kv_heads, group, head_dim] → [kv_heads, group, rows, head_dim]
at::Tensor HeadsFirst(const at::Tensor& query) { return query.permute({1, 2, 0, 3}); }

std::vector<float> MaskValues(const SelfBlock& block) {
  std::vector<float> values(block.visible.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = block.visible[i] ? 0.0f : -std::numeric_limits<float>::infinity();
  }
  return values;
}

}  // namespace

AttentionKernel AttentionKernelFor(at::Device device) {
  return device.is_cpu() ? AttentionKernel::kTiles : AttentionKernel::kPlain;
}

PackAttention::PackAttention(const ForwardPlan& plan, std::size_t pack,
                             const TensorFactory& factory, AttentionKernel kernel)
    : factory_(factory) {
  if (kernel == AttentionKernel::kTiles) {
    tiles_.emplace(MakeAttentionTiles(plan, pack, kTileRows), factory_);
    return;
  }
  blocks_ = MakeAttentionBlocks(plan, pack, kClusterRows);
  for (const SelfBlock& block : blocks_.self) {
    if (block.visible.empty()) {
      masks_.emplace_back();
      continue;
    }
    const std::int64_t rows = block.end - block.begin;
    masks_.push_back(factory_.Values(MaskValues(block), {rows, rows}, factory_.dtype()));
  }
}

at::Tensor PackAttention::Attend(const at::Tensor& query, const KeysValues& own,
                                 const std::map<std::int32_t, KeysValues>& kept,
                                 double scale) const {
  if (tiles_) return tiles_->Attend(query, own, kept, scale);
  const std::int64_t rows = query.size(0);
  const std::int64_t kv_heads = own.keys.size(1);
  const std::int64_t group = query.size(1) / kv_heads;
  const at::Tensor grouped = query.unflatten(1, {kv_heads, group});
  at::Tensor output = factory_.Empty({rows, kv_heads, group, query.size(2)}, at::ScalarType::Float);
  at::Tensor log_sum_exp = factory_.Empty({rows, kv_heads, group}, at::ScalarType::Float);

  for (std::size_t i = 0; i < blocks_.self.size(); ++i) {
    const std::int64_t begin = blocks_.self[i].begin;
    const std::int64_t count = blocks_.self[i].end - begin;
    const Partial partial =
        Plain(grouped.narrow(0, begin, count), own.keys.narrow(0, begin, count),
              own.values.narrow(0, begin, count), !masks_[i].defined(), masks_[i], scale);
    output.narrow(0, begin, count).copy_(partial.output);
    log_sum_exp.narrow(0, begin, count).copy_(partial.log_sum_exp);
  }
  for (const AncestorBlock& block : blocks_.ancestors) {
    const std::int64_t count = block.end - block.begin;
    const bool is_kept = block.kept_segment >= 0;
    const KeysValues keys =
        is_kept
            ? kept.at(block.kept_segment)
            : KeysValues{own.keys.narrow(0, block.key_begin, block.key_end - block.key_begin),
                         own.values.narrow(0, block.key_begin, block.key_end - block.key_begin)};
    const Partial partial = Plain(grouped.narrow(0, block.begin, count), keys.keys, keys.values,
                                  /*causal=*/false, {}, scale);
    at::Tensor so_far = log_sum_exp.narrow(0, block.begin, count);
    const at::Tensor joined = at::logaddexp(so_far, partial.log_sum_exp);
    at::Tensor sum = output.narrow(0, block.begin, count);
    sum.mul_((so_far - joined).exp_().unsqueeze(-1));
    sum.add_(partial.output * (partial.log_sum_exp - joined).exp_().unsqueeze(-1));
    so_far.copy_(joined);
  }
  return output.to(query.scalar_type()).view({rows, -1});
}

// True where the key comes after the query: [queries, keys].
at::Tensor PackAttention::Future(std::int64_t first_query, std::int64_t queries,
                                 std::int64_t keys) const {
  std::vector<std::int64_t> numbers(
      static_cast<std::size_t>(std::max(first_query + queries, keys)));
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<std::int64_t>(i);
  const at::Tensor index = factory_.Indices(numbers);
  return index.narrow(0, 0, keys)
      .unsqueeze(0)
      .gt(index.narrow(0, first_query, queries).unsqueeze(1));
}

PackAttention::Partial PackAttention::Plain(const at::Tensor& query, const at::Tensor& keys,
                                            const at::Tensor& values, bool causal,
                                            const at::Tensor& mask, double scale) const {
  const std::int64_t rows = query.size(0), kv_heads = query.size(1), group = query.size(2);
  const std::int64_t step =
      std::max<std::int64_t>(1, kPlainScores / (kv_heads * group * keys.size(0)));
  std::vector<at::Tensor> outputs, sums;
  for (std::int64_t first = 0; first < rows; first += step) {
    const std::int64_t count = std::min(step, rows - first);
    const std::int64_t seen = causal ? first + count : keys.size(0);
    const at::Tensor queries = HeadsFirst(query.narrow(0, first, count)).flatten(1, 2);
    at::Tensor scores = at::bmm(queries, keys.narrow(0, 0, seen).permute({1, 2, 0}))
                            .to(at::ScalarType::Float)
                            .mul_(scale)
                            .view({kv_heads, group, count, seen});
    if (causal) {
      scores.masked_fill_(Future(first, count, seen), -std::numeric_limits<double>::infinity());
    } else if (mask.defined()) {
      scores.add_(mask.narrow(0, first, count));
    }
    const at::Tensor sum = at::logsumexp(scores, -1, /*keepdim=*/true);
    const at::Tensor weights = scores.sub_(sum).exp_().to(values.scalar_type()).flatten(1, 2);
    const at::Tensor output = at::bmm(weights, values.narrow(0, 0, seen).permute({1, 0, 2}));
    outputs.push_back(output.view({kv_heads, group, count, -1}).permute({2, 0, 1, 3}));
    sums.push_back(sum.squeeze(-1).permute({2, 0, 1}));
  }
  if (outputs.size() == 1) return {outputs[0], sums[0]};
  return {at::cat(outputs), at::cat(sums)};
}

}  // namespace couplingd
