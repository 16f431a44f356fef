// Cosines and sines of positions on the device, grown as texts get longer.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "probes/device/factory.h"
#include "probes/model/config.h"
#include "probes/model/forward_plan.h"

namespace couplingd {

// Of the rows of a pack: [rows, 1, rope.dim / 2].
struct RotaryAngles {
  at::Tensor cos, sin;

  RotaryAngles Rows(std::int64_t begin, std::int64_t count) const {
    return {cos.narrow(0, begin, count), sin.narrow(0, begin, count)};
  }
};

class RotaryTables {
 public:
  // Both outlive the tables.
  RotaryTables(const ModelConfig& config, const TensorFactory& factory);

  // For the rows of a pack: one entry per element of config.ropes.
  std::vector<RotaryAngles> At(const ForwardPlan& plan, const ForwardPack& pack);

 private:
  // [positions, rope.dim / 2]; LongRoPE's have as many rows again for long texts.
  struct Table {
    at::Tensor cos, sin;
    std::int64_t positions = 0;
  };

  Table Make(const Rope& rope, std::int64_t positions) const;

  const ModelConfig& config_;
  const TensorFactory& factory_;
  std::vector<Table> tables_;
};

// heads [rows, heads, head_dim], in place.
void Rotate(Rotary kind, const at::Tensor& heads, const RotaryAngles& angles);

}  // namespace couplingd
