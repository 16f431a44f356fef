#include "probes/model/attention_tiles.h"

#include <algorithm>
#include <map>

namespace couplingd {
namespace {

class TileMaker {
 public:
  TileMaker(const ForwardPlan& plan, const ForwardPack& pack) : plan_(plan), pack_(pack) {}

  // Tiles are made from the first row on.
  AttentionTile Make(std::int64_t begin, std::int64_t end) {
    while (RowEnd(first_) <= begin) ++first_;
    std::int32_t last = first_;
    while (RowEnd(last) < end) ++last;

    AttentionTile tile{.begin = begin, .end = end};
    columns_.clear();
    for (std::int32_t segment = first_; segment <= last; ++segment) {
      for (std::int32_t at = segment; at >= 0 && columns_.emplace(at, 0).second;) {
        at = plan_.segments[at].parent;
      }
    }
    ListKeys(last, tile);
    for (std::int32_t segment = first_; segment <= last; ++segment) ShowPath(segment, tile);
    return tile;
  }

 private:
  std::int64_t RowBegin(std::int32_t segment) const {
    return plan_.segments[segment].begin - pack_.token_begin;
  }
  std::int64_t RowEnd(std::int32_t segment) const {
    return plan_.segments[segment].end - pack_.token_begin;
  }

  KeyRange KeysOf(std::int32_t segment, std::int64_t tile_end) const {
    const Segment& of = plan_.segments[segment];
    if (segment < pack_.segment_begin) return {0, of.end - of.begin, segment};
    return {RowBegin(segment), std::min(RowEnd(segment), tile_end)};
  }

  // Ancestors of every row have the lowest numbers, since depth-first order puts a segment between
  // its parent and the parent's next child.
  void ListKeys(std::int32_t last, AttentionTile& tile) {
    std::int64_t seen_by_all = 0;
    bool still_open = true;
    for (auto& [segment, column] : columns_) {
      const KeyRange keys = KeysOf(segment, tile.end);
      column = tile.key_count;
      tile.key_count += keys.size();
      still_open = still_open && segment <= first_ && IsAncestor(segment, last);
      if (still_open) {
        const bool in_pack = keys.kept_segment < 0;
        seen_by_all += in_pack ? std::min(keys.end, tile.begin) - keys.begin : keys.size();
        still_open = !in_pack || keys.end <= tile.begin;
      }
      const bool goes_on = !tile.keys.empty() && keys.kept_segment < 0 &&
                           tile.keys.back().kept_segment < 0 && tile.keys.back().end == keys.begin;
      if (goes_on) {
        tile.keys.back().end = keys.end;
      } else {
        tile.keys.push_back(keys);
      }
    }
    tile.open = seen_by_all;
    tile.visible.assign(
        static_cast<std::size_t>((tile.end - tile.begin) * (tile.key_count - tile.open)), false);
  }

  bool IsAncestor(std::int32_t ancestor, std::int32_t of) const {
    while (of > ancestor) of = plan_.segments[of].parent;
    return of == ancestor;
  }

  void ShowPath(std::int32_t segment, AttentionTile& tile) const {
    const std::int64_t masked = tile.key_count - tile.open;
    const std::int64_t first = std::max(RowBegin(segment), tile.begin);
    const std::int64_t end = std::min(RowEnd(segment), tile.end);
    for (std::int32_t at = segment; at >= 0; at = plan_.segments[at].parent) {
      const std::int64_t column = columns_.at(at);
      const std::int64_t size = KeysOf(at, tile.end).size();
      for (std::int64_t row = first; row < end; ++row) {
        const std::int64_t seen = at == segment ? row + 1 - RowBegin(segment) : size;
        for (std::int64_t key = std::max(column, tile.open); key < column + seen; ++key) {
          tile.visible[static_cast<std::size_t>((row - tile.begin) * masked + key - tile.open)] =
              true;
        }
      }
    }
  }

  const ForwardPlan& plan_;
  const ForwardPack& pack_;
  std::int32_t first_ = pack_.segment_begin;      // the segment of the tile's first row
  std::map<std::int32_t, std::int64_t> columns_;  // segment on a path → its first key in the tile
};

}  // namespace

std::vector<AttentionTile> MakeAttentionTiles(const ForwardPlan& plan, std::size_t pack_index,
                                              std::int64_t tile_rows) {
  const ForwardPack& pack = plan.packs[pack_index];
  TileMaker maker(plan, pack);
  std::vector<AttentionTile> tiles;
  for (std::int64_t begin = 0; begin < pack.rows(); begin += tile_rows) {
    tiles.push_back(maker.Make(begin, std::min(begin + tile_rows, pack.rows())));
  }
  return tiles;
}

}  // namespace couplingd
