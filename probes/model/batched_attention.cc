#include "probes/model/batched_attention.h"

#include <ATen/ops/_scaled_dot_product_efficient_attention.h>
#include <ATen/ops/_softmax.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <tuple>

namespace couplingd {
namespace {

// Pairs of a row and a key in one batch, and scores that exist at once.
constexpr std::int64_t kPairs = std::int64_t{1} << 22;
constexpr std::int64_t kScores = std::int64_t{1} << 25;

constexpr double kHidden = -std::numeric_limits<double>::infinity();
constexpr std::int64_t kAligned = 8;  // elements, of what libtorch's kernel loads at once

std::int64_t RoundedUp(std::int64_t keys) { return (keys + kAligned - 1) / kAligned * kAligned; }

// Tiles whose sizes differ more are not filled up to one another.
bool IsNear(std::int64_t keys, std::int64_t most) {
  return keys + kAttentionRows >= most || 5 * keys >= 4 * most;
}

// Where each kept segment's keys begin, behind the pack's own.
std::map<std::int32_t, std::int64_t> PlaceKept(const ForwardPlan& plan,
                                               const std::vector<AttentionTile>& tiles,
                                               std::int64_t rows) {
  std::map<std::int32_t, std::int64_t> first_of;
  for (const AttentionTile& tile : tiles) {
    for (const KeyRange& range : tile.keys) {
      if (range.kept_segment >= 0) first_of.emplace(range.kept_segment, 0);
    }
  }
  std::int64_t next = rows;
  for (auto& [segment, first] : first_of) {
    first = next;
    const Segment& of = plan.segments[static_cast<std::size_t>(segment)];
    next += of.end - of.begin;
  }
  return first_of;
}

}  // namespace

BatchedAttention::BatchedAttention(const ForwardPlan& plan, const std::vector<AttentionTile>& tiles,
                                   const PackPositions& positions, const TensorFactory& factory)
    : positions_(positions), factory_(factory) {
  const auto first_of = PlaceKept(plan, tiles, tiles.back().end);
  std::vector<at::Tensor> all_positions = {positions.of_rows};
  for (const auto& [segment, first] : first_of) {
    kept_.push_back(segment);
    const Segment& of = plan.segments[static_cast<std::size_t>(segment)];
    all_positions.push_back(CountFrom(of.position, of.end - of.begin, factory));
  }
  all_positions_ = at::cat(all_positions);

  std::vector<const AttentionTile*> sorted;
  for (const AttentionTile& tile : tiles) sorted.push_back(&tile);
  std::ranges::stable_sort(sorted, std::greater(), &AttentionTile::key_count);
  for (std::size_t begin = 0; begin < sorted.size();) {
    const std::int64_t most = sorted[begin]->key_count;
    const auto fitting =
        static_cast<std::size_t>(std::max<std::int64_t>(1, kPairs / (kAttentionRows * most)));
    std::size_t end = begin + 1;
    while (end < sorted.size() && end - begin < fitting && IsNear(sorted[end]->key_count, most)) {
      ++end;
    }
    batches_.push_back(MakeBatch(std::span(sorted).subspan(begin, end - begin), first_of));
    begin = end;
  }
}

BatchedAttention::Batch BatchedAttention::MakeBatch(
    std::span<const AttentionTile* const> tiles,
    const std::map<std::int32_t, std::int64_t>& first_of) const {
  Batch batch{.tiles = std::ssize(tiles), .keys = RoundedUp(tiles.front()->key_count)};
  for (const AttentionTile* tile : tiles)
    batch.rows = std::max(batch.rows, tile->end - tile->begin);
  const std::int64_t beyond = positions_.of_rows.size(0);
  const auto rows = static_cast<std::size_t>(batch.tiles * batch.rows);
  std::vector<std::int64_t> from_rows(rows, 0), to_rows(rows, beyond);
  std::vector<std::int64_t> key_rows(static_cast<std::size_t>(batch.tiles * batch.keys), 0);
  std::vector<std::uint8_t> hidden(rows * static_cast<std::size_t>(batch.keys), 1);
  auto row = from_rows.begin(), target = to_rows.begin(), key = key_rows.begin();
  auto of_tile = hidden.begin();
  for (const AttentionTile* tile : tiles) {
    const std::int64_t count = tile->end - tile->begin, masked = tile->key_count - tile->open;
    std::iota(row, row + count, tile->begin);
    std::iota(target, target + count, tile->begin);
    auto at = key;
    for (const KeyRange& range : tile->keys) {
      const std::int64_t first =
          range.kept_segment < 0 ? range.begin : first_of.at(range.kept_segment) + range.begin;
      std::iota(at, at + range.size(), first);
      at += range.size();
    }
    for (std::int64_t r = 0; r < batch.rows; ++r) {
      const auto of_row = of_tile + r * batch.keys;
      std::fill(of_row, of_row + std::max<std::int64_t>(tile->open, 1), 0);
      if (r >= count) continue;
      for (std::int64_t c = 0; c < masked; ++c) {
        of_row[tile->open + c] = tile->visible[static_cast<std::size_t>(r * masked + c)] ? 0 : 1;
      }
    }
    row += batch.rows;
    target += batch.rows;
    key += batch.keys;
    of_tile += batch.rows * batch.keys;
  }
  batch.from_rows = factory_.Indices(from_rows);
  batch.to_rows = factory_.Indices(to_rows);
  batch.key_rows = factory_.Indices(key_rows);
  const std::int64_t shape[] = {batch.tiles, 1, batch.rows, batch.keys};
  batch.hidden = factory_.Flags(hidden, shape);
  if (factory_.device().is_cuda() && factory_.dtype() != at::kFloat) {
    batch.bias = factory_.Empty(shape).zero_().masked_fill_(batch.hidden, kHidden);
  }
  return batch;
}

at::Tensor BatchedAttention::WithKept(Part part, const KeysValues& own,
                                      const std::map<std::int32_t, KeysValues>& kept) const {
  if (kept_.empty()) return own.*part;
  std::vector<at::Tensor> parts = {own.*part};
  for (const std::int32_t segment : kept_) parts.push_back(kept.at(segment).*part);
  return at::cat(parts);
}

bool BatchedAttention::CanFuse(const at::Tensor& query, const AttentionRule& rule) const {
  return query.is_cuda() && query.scalar_type() != at::kFloat && query.size(2) % kAligned == 0 &&
         rule.IsPlain(positions_.longest);
}

at::Tensor BatchedAttention::Attend(const at::Tensor& query, const KeysValues& own,
                                    const std::map<std::int32_t, KeysValues>& kept,
                                    const AttentionRule& rule) const {
  const std::int64_t rows = query.size(0), kv_heads = own.keys.size(1);
  const std::int64_t group = query.size(1) / kv_heads;
  const at::Tensor keys = WithKept(&KeysValues::keys, own, kept);
  const at::Tensor values = WithKept(&KeysValues::values, own, kept);
  const at::Tensor output = factory_.Empty({rows + 1, kv_heads, group, query.size(2)});
  if (CanFuse(query, rule)) {
    const at::Tensor grouped = query.unflatten(1, {kv_heads, group});
    for (const Batch& batch : batches_) {
      output.index_copy_(0, batch.to_rows, AttendFused(batch, grouped, keys, values, rule.scale));
    }
    return output.narrow(0, 0, rows).view({rows, -1});
  }
  const at::Tensor grouped =
      query.mul(rule.scale).unflatten(1, {kv_heads, group}).permute({1, 2, 0, 3});
  const at::Tensor keys_of_heads = keys.transpose(0, 1), values_of_heads = values.transpose(0, 1);
  for (const Batch& batch : batches_) {
    const std::int64_t scores = batch.tiles * batch.rows * batch.keys * group;
    const std::int64_t step = std::clamp<std::int64_t>(kScores / scores, 1, kv_heads);
    for (std::int64_t first = 0; first < kv_heads; first += step) {
      const std::int64_t heads = std::min(step, kv_heads - first);
      output.narrow(1, first, heads)
          .index_copy_(0, batch.to_rows,
                       AttendHeads(batch, grouped.narrow(0, first, heads),
                                   keys_of_heads.narrow(0, first, heads),
                                   values_of_heads.narrow(0, first, heads),
                                   rule.OfHeads(first * group, heads * group)));
    }
  }
  return output.narrow(0, 0, rows).view({rows, -1});
}

at::Tensor BatchedAttention::AttendFused(const Batch& batch, const at::Tensor& query,
                                         const at::Tensor& keys, const at::Tensor& values,
                                         double scale) const {
  const std::int64_t tiles = batch.tiles, kv_heads = query.size(1), group = query.size(2);
  const auto of_tiles = [&](const at::Tensor& part) {
    return part.index_select(0, batch.key_rows)
        .view({tiles, batch.keys, kv_heads, -1})
        .transpose(1, 2);
  };
  const at::Tensor queries = query.index_select(0, batch.from_rows)
                                 .view({tiles, batch.rows, kv_heads, group, -1})
                                 .permute({0, 2, 3, 1, 4})
                                 .reshape({tiles, kv_heads, group * batch.rows, -1});
  const at::Tensor bias = batch.bias.expand({-1, group, -1, -1})
                              .reshape({tiles, 1, group * batch.rows, batch.keys})
                              .expand({-1, kv_heads, -1, -1});
  const at::Tensor output = std::get<0>(at::_scaled_dot_product_efficient_attention(
      queries, of_tiles(keys), of_tiles(values), bias, /*compute_log_sumexp=*/false,
      /*dropout_p=*/0, /*is_causal=*/false, scale));
  return output.unflatten(2, {group, batch.rows})
      .permute({0, 3, 1, 2, 4})
      .reshape({tiles * batch.rows, kv_heads, group, -1});
}

at::Tensor BatchedAttention::AttendHeads(const Batch& batch, const at::Tensor& query,
                                         const at::Tensor& keys, const at::Tensor& values,
                                         const AttentionRule& rule) const {
  const std::int64_t heads = query.size(0), group = query.size(1), tiles = batch.tiles;
  const at::Tensor queries = query.index_select(2, batch.from_rows)
                                 .view({heads, group, tiles, batch.rows, -1})
                                 .transpose(1, 2)
                                 .reshape({heads * tiles, group * batch.rows, -1});
  const at::Tensor seen =
      keys.index_select(1, batch.key_rows).view({heads * tiles, batch.keys, -1});
  at::Tensor scores = at::bmm(queries, seen.transpose(1, 2))
                          .to(at::kFloat)
                          .view({heads, tiles, group, batch.rows, batch.keys});
  if (!rule.IsPlain(positions_.longest)) {
    at::Tensor of_heads = scores.transpose(1, 2);
    ApplyRule(rule, positions_.of_rows.index_select(0, batch.from_rows).view({tiles, -1}),
              all_positions_.index_select(0, batch.key_rows).view({tiles, -1}), of_heads);
  }
  scores.masked_fill_(batch.hidden, kHidden);
  const at::Tensor weights = at::_softmax(scores, -1, /*half_to_float=*/false)
                                 .to(values.scalar_type())
                                 .view({heads * tiles, group * batch.rows, batch.keys});
  const at::Tensor of_tiles = values.index_select(1, batch.key_rows);
  return at::bmm(weights, of_tiles.view({heads * tiles, batch.keys, -1}))
      .view({heads, tiles, group, batch.rows, -1})
      .permute({1, 3, 0, 2, 4})
      .reshape({tiles * batch.rows, heads, group, -1});
}

}  // namespace couplingd
