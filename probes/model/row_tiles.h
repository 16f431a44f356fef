// The unit of work on the CPU: a tile of rows goes through a part of the model on one thread. What
// a tile computes does not depend on the number of threads, and stays in that thread's cache.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "probes/model/tile_sizes.h"

namespace couplingd {

// Calls work(begin, count) for consecutive tiles that cover rows [0, rows): on the CPU for tiles of
// `tile_rows`, side by side on libtorch's threads, with operators inside `work` on one thread each;
// elsewhere once for all rows. `work` may write nothing that another tile reads. What it throws is
// thrown here.
void ForEachTile(at::Device device, std::int64_t rows,
                 const std::function<void(std::int64_t begin, std::int64_t count)>& work,
                 std::int64_t tile_rows = kTileRows);

// While it lives, this thread's ForEachTile lets all threads work together on what is one tile: for
// a text that grows token by token, of which no score has to be equal on another number of threads.
class TogetherOnOneTile {
 public:
  TogetherOnOneTile();
  ~TogetherOnOneTile();
  TogetherOnOneTile(const TogetherOnOneTile&) = delete;
  TogetherOnOneTile& operator=(const TogetherOnOneTile&) = delete;
};

}  // namespace couplingd
