// Trains one model of the demo's ladder. Arithmetic in fp32 on one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "demo/world.h"

namespace couplingd {

struct TrainOptions {
  Mix mix = Mix::kWeb;
  int width = 64;
  std::uint64_t seed = 0;  // of world, model and text
  int steps = 1200;
  std::vector<std::int64_t> save_at;  // steps
  std::string out;                    // directory of the run
};

// AdamW, warm-up and cosine decay, 64 sentences a step. `on_saved` is called after each checkpoint
// with the loss of its step.
Status Train(const TrainOptions& options,
             const std::function<void(std::int64_t step, double loss)>& on_saved);

}  // namespace couplingd
