#include "probes/scoring/memory_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "probes/model/tile_sizes.h"

namespace couplingd {
namespace {

constexpr std::int64_t kLogits = std::int64_t{256} * 512;    // of one thread
constexpr std::int64_t kCudaLogits = std::int64_t{1} << 25;  // elements
constexpr std::int64_t kCudaScores = std::int64_t{1} << 25;  // likewise
constexpr std::int64_t kScoreTile = std::int64_t{1} << 17;   // likewise, of one thread
constexpr std::int64_t kLibtorch = std::int64_t{230} << 20;  // measured with libtorch 2.11
constexpr std::int64_t kCudaContext = std::int64_t{700} << 20;
constexpr std::int64_t kStagedTensors = 4;
constexpr std::int64_t kStoredBytes = 4;  // an element of a file, at most but for F64

std::int64_t Mebibytes(std::int64_t bytes) { return (bytes + (1 << 20) - 1) >> 20; }

// Tokens of kept segments, in the pack where they are most.
std::int64_t MostKeptTokens(const ForwardPlan& plan) {
  std::vector<std::int64_t> change(plan.packs.size() + 1, 0);
  std::size_t pack = 0;
  for (std::size_t i = 0; i < plan.segments.size(); ++i) {
    while (static_cast<std::int32_t>(i) >= plan.packs[pack].segment_end) ++pack;
    const Segment& segment = plan.segments[i];
    const auto last = static_cast<std::size_t>(segment.last_pack);
    if (last <= pack) continue;
    change[pack] += segment.end - segment.begin;
    change[last] -= segment.end - segment.begin;
  }
  std::int64_t alive = 0, most = 0;
  for (const std::int64_t step : change) {
    alive += step;
    most = std::max(most, alive);
  }
  return most;
}

struct PlanSizes {
  std::int64_t rows = 0;     // of the largest pack
  std::int64_t longest = 0;  // path
};

PlanSizes SizesOf(const ForwardPlan& plan) {
  PlanSizes sizes;
  for (const ForwardPack& pack : plan.packs) sizes.rows = std::max(sizes.rows, pack.rows());
  for (const Segment& segment : plan.segments) {
    sizes.longest = std::max(sizes.longest, segment.position + segment.end - segment.begin);
  }
  return sizes;
}

bool IsTable(TensorRole role) {
  return role == TensorRole::kEmbedding || role == TensorRole::kPositions ||
         role == TensorRole::kLayerEmbedding || role == TensorRole::kHead;
}

// Elements of the largest table, or of the largest other tensor.
std::int64_t LargestTensor(const ModelConfig& config, bool of_tables) {
  std::int64_t largest = 0;
  for (const ExpectedTensor& tensor : ExpectedTensors(config)) {
    if (IsTable(tensor.role) != of_tables) continue;
    std::int64_t elements = 1;
    for (const std::int64_t size : tensor.shape) elements *= size;
    largest = std::max(largest, elements);
  }
  return largest;
}

std::int64_t WidestMlp(const ModelConfig& config) {
  std::int64_t widest = config.experts.intermediate_size;
  for (const LayerConfig& layer : config.layer) {
    widest = std::max(widest, layer.intermediate_size);
  }
  return widest;
}

}  // namespace

std::int64_t MemoryEstimate::Peak() const {
  return runtime + weights + std::max(staging, layers_staging + kept + activations + workspace);
}

std::string MemoryEstimate::Text() const {
  return fmt::format(
      "weights {} MiB, keys and values {} MiB, activations {} MiB, workspace {} MiB, libraries {} "
      "MiB: {} MiB in all",
      Mebibytes(weights), Mebibytes(kept), Mebibytes(activations), Mebibytes(workspace),
      Mebibytes(runtime), Mebibytes(Peak()));
}

MemoryEstimate EstimateMemory(const ModelConfig& config, const ForwardPlan& plan,
                              const MemoryPlace& place) {
  const std::int64_t hidden = config.hidden_size;
  std::int64_t queries = 0, keys = 0, all_keys = 0, group = 1, head_dim = 0;
  for (const LayerConfig& layer : config.layer) {
    queries = std::max(queries, config.heads * layer.head_dim);
    keys = std::max(keys, layer.KeyRows());
    all_keys += layer.KeyRows();
    head_dim = std::max(head_dim, layer.head_dim);
    group = std::max(group, config.heads / std::max<std::int64_t>(1, layer.kv_heads));
  }
  const std::int64_t mlp = WidestMlp(config);
  const std::int64_t element = place.element_bytes;
  const PlanSizes sizes = SizesOf(plan);
  MemoryEstimate estimate;
  estimate.weights = element * ParameterCount(config);
  const std::int64_t staged =
      place.is_cuda ? kStagedTensors : std::min<std::int64_t>(place.threads, kStagedTensors);
  estimate.staging = staged * kStoredBytes * LargestTensor(config, /*of_tables=*/true);
  estimate.layers_staging = staged * kStoredBytes * LargestTensor(config, /*of_tables=*/false);
  estimate.kept = element * 2 * all_keys * MostKeptTokens(plan);
  estimate.activations =
      element * sizes.rows *
      (2 * hidden + 2 * queries + 2 * keys + config.layers * config.layer_inputs.size);
  if (place.is_cuda) {
    const std::int64_t mlp_rows = element * sizes.rows * (4 * hidden + 3 * mlp);
    const std::int64_t gathered = element * 2 * keys * (sizes.rows + sizes.longest) +
                                  element * 2 * (kCudaScores / (kAttentionRows * group)) * head_dim;
    const std::int64_t attention = gathered + kCudaScores * (2 * 4 + 2 * element);
    const std::int64_t masks =
        (1 + (element < 4 ? element : 0)) * sizes.rows * (sizes.longest + kAttentionRows);
    estimate.workspace = std::max(mlp_rows, attention) + masks + 2 * element * kCudaLogits;
    // What libtorch's allocator has reserved in blocks that do not fit the next tensor.
    estimate.workspace += (estimate.workspace + estimate.activations) / 4;
    estimate.runtime = kCudaContext;
    return estimate;
  }
  const std::int64_t tiled_rows = std::min<std::int64_t>(place.threads * kTileRows, sizes.rows);
  const std::int64_t tiles = tiled_rows * 4 * (4 * hidden + queries + 2 * keys + 3 * mlp);
  const std::int64_t scores = std::max(kScoreTile, kAttentionRows * group * sizes.longest);
  const std::int64_t attention = 4 * (2 * sizes.longest * keys + 2 * scores);
  const std::int64_t masks = 4 * sizes.rows * std::min(2 * kAttentionRows, sizes.longest);
  estimate.workspace = tiles + place.threads * (attention + 2 * 4 * kLogits) + masks;
  estimate.runtime = kLibtorch;
  return estimate;
}

}  // namespace couplingd
