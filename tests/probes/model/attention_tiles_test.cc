#include "probes/model/attention_tiles.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>

namespace couplingd {
namespace {

// A random trie in depth-first order, cut into packs of at most `budget` tokens.
ForwardPlan RandomPlan(unsigned seed, int segments, int budget) {
  std::mt19937 random(seed);
  ForwardPlan plan;
  std::vector<std::int32_t> path;
  for (std::int32_t i = 0; i < segments; ++i) {
    path.resize(std::uniform_int_distribution<std::size_t>(0, path.size())(random));
    const std::int32_t parent = path.empty() ? -1 : path.back();
    std::int32_t position = 0;
    if (parent >= 0) {
      const Segment& above = plan.segments[parent];
      position = above.position + static_cast<std::int32_t>(above.end - above.begin);
    }
    const auto begin = static_cast<std::int64_t>(plan.tokens.size());
    plan.tokens.resize(plan.tokens.size() + 1 + random() % 6);
    plan.segments.push_back(
        {begin, static_cast<std::int64_t>(plan.tokens.size()), parent, position, 0});
    path.push_back(i);
    if (plan.packs.empty() || plan.segments[i].end - plan.packs.back().token_begin > budget) {
      plan.packs.push_back({i, i, begin, begin});
    }
    plan.packs.back().segment_end = i + 1;
    plan.packs.back().token_end = plan.segments[i].end;
  }
  return plan;
}

bool IsOnPath(const ForwardPlan& plan, std::int32_t ancestor, std::int32_t of) {
  while (of > ancestor) of = plan.segments[of].parent;
  return of == ancestor;
}

std::int32_t SegmentOf(const ForwardPlan& plan, std::int64_t token) {
  std::int32_t at = 0;
  while (plan.segments[at].end <= token) ++at;
  return at;
}

TEST(AttentionTiles, ShowEveryRowItsOwnPathExactlyOnce) {
  for (unsigned seed = 0; seed < 30; ++seed) {
    const ForwardPlan plan = RandomPlan(seed, 60, 40);
    const std::int64_t tile_rows = std::array{1, 3, 16, 64}[seed % 4];
    for (std::size_t p = 0; p < plan.packs.size(); ++p) {
      const ForwardPack& pack = plan.packs[p];
      std::int64_t next = 0;
      for (const AttentionTile& tile : MakeAttentionTiles(plan, p, tile_rows)) {
        ASSERT_EQ(tile.begin, next);
        next = tile.end;
        std::vector<std::int64_t> key_tokens;
        for (const KeyRange& range : tile.keys) {
          const std::int64_t base =
              range.kept_segment < 0 ? pack.token_begin : plan.segments[range.kept_segment].begin;
          EXPECT_EQ(range.kept_segment >= 0, base + range.begin < pack.token_begin);
          for (std::int64_t key = range.begin; key < range.end; ++key) {
            key_tokens.push_back(base + key);
          }
        }
        ASSERT_EQ(std::ssize(key_tokens), tile.key_count);
        EXPECT_TRUE(std::ranges::is_sorted(key_tokens));
        for (std::int64_t row = tile.begin; row < tile.end; ++row) {
          const std::int64_t query = pack.token_begin + row;
          std::vector<std::int64_t> seen, expected;
          for (std::int64_t key = 0; key < tile.key_count; ++key) {
            const std::int64_t masked = key - tile.open, width = tile.key_count - tile.open;
            if (masked < 0 || tile.visible[(row - tile.begin) * width + masked]) {
              seen.push_back(key_tokens[key]);
            }
          }
          for (std::int64_t token = 0; token <= query; ++token) {
            if (IsOnPath(plan, SegmentOf(plan, token), SegmentOf(plan, query))) {
              expected.push_back(token);
            }
          }
          ASSERT_EQ(seen, expected) << "seed " << seed << " row " << row;
        }
      }
      EXPECT_EQ(next, pack.rows());
    }
  }
}

TEST(AttentionTiles, NeedNoMaskForWhatComesBeforeTheTile) {
  ForwardPlan plan;
  plan.tokens.resize(100);
  plan.segments.push_back({0, 100, -1, 0, 0});
  plan.packs.push_back({0, 1, 0, 100});
  const std::vector<AttentionTile> tiles = MakeAttentionTiles(plan, 0, 40);
  ASSERT_EQ(tiles.size(), 3u);
  EXPECT_EQ(tiles[2].begin, 80);
  EXPECT_EQ(tiles[2].key_count, 100);
  EXPECT_EQ(tiles[2].open, 80);
}

}  // namespace
}  // namespace couplingd
