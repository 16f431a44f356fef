// Random numbers from an explicit seed, and percentiles of what was drawn.
#pragma once

#include <boost/random/normal_distribution.hpp>
#include <boost/random/uniform_int_distribution.hpp>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace couplingd {

// The same on every machine. Not thread-safe.
class Draws {
 public:
  explicit Draws(std::uint64_t seed) : engine_(seed) {}
  double Normal() { return normal_(engine_); }
  // Uniform over [0, n).
  std::size_t Index(std::size_t n) {
    return boost::random::uniform_int_distribution<std::size_t>(0, n - 1)(engine_);
  }
  // Uniform over [0, 1), in steps of 2⁻⁵³.
  double Uniform() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }

 private:
  std::mt19937_64 engine_;
  boost::random::normal_distribution<double> normal_;
};

struct PercentileRange {
  double low = 0;
  double high = 0;
};

// The equal-tailed range that holds `level` of the values, linear between order statistics as
// numpy.quantile. `values` is not empty and holds no NaN.
PercentileRange CentralRange(std::vector<double> values, double level);

}  // namespace couplingd
