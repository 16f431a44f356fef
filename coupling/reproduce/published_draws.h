// The random indices of the published bootstraps.
#pragma once

#include <bit>
#include <cstdint>
#include <random>
#include <vector>

namespace couplingd {

// numpy.random.RandomState(seed).randint(0, n): words of the Mersenne Twister, the bits that n − 1
// needs, drawn again where they exceed it.
class PublishedDraws {
 public:
  explicit PublishedDraws(std::uint32_t seed) : engine_(seed) {}

  // `count` indices below n ≥ 1.
  std::vector<std::uint32_t> Rows(std::uint32_t n, std::size_t count) {
    const auto mask = static_cast<std::uint32_t>(std::bit_ceil(std::uint64_t{n}) - 1);
    std::vector<std::uint32_t> rows(count);
    for (std::uint32_t& row : rows) {
      do {
        row = static_cast<std::uint32_t>(engine_()) & mask;
      } while (row >= n);
    }
    return rows;
  }

 private:
  std::mt19937 engine_;
};

}  // namespace couplingd
