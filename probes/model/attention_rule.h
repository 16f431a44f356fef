// How the scores of one layer become weights, beyond a scaled product and a softmax.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "probes/device/factory.h"
#include "probes/model/forward_plan.h"

namespace couplingd {

struct AttentionRule {
  double scale = 1;     // of the products
  double softcap = 0;   // then c · tanh(score / c); 0: none
  at::Tensor key_bias;  // then + bias of the key's position, [heads, positions] in fp32; may lack
  std::int64_t window = 0;  // a token sees so many keys, itself among them; 0: all before it

  // Whether texts of at most `length` tokens need more than the scale.
  bool IsPlain(std::int64_t length) const {
    return softcap == 0 && !key_bias.defined() && (window == 0 || window >= length);
  }
  // The rule for heads [first, first + count).
  AttentionRule OfHeads(std::int64_t first, std::int64_t count) const {
    AttentionRule rule = *this;
    if (key_bias.defined()) rule.key_bias = key_bias.narrow(0, first, count);
    return rule;
  }
};

// Where the rows of a pack stand in their sequences.
struct PackPositions {
  PackPositions(const ForwardPlan& plan, std::size_t pack, const TensorFactory& factory);
  at::Tensor of_rows;        // int64 [rows]
  std::int64_t longest = 0;  // tokens of the longest path to one of them
};

// first, first + 1, … as int64 [count].
at::Tensor CountFrom(std::int64_t first, std::int64_t count, const TensorFactory& factory);

// scores [kv_heads, group, …, queries, keys] in fp32, already scaled, in place: caps them, adds the
// biases and hides keys before the window as −∞. Positions are int64 […, queries] and […, keys]. A
// bias is taken relative to that of the query's own position, which changes no weight and keeps far
// positions exact.
void ApplyRule(const AttentionRule& rule, const at::Tensor& query_positions,
               const at::Tensor& key_positions, at::Tensor& scores);

}  // namespace couplingd
