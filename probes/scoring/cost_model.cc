#include "probes/scoring/cost_model.h"

#include <algorithm>

namespace couplingd {
namespace {

bool IsLookedUp(TensorRole role) {
  return role == TensorRole::kEmbedding || role == TensorRole::kPositions ||
         role == TensorRole::kLayerEmbedding;
}

bool IsOfExpert(TensorRole role) {
  return role == TensorRole::kExpertGate || role == TensorRole::kExpertUp ||
         role == TensorRole::kExpertDown || role == TensorRole::kFusedExpertGateUp ||
         role == TensorRole::kFusedExpertDown;
}

// Σ min(position + 1, window) over positions [begin, end); a window of 0 is none.
double KeysSeen(double begin, double end, double window) {
  const double whole_until = window > 0 ? std::clamp(window, begin, end) : end;
  const double growing = (whole_until * (whole_until + 1) - begin * (begin + 1)) / 2;
  return growing + (end - whole_until) * window;
}

}  // namespace

CostModel::CostModel(const ModelConfig& config) {
  const double share_of_experts = config.experts.count > 0
                                      ? static_cast<double>(config.experts.per_token) /
                                            static_cast<double>(config.experts.count)
                                      : 1;
  for (const ExpectedTensor& tensor : ExpectedTensors(config)) {
    if (tensor.shape.size() < 2 || IsLookedUp(tensor.role) || tensor.role == TensorRole::kHead) {
      continue;
    }
    double weights = 1;
    for (const std::int64_t size : tensor.shape) weights *= static_cast<double>(size);
    of_token_ += 2 * weights * (IsOfExpert(tensor.role) ? share_of_experts : 1);
  }
  of_read_row_ =
      2 * static_cast<double>(config.vocab_size) * static_cast<double>(config.hidden_size);
  for (const LayerConfig& layer : config.layer) {
    of_key_[layer.window] += 4 * static_cast<double>(config.heads * layer.head_dim);
  }
}

double CostModel::Of(const ForwardPlan& plan, const ForwardPack& pack) const {
  double flops = of_token_ * static_cast<double>(pack.rows());
  for (std::int32_t i = pack.segment_begin; i < pack.segment_end; ++i) {
    const Segment& segment = plan.segments[static_cast<std::size_t>(i)];
    const auto begin = static_cast<double>(segment.position);
    const double end = begin + static_cast<double>(segment.end - segment.begin);
    for (const auto& [window, of_key] : of_key_) {
      flops += of_key * KeysSeen(begin, end, static_cast<double>(window));
    }
  }
  std::int64_t last = -1;
  for (std::int64_t i = pack.read_begin; i < pack.read_end; ++i) {
    const std::int64_t row = plan.reads[static_cast<std::size_t>(i)].row;
    if (row != last) flops += of_read_row_;
    last = row;
  }
  return flops;
}

double CostModel::Of(const ForwardPlan& plan) const {
  double flops = 0;
  for (const ForwardPack& pack : plan.packs) flops += Of(plan, pack);
  return flops;
}

}  // namespace couplingd
