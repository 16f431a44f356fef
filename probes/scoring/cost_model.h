// What forwarding a plan costs, known before it is done.
#pragma once

#include <cstdint>
#include <map>

#include "probes/model/config.h"
#include "probes/model/forward_plan.h"

namespace couplingd {

// FLOPs (two per multiplication and addition) of the matrix products: every token through the
// layers' projections (of experts those that a token is sent to), attention over the keys that a
// token sees, and logits where something is read.
class CostModel {
 public:
  explicit CostModel(const ModelConfig& config);

  double Of(const ForwardPlan& plan, const ForwardPack& pack) const;
  double Of(const ForwardPlan& plan) const;

 private:
  double of_token_ = 0;
  double of_read_row_ = 0;
  std::map<std::int64_t, double> of_key_;  // by the layers' window: of one key that a token sees
};

}  // namespace couplingd
