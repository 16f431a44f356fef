// Random numbers from an explicit seed: the same on every machine.
#pragma once

#include <algorithm>
#include <boost/random/chi_squared_distribution.hpp>
#include <boost/random/normal_distribution.hpp>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace couplingd {

// Ready to draw uniform indices over [0, n), many from one 64-bit word: N. Brackett-Rozinsky,
// D. Lemire, "Batched ranged random integer generation", Softw. Pract. Exper. 55, 155 (2025).
class IndexRange {
 public:
  // 1 ≤ n ≤ 2^28.
  explicit IndexRange(std::uint32_t n) : n_(n) {
    while (n_ > 1 && per_word_ < 28 && product_ <= (std::uint64_t{1} << 56) / n_) {
      product_ *= n_;
      ++per_word_;
    }
    if (n_ == 1) per_word_ = 28;
    rejected_ = (0 - product_) % product_;
  }

 private:
  friend class Random;
  std::uint32_t n_;
  std::size_t per_word_ = 0;    // indices from one word
  std::uint64_t product_ = 1;   // n^per_word, at most 2^56
  std::uint64_t rejected_ = 0;  // 2^64 mod product: remainders below it would be drawn too often
};

// Not thread-safe; one per computation.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  double Normal() { return boost::random::normal_distribution<double>()(engine_); }
  double ChiSquared(double dof) {
    return boost::random::chi_squared_distribution<double>(dof)(engine_);
  }

  // Uniform over [0, 1), in steps of 2⁻⁵³.
  double Uniform() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }

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

  // Fills `out` with indices of `range`, without bias.
  void Indices(const IndexRange& range, std::span<std::uint32_t> out) {
    while (!out.empty()) {
      const std::size_t count = std::min(out.size(), range.per_word_);
      std::uint64_t rest = 0;
      do {
        rest = engine_();
        for (std::size_t k = 0; k < range.per_word_; ++k) {
          __extension__ using Wide = unsigned __int128;
          const Wide product = static_cast<Wide>(rest) * range.n_;
          if (k < count) out[k] = static_cast<std::uint32_t>(product >> 64);
          rest = static_cast<std::uint64_t>(product);
        }
      } while (rest < range.rejected_);
      out = out.subspan(count);
    }
  }

  template <typename Value>
  void Shuffle(std::vector<Value>& values) {
    for (std::size_t k = values.size(); k > 1; --k) std::swap(values[k - 1], values[Index(k)]);
  }

 private:
  std::mt19937_64 engine_;
  std::uint64_t bits_ = 0;
  bool has_half_ = false;
};

}  // namespace couplingd
