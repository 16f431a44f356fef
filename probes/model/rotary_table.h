// Cosines and sines of positions on the device, grown as texts get longer.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "probes/device/factory.h"
#include "probes/model/config.h"

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

  // One entry per element of config.ropes. `positions` int64 [rows], below `needed`; `length`: of
  // the longest text in the batch.
  std::vector<RotaryAngles> At(const at::Tensor& positions, std::int64_t needed,
                               std::int64_t length);

 private:
  struct Table {
    at::Tensor cos, sin;  // [positions, rope.dim / 2]
    std::int64_t positions = 0;
    bool is_long = false;
  };

  Table Make(const Rope& rope, std::int64_t positions, std::int64_t length) const;

  const ModelConfig& config_;
  const TensorFactory& factory_;
  std::vector<Table> tables_;
};

// heads [rows, heads, head_dim], in place.
void Rotate(Rotary kind, const at::Tensor& heads, const RotaryAngles& angles);

}  // namespace couplingd
