#include "probes/model/row_tiles.h"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <atomic>

namespace couplingd {
namespace {

thread_local bool is_together = false;

}  // namespace

TogetherOnOneTile::TogetherOnOneTile() { is_together = true; }
TogetherOnOneTile::~TogetherOnOneTile() { is_together = false; }

void ForEachTile(at::Device device, std::int64_t rows,
                 const std::function<void(std::int64_t begin, std::int64_t count)>& work,
                 std::int64_t tile_rows) {
  if (!device.is_cpu() || (is_together && rows <= tile_rows)) {
    if (rows > 0) work(0, rows);
    return;
  }
  const std::int64_t tiles = (rows + tile_rows - 1) / tile_rows;
  std::atomic<std::int64_t> next = 0;
  const auto take_tiles = [&](std::int64_t, std::int64_t) {
    const c10::InferenceMode inference;  // known to its own thread only
    for (std::int64_t tile = next++; tile < tiles; tile = next++) {
      const std::int64_t begin = tile * tile_rows;
      work(begin, std::min(tile_rows, rows - begin));
    }
  };
  // Two at least: within a region of two threads, operators keep to their own.
  const std::int64_t takers =
      std::clamp<std::int64_t>(at::get_num_threads(), 2, std::max<std::int64_t>(2, tiles));
  at::parallel_for(0, takers, 1, take_tiles);
}

}  // namespace couplingd
