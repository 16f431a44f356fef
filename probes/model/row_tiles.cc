#include "probes/model/row_tiles.h"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <atomic>

namespace couplingd {

void ForEachTile(at::Device device, std::int64_t rows,
                 const std::function<void(std::int64_t begin, std::int64_t count)>& work,
                 std::int64_t tile_rows) {
  if (!device.is_cpu() || rows <= tile_rows) {
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
  at::parallel_for(0, std::min<std::int64_t>(tiles, at::get_num_threads()), 1, take_tiles);
}

}  // namespace couplingd
