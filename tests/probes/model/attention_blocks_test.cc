#include "probes/model/attention_blocks.h"

#include <gtest/gtest.h>

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

TEST(AttentionBlocks, ShowEveryRowItsOwnPathExactlyOnce) {
  for (unsigned seed = 0; seed < 30; ++seed) {
    const ForwardPlan plan = RandomPlan(seed, 60, 40);
    for (std::size_t p = 0; p < plan.packs.size(); ++p) {
      const ForwardPack& pack = plan.packs[p];
      const AttentionBlocks blocks = MakeAttentionBlocks(plan, p, seed % 2 == 0 ? 12 : 1);
      std::vector<std::vector<int>> seen(pack.rows(), std::vector<int>(plan.tokens.size(), 0));
      for (const SelfBlock& block : blocks.self) {
        const std::int64_t size = block.end - block.begin;
        for (std::int64_t r = 0; r < size; ++r) {
          for (std::int64_t c = 0; c < size; ++c) {
            const bool visible = block.visible.empty() ? c <= r : block.visible[r * size + c];
            seen[block.begin + r][pack.token_begin + block.begin + c] += visible;
          }
        }
      }
      for (const AncestorBlock& block : blocks.ancestors) {
        const bool kept = block.kept_segment >= 0;
        const std::int64_t first =
            kept ? plan.segments[block.kept_segment].begin : pack.token_begin + block.key_begin;
        const std::int64_t last =
            kept ? plan.segments[block.kept_segment].end : pack.token_begin + block.key_end;
        EXPECT_EQ(kept, first < pack.token_begin);
        for (std::int64_t row = block.begin; row < block.end; ++row) {
          for (std::int64_t token = first; token < last; ++token) ++seen[row][token];
        }
      }
      for (std::int64_t row = 0; row < pack.rows(); ++row) {
        const std::int64_t query = pack.token_begin + row;
        for (std::int64_t token = 0; token < std::ssize(plan.tokens); ++token) {
          const bool expected =
              token <= query && IsOnPath(plan, SegmentOf(plan, token), SegmentOf(plan, query));
          ASSERT_EQ(seen[row][token], expected) << "seed " << seed << " row " << row;
        }
      }
    }
  }
}

}  // namespace
}  // namespace couplingd
