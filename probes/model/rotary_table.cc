#include "probes/model/rotary_table.h"

#include <ATen/TensorOperators.h>

#include <cmath>

#include "probes/model/rotary.h"

namespace couplingd {

RotaryTables::RotaryTables(const ModelConfig& config, const TensorFactory& factory)
    : config_(config), factory_(factory), tables_(config.ropes.size()) {}

std::vector<RotaryAngles> RotaryTables::At(const at::Tensor& positions, std::int64_t needed,
                                           std::int64_t length) {
  std::vector<RotaryAngles> angles;
  if (config_.rotary == Rotary::kNone) return angles;
  for (std::size_t i = 0; i < tables_.size(); ++i) {
    const Rope& rope = config_.ropes[i];
    Table& table = tables_[i];
    if (needed > table.positions || IsLong(rope, length) != table.is_long) {
      table = Make(rope, needed, length);
    }
    angles.push_back({table.cos.index_select(0, positions).unsqueeze(1),
                      table.sin.index_select(0, positions).unsqueeze(1)});
  }
  return angles;
}

RotaryTables::Table RotaryTables::Make(const Rope& rope, std::int64_t positions,
                                       std::int64_t length) const {
  const std::vector<float> frequencies = InverseFrequencies(rope, length);
  const auto magnitude = static_cast<float>(rope.scaling.attention_factor);
  std::vector<float> cos, sin;
  for (std::int64_t position = 0; position < positions; ++position) {
    for (const float frequency : frequencies) {
      const float angle = static_cast<float>(position) * frequency;
      cos.push_back(std::cos(angle) * magnitude);
      sin.push_back(std::sin(angle) * magnitude);
    }
  }
  const std::int64_t shape[] = {positions, static_cast<std::int64_t>(frequencies.size())};
  return {factory_.Values(cos, shape, factory_.dtype()),
          factory_.Values(sin, shape, factory_.dtype()), positions, IsLong(rope, length)};
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
