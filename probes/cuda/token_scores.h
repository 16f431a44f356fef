// The arithmetic of one row of logits, the same on host and device: a running maximum, the sum of
// exponentials relative to it (Milakov and Gimelshein, "Online normalizer calculation for softmax",
// 2018), and where the first maximum is. C++20, no project headers.
#pragma once

#include <cmath>
#include <cstdint>

#ifdef __CUDACC__
#define COUPLINGD_HOST_DEVICE __host__ __device__
#else
#define COUPLINGD_HOST_DEVICE
#endif

namespace couplingd {

struct RowSummary {
  float max = -INFINITY;
  float sum = 0;             // Σ exp(logit − max)
  std::int64_t argmax = -1;  // the lowest index of the maximum

  // NaN makes the sum NaN, which stays.
  COUPLINGD_HOST_DEVICE void Add(float logit, std::int64_t index) {
    if (logit > max) {
      sum = sum * expf(max - logit) + 1;
      max = logit;
      argmax = index;
    } else if (logit == max && logit != -INFINITY) {
      sum += 1;
      if (index < argmax) argmax = index;
    } else if (logit != -INFINITY) {
      sum += expf(logit - max);
    }
  }

  COUPLINGD_HOST_DEVICE void Merge(const RowSummary& other) {
    if (other.argmax < 0) {
      sum += other.sum;
      return;
    }
    if (argmax < 0 || other.max > max || (other.max == max && other.argmax < argmax)) {
      argmax = other.argmax;
    }
    const float both = fmaxf(max, other.max);
    const float here = max == -INFINITY ? sum : sum * expf(max - both);
    sum = here + other.sum * expf(other.max - both);
    max = both;
  }

  COUPLINGD_HOST_DEVICE float LogProbability(float logit) const { return logit - max - logf(sum); }
};

}  // namespace couplingd

#undef COUPLINGD_HOST_DEVICE
