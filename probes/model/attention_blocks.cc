#include "probes/model/attention_blocks.h"

#include <algorithm>
#include <map>

namespace couplingd {
namespace {

class BlockMaker {
 public:
  BlockMaker(const ForwardPlan& plan, const ForwardPack& pack, std::int64_t cluster_rows)
      : plan_(plan), pack_(pack), cluster_rows_(cluster_rows) {}

  AttentionBlocks Make() {
    FindDescendants();
    AttentionBlocks blocks;
    for (const auto& [segment, last_row] : kept_)
      blocks.ancestors.push_back({0, last_row, segment});
    for (std::int32_t first = pack_.segment_begin; first < pack_.segment_end;) {
      const std::int32_t end = ClusterEnd(first);
      blocks.self.push_back(MakeSelfBlock(first, end));
      for (std::int32_t at = first; at < end; ++at) AddDescendants(at, RowEnd(end - 1), blocks);
      first = end;
    }
    return blocks;
  }

 private:
  std::int64_t RowBegin(std::int32_t segment) const {
    return plan_.segments[segment].begin - pack_.token_begin;
  }
  std::int64_t RowEnd(std::int32_t segment) const {
    return plan_.segments[segment].end - pack_.token_begin;
  }

  // descendants_end_[s]: the row after the last descendant of s within the pack. Depth-first order
  // makes descendants follow their ancestor without a gap.
  void FindDescendants() {
    descendants_end_.assign(pack_.segment_end - pack_.segment_begin, 0);
    for (std::int32_t at = pack_.segment_end - 1; at >= pack_.segment_begin; --at) {
      std::int64_t& end = descendants_end_[at - pack_.segment_begin];
      end = std::max(end, RowEnd(at));
      std::int32_t parent = plan_.segments[at].parent;
      if (parent >= pack_.segment_begin) {
        std::int64_t& above = descendants_end_[parent - pack_.segment_begin];
        above = std::max(above, end);
        continue;
      }
      for (; parent >= 0; parent = plan_.segments[parent].parent) {
        kept_[parent] = std::max(kept_[parent], end);
      }
    }
  }

  std::int32_t ClusterEnd(std::int32_t first) const {
    std::int32_t end = first + 1;
    while (end < pack_.segment_end && RowEnd(end) - RowBegin(first) <= cluster_rows_) ++end;
    return end;
  }

  bool IsAncestor(std::int32_t ancestor, std::int32_t of) const {
    while (of > ancestor) of = plan_.segments[of].parent;
    return of == ancestor;
  }

  SelfBlock MakeSelfBlock(std::int32_t first, std::int32_t end) const {
    SelfBlock block{RowBegin(first), RowEnd(end - 1), {}};
    bool is_chain = true;
    for (std::int32_t at = first + 1; at < end; ++at) {
      is_chain = is_chain && plan_.segments[at].parent == at - 1;
    }
    if (is_chain) return block;

    const std::int64_t rows = block.end - block.begin;
    block.visible.assign(rows * rows, false);
    for (std::int32_t query = first; query < end; ++query) {
      for (std::int32_t key = first; key <= query; ++key) {
        if (!IsAncestor(key, query)) continue;
        for (std::int64_t r = RowBegin(query); r < RowEnd(query); ++r) {
          const std::int64_t last = std::min(r + 1, RowEnd(key));
          for (std::int64_t c = RowBegin(key); c < last; ++c) {
            block.visible[(r - block.begin) * rows + (c - block.begin)] = true;
          }
        }
      }
    }
    return block;
  }

  // Descendants inside the cluster are served by its mask; the rest of them get a block.
  void AddDescendants(std::int32_t segment, std::int64_t cluster_end,
                      AttentionBlocks& blocks) const {
    const std::int64_t last_row = descendants_end_[segment - pack_.segment_begin];
    if (last_row <= cluster_end) return;
    if (!blocks.ancestors.empty()) {
      AncestorBlock& previous = blocks.ancestors.back();
      if (previous.kept_segment < 0 && previous.begin == cluster_end && previous.end == last_row &&
          previous.key_end == RowBegin(segment)) {
        previous.key_end = RowEnd(segment);
        return;
      }
    }
    blocks.ancestors.push_back({cluster_end, last_row, -1, RowBegin(segment), RowEnd(segment)});
  }

  const ForwardPlan& plan_;
  const ForwardPack& pack_;
  const std::int64_t cluster_rows_;
  std::vector<std::int64_t> descendants_end_;
  std::map<std::int32_t, std::int64_t>
      kept_;  // ancestor in an earlier pack → row after its last one
};

}  // namespace

AttentionBlocks MakeAttentionBlocks(const ForwardPlan& plan, std::size_t pack,
                                    std::int64_t cluster_rows) {
  return BlockMaker(plan, plan.packs[pack], cluster_rows).Make();
}

}  // namespace couplingd
