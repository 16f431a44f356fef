#include "probes/model/attention.h"

namespace couplingd {
namespace {

std::variant<TileAttention, BatchedAttention> MakeKernel(const ForwardPlan& plan, std::size_t pack,
                                                         const PackPositions& positions,
                                                         const TensorFactory& factory,
                                                         AttentionKernel kernel) {
  using Kernel = std::variant<TileAttention, BatchedAttention>;
  std::vector<AttentionTile> tiles = MakeAttentionTiles(plan, pack, kAttentionRows);
  if (kernel == AttentionKernel::kTiles) {
    return Kernel(std::in_place_type<TileAttention>, plan, std::move(tiles), positions, factory);
  }
  return Kernel(std::in_place_type<BatchedAttention>, plan, tiles, positions, factory);
}

}  // namespace

AttentionKernel AttentionKernelFor(at::Device device) {
  return device.is_cpu() ? AttentionKernel::kTiles : AttentionKernel::kBatches;
}

PackAttention::PackAttention(const ForwardPlan& plan, std::size_t pack,
                             const TensorFactory& factory, AttentionKernel kernel)
    : positions_(plan, pack, factory),
      kernel_(MakeKernel(plan, pack, positions_, factory, kernel)) {}

at::Tensor PackAttention::Attend(const at::Tensor& query, const KeysValues& own,
                                 const std::map<std::int32_t, KeysValues>& kept,
                                 const AttentionRule& rule) const {
  return std::visit([&](const auto& kernel) { return kernel.Attend(query, own, kept, rule); },
                    kernel_);
}

}  // namespace couplingd
