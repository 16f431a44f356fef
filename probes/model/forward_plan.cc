#include "probes/model/forward_plan.h"

#include <algorithm>
#include <limits>

namespace couplingd {

std::vector<std::int64_t> RowPositions(const ForwardPlan& plan, const ForwardPack& pack) {
  std::vector<std::int64_t> positions;
  positions.reserve(static_cast<std::size_t>(pack.rows()));
  for (std::int32_t at = pack.segment_begin; at < pack.segment_end; ++at) {
    const Segment& segment = plan.segments[at];
    for (std::int64_t i = 0; i < segment.end - segment.begin; ++i) {
      positions.push_back(segment.position + i);
    }
  }
  return positions;
}

std::vector<std::int64_t> RowLengths(const ForwardPlan& plan, const ForwardPack& pack) {
  std::vector<std::int64_t> longest(plan.segments.size(), 0);
  for (std::size_t at = plan.segments.size(); at-- > 0;) {
    const Segment& segment = plan.segments[at];
    longest[at] = std::max(longest[at], segment.position + segment.end - segment.begin);
    if (segment.parent < 0) continue;
    std::int64_t& above = longest[static_cast<std::size_t>(segment.parent)];
    above = std::max(above, longest[at]);
  }
  std::vector<std::int64_t> lengths;
  lengths.reserve(static_cast<std::size_t>(pack.rows()));
  for (std::int32_t at = pack.segment_begin; at < pack.segment_end; ++at) {
    const Segment& segment = plan.segments[at];
    lengths.insert(lengths.end(), static_cast<std::size_t>(segment.end - segment.begin),
                   longest[static_cast<std::size_t>(at)]);
  }
  return lengths;
}

ForwardPlan GrowingText(std::span<const TokenId> text, std::size_t known) {
  constexpr std::int32_t kForever = std::numeric_limits<std::int32_t>::max();
  const auto begin = static_cast<std::int64_t>(known);
  const auto end = static_cast<std::int64_t>(text.size());
  ForwardPlan plan;
  plan.tokens.assign(text.begin(), text.end());
  if (begin > 0) {
    plan.segments.push_back({0, begin, -1, 0, kForever});
    plan.packs.push_back({0, 1, 0, begin, 0, 0});
  }
  const auto segment = static_cast<std::int32_t>(plan.segments.size());
  plan.segments.push_back({begin, end, segment - 1, static_cast<std::int32_t>(begin), kForever});
  plan.packs.push_back({segment, segment + 1, begin, end, 0, 0});
  return plan;
}

}  // namespace couplingd
