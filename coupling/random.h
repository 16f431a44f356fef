// Random numbers from an explicit seed: the same on every machine.
#pragma once

#include <boost/random/chi_squared_distribution.hpp>
#include <boost/random/normal_distribution.hpp>
#include <cstddef>
#include <cstdint>
#include <random>

namespace couplingd {

// Not thread-safe; one per computation.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  double Normal() { return boost::random::normal_distribution<double>()(engine_); }
  double ChiSquared(double dof) {
    return boost::random::chi_squared_distribution<double>(dof)(engine_);
  }

  // Uniform over [0, n), n < 2^32. Multiply-shift (Lemire 2019); its bias is below n/2^32.
  std::size_t Index(std::size_t n) {
    if (!has_half_) {
      bits_ = engine_();
      has_half_ = true;
      return ((bits_ & 0xffffffffu) * n) >> 32;
    }
    has_half_ = false;
    return ((bits_ >> 32) * n) >> 32;
  }

 private:
  std::mt19937_64 engine_;
  std::uint64_t bits_ = 0;
  bool has_half_ = false;
};

}  // namespace couplingd
