#include "probes/model/attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/logaddexp.h>
#include <ATen/ops/logsumexp.h>

#include <algorithm>
#include <limits>

namespace couplingd {
namespace {

constexpr std::int64_t kClusterRows = 256;
constexpr std::int64_t kPlainScores = std::int64_t{1} << 26;  // elements of one block of scores

constexpr double kLeast = -1e30;

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
    : plan_(plan), factory_(factory), positions_(plan, pack, factory) {
  if (kernel == AttentionKernel::kTiles) {
    tiles_.emplace(plan, MakeAttentionTiles(plan, pack, kAttentionRows), positions_, factory_);
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
                                 const AttentionRule& rule) const {
  if (tiles_) return tiles_->Attend(query, own, kept, rule);
  const std::int64_t rows = query.size(0);
  const std::int64_t kv_heads = own.keys.size(1);
  const std::int64_t group = query.size(1) / kv_heads;
  const at::Tensor grouped = query.unflatten(1, {kv_heads, group});
  at::Tensor output = factory_.Empty({rows, kv_heads, group, query.size(2)}, at::ScalarType::Float);
  at::Tensor log_sum_exp = factory_.Empty({rows, kv_heads, group}, at::ScalarType::Float);

  for (std::size_t i = 0; i < blocks_.self.size(); ++i) {
    const std::int64_t begin = blocks_.self[i].begin;
    const std::int64_t count = blocks_.self[i].end - begin;
    const Sight sight{!masks_[i].defined(), masks_[i], begin,
                      positions_.of_rows.narrow(0, begin, count)};
    const Partial partial = Plain(grouped.narrow(0, begin, count), own.keys.narrow(0, begin, count),
                                  own.values.narrow(0, begin, count), sight, rule);
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
    Sight sight{false, {}, block.begin, {}};
    if (!rule.IsPlain(positions_.longest)) {
      const std::int64_t key_count = keys.keys.size(0);
      sight.key_positions =
          is_kept ? CountFrom(plan_.segments[block.kept_segment].position, key_count, factory_)
                  : positions_.of_rows.narrow(0, block.key_begin, key_count);
    }
    const Partial partial =
        Plain(grouped.narrow(0, block.begin, count), keys.keys, keys.values, sight, rule);
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
  return CountFrom(0, keys, factory_)
      .unsqueeze(0)
      .gt(CountFrom(first_query, queries, factory_).unsqueeze(1));
}

PackAttention::Partial PackAttention::Plain(const at::Tensor& query, const at::Tensor& keys,
                                            const at::Tensor& values, const Sight& sight,
                                            const AttentionRule& rule) const {
  const std::int64_t rows = query.size(0), kv_heads = query.size(1), group = query.size(2);
  const std::int64_t step =
      std::max<std::int64_t>(1, kPlainScores / (kv_heads * group * keys.size(0)));
  std::vector<at::Tensor> outputs, sums;
  for (std::int64_t first = 0; first < rows; first += step) {
    const std::int64_t count = std::min(step, rows - first);
    const std::int64_t seen = sight.causal ? first + count : keys.size(0);
    const at::Tensor queries = HeadsFirst(query.narrow(0, first, count)).flatten(1, 2);
    at::Tensor scores = at::bmm(queries, keys.narrow(0, 0, seen).permute({1, 2, 0}))
                            .to(at::ScalarType::Float)
                            .mul_(rule.scale)
                            .view({kv_heads, group, count, seen});
    if (!rule.IsPlain(positions_.longest)) {
      ApplyRule(rule, positions_.of_rows.narrow(0, sight.first_query + first, count),
                sight.key_positions.narrow(0, 0, seen), scores);
    }
    if (sight.causal) {
      scores.masked_fill_(Future(first, count, seen), -std::numeric_limits<double>::infinity());
    } else if (sight.mask.defined()) {
      scores.add_(sight.mask.narrow(0, first, count));
    }
    const at::Tensor sum = at::logsumexp(scores, -1, /*keepdim=*/true);
    // Where a window hides the whole block, the sum is −∞ and the weights are 0.
    const at::Tensor weights =
        scores.sub_(sum.clamp_min(kLeast)).exp_().to(values.scalar_type()).flatten(1, 2);
    const at::Tensor output = at::bmm(weights, values.narrow(0, 0, seen).permute({1, 0, 2}));
    outputs.push_back(output.view({kv_heads, group, count, -1}).permute({2, 0, 1, 3}));
    sums.push_back(sum.squeeze(-1).permute({2, 0, 1}));
  }
  if (outputs.size() == 1) return {outputs[0], sums[0]};
  return {at::cat(outputs), at::cat(sums)};
}

}  // namespace couplingd
