#include "probes/model/attention_rule.h"

#include <ATen/TensorOperators.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

namespace couplingd {
namespace {

// bias [kv_heads, group, all positions] at positions […]: [kv_heads, group, …].
at::Tensor BiasAt(const at::Tensor& bias, const at::Tensor& positions) {
  return bias.index_select(2, positions.flatten()).unflatten(2, positions.sizes());
}

}  // namespace

PackPositions::PackPositions(const ForwardPlan& plan, std::size_t pack,
                             const TensorFactory& factory) {
  const std::vector<std::int64_t> positions = RowPositions(plan, plan.packs[pack]);
  for (const std::int64_t position : positions) longest = std::max(longest, position + 1);
  of_rows = factory.Indices(positions);
}

at::Tensor CountFrom(std::int64_t first, std::int64_t count, const TensorFactory& factory) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), first);
  return factory.Indices(numbers);
}

void ApplyRule(const AttentionRule& rule, const at::Tensor& query_positions,
               const at::Tensor& key_positions, at::Tensor& scores) {
  if (rule.softcap > 0) scores.div_(rule.softcap).tanh_().mul_(rule.softcap);
  if (rule.key_bias.defined()) {
    const at::Tensor bias = rule.key_bias.unflatten(0, {scores.size(0), scores.size(1)});
    scores.add_(BiasAt(bias, key_positions).unsqueeze(-2));
    scores.sub_(BiasAt(bias, query_positions).unsqueeze(-1));
  }
  if (rule.window > 0) {
    const at::Tensor first_seen = query_positions.sub(rule.window - 1).unsqueeze(-1);
    scores.masked_fill_(key_positions.unsqueeze(-2).lt(first_seen),
                        -std::numeric_limits<double>::infinity());
  }
}

}  // namespace couplingd
