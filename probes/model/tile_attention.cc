#include "probes/model/tile_attention.h"

#include <ATen/ops/_softmax.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/mul.h>

#include <algorithm>
#include <limits>

#include "probes/model/row_tiles.h"

namespace couplingd {
namespace {

// Elements of the scores that are made at once: they stay in a thread's cache.
constexpr std::int64_t kScores = std::int64_t{1} << 17;

at::Tensor MaskOf(const AttentionTile& tile, const TensorFactory& factory) {
  const std::int64_t masked = tile.key_count - tile.open;
  if (masked == 0) return {};
  std::vector<float> values(tile.visible.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = tile.visible[i] ? 0.0f : -std::numeric_limits<float>::infinity();
  }
  return factory.Values(values, {tile.end - tile.begin, masked}, at::kFloat);
}

KeysValues Gather(const AttentionTile& tile, const KeysValues& own,
                  const std::map<std::int32_t, KeysValues>& kept) {
  std::vector<at::Tensor> keys, values;
  for (const KeyRange& range : tile.keys) {
    const KeysValues& from = range.kept_segment < 0 ? own : kept.at(range.kept_segment);
    keys.push_back(from.keys.narrow(0, range.begin, range.size()));
    values.push_back(from.values.narrow(0, range.begin, range.size()));
  }
  if (keys.size() == 1) return {keys[0], values[0]};
  return {at::cat(keys), at::cat(values)};
}

}  // namespace

TileAttention::TileAttention(const ForwardPlan& plan, std::vector<AttentionTile> tiles,
                             const PackPositions& positions, const TensorFactory& factory)
    : plan_(plan), tiles_(std::move(tiles)), positions_(positions), factory_(factory) {
  for (const AttentionTile& tile : tiles_) masks_.push_back(MaskOf(tile, factory));
}

at::Tensor TileAttention::KeyPositions(const AttentionTile& tile) const {
  std::vector<at::Tensor> positions;
  for (const KeyRange& range : tile.keys) {
    positions.push_back(
        range.kept_segment < 0
            ? positions_.of_rows.narrow(0, range.begin, range.size())
            : CountFrom(plan_.segments[static_cast<std::size_t>(range.kept_segment)].position,
                        range.size(), factory_));
  }
  return at::cat(positions);
}

at::Tensor TileAttention::Attend(const at::Tensor& query, const KeysValues& own,
                                 const std::map<std::int32_t, KeysValues>& kept,
                                 const AttentionRule& rule) const {
  const std::int64_t rows = query.size(0), kv_heads = own.keys.size(1);
  const at::Tensor grouped = query.unflatten(1, {kv_heads, query.size(1) / kv_heads});
  const at::Tensor output = factory_.Empty(grouped.sizes());
  const auto attend = [&](std::int64_t begin, std::int64_t count) {
    AttendTile(static_cast<std::size_t>(begin / kAttentionRows), grouped.narrow(0, begin, count),
               own, kept, rule, output.narrow(0, begin, count));
  };
  ForEachTile(factory_.device(), rows, attend, kAttentionRows);
  return output.view({rows, -1});
}

void TileAttention::AttendTile(std::size_t index, const at::Tensor& query, const KeysValues& own,
                               const std::map<std::int32_t, KeysValues>& kept,
                               const AttentionRule& rule, at::Tensor output) const {
  const AttentionTile& tile = tiles_[index];
  const std::int64_t rows = query.size(0), kv_heads = query.size(1), group = query.size(2);
  const KeysValues seen = Gather(tile, own, kept);
  const bool is_plain = rule.IsPlain(positions_.longest);
  const at::Tensor key_positions = is_plain ? at::Tensor() : KeyPositions(tile);
  const std::int64_t step =
      std::clamp<std::int64_t>(kScores / (group * rows * tile.key_count), 1, kv_heads);
  for (std::int64_t first = 0; first < kv_heads; first += step) {
    const std::int64_t heads = std::min(step, kv_heads - first);
    at::Tensor queries = factory_.Empty({heads, group, rows, query.size(3)});
    at::mul_out(queries, query.narrow(1, first, heads).permute({1, 2, 0, 3}), rule.scale);
    queries = queries.view({heads, group * rows, -1});
    const at::Tensor keys = seen.keys.narrow(1, first, heads).permute({1, 2, 0});
    const at::Tensor values = seen.values.narrow(1, first, heads).permute({1, 0, 2});
    at::Tensor scores = at::bmm(queries, keys).to(at::kFloat);
    if (!is_plain) {
      at::Tensor of_heads = scores.view({heads, group, rows, tile.key_count});
      ApplyRule(rule.OfHeads(first * group, heads * group),
                positions_.of_rows.narrow(0, tile.begin, rows), key_positions, of_heads);
    }
    if (masks_[index].defined()) {
      scores.view({heads * group, rows, tile.key_count})
          .narrow(2, tile.open, tile.key_count - tile.open)
          .add_(masks_[index]);
    }
    const at::Tensor weights = at::_softmax(scores, -1, /*half_to_float=*/false);
    const at::Tensor of_heads = at::bmm(weights.to(values.scalar_type()), values);
    output.narrow(1, first, heads)
        .copy_(of_heads.view({heads, group, rows, -1}).permute({2, 0, 1, 3}));
  }
}

}  // namespace couplingd
