#include "probes/model/rotary_table.h"

#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>

#include "probes/model/rotary.h"

namespace couplingd {

RotaryTables::RotaryTables(const ModelConfig& config, const TensorFactory& factory)
    : config_(config), factory_(factory), tables_(config.ropes.size()) {}

std::vector<RotaryAngles> RotaryTables::At(const ForwardPlan& plan, const ForwardPack& pack) {
  std::vector<RotaryAngles> angles;
  if (config_.rotary == Rotary::kNone) return angles;
  const std::vector<std::int64_t> positions = RowPositions(plan, pack);
  const std::int64_t needed = positions.empty() ? 0 : std::ranges::max(positions) + 1;
  const std::int64_t short_text = LongestShortText(config_);
  std::vector<std::int64_t> lengths;
  if (short_text > 0) lengths = RowLengths(plan, pack);
  for (std::size_t i = 0; i < tables_.size(); ++i) {
    const Rope& rope = config_.ropes[i];
    Table& table = tables_[i];
    if (needed > table.positions) table = Make(rope, std::max(needed, 2 * table.positions));
    std::vector<std::int64_t> rows = positions;
    if (rope.scaling.kind == RopeScalingKind::kLongRope) {
      for (std::size_t row = 0; row < rows.size(); ++row) {
        if (lengths[row] > short_text) rows[row] += table.positions;
      }
    }
    const at::Tensor index = factory_.Indices(rows);
    angles.push_back({table.cos.index_select(0, index).unsqueeze(1),
                      table.sin.index_select(0, index).unsqueeze(1)});
  }
  return angles;
}

RotaryTables::Table RotaryTables::Make(const Rope& rope, std::int64_t positions) const {
  const auto magnitude = static_cast<float>(rope.scaling.attention_factor);
  const bool has_long = rope.scaling.kind == RopeScalingKind::kLongRope;
  std::vector<float> cos, sin;
  for (const bool is_long : {false, true}) {
    if (is_long && !has_long) break;
    const std::vector<float> frequencies = InverseFrequencies(rope, is_long);
    for (std::int64_t position = 0; position < positions; ++position) {
      for (const float frequency : frequencies) {
        const float angle = static_cast<float>(position) * frequency;
        cos.push_back(std::cos(angle) * magnitude);
        sin.push_back(std::sin(angle) * magnitude);
      }
    }
  }
  const std::int64_t shape[] = {positions * (has_long ? 2 : 1), rope.dim / 2};
  return {factory_.Values(cos, shape, factory_.dtype()),
          factory_.Values(sin, shape, factory_.dtype()), positions};
}

void Rotate(Rotary kind, const at::Tensor& heads, const RotaryAngles& angles) {
  if (kind == Rotary::kNone) return;
  const std::int64_t half = angles.cos.size(-1);
  at::Tensor first, second;
  if (kind == Rotary::kHalf) {
    first = heads.narrow(2, 0, half);
    second = heads.narrow(2, half, half);
  } else {
    first = heads.slice(2, 0, 2 * half, 2);
    second = heads.slice(2, 1, 2 * half, 2);
  }
  const at::Tensor turned = first * angles.cos - second * angles.sin;
  second.mul_(angles.cos).add_(first * angles.sin);
  first.copy_(turned);
}

}  // namespace couplingd
