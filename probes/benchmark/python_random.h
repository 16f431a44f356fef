// Python's random.Random, as far as lm-eval draws with it: the same seed gives the same numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace couplingd {

// A Mersenne Twister (MT19937), seeded as CPython seeds it with a whole number.
class PythonRandom {
 public:
  explicit PythonRandom(std::uint32_t seed);

  // randrange(n): a whole number from 0 to n − 1. REQUIRES: n >= 1.
  std::uint32_t Below(std::uint32_t n);

  // sample(range(n), k): k different numbers below n, in the order in which they were drawn.
  // REQUIRES: k <= n.
  std::vector<std::uint32_t> Sample(std::uint32_t n, std::uint32_t k);

  // shuffle(list), in place.
  template <typename T>
  void Shuffle(std::vector<T>& list) {
    for (std::size_t i = list.size(); i-- > 1;) {
      std::swap(list[i], list[Below(static_cast<std::uint32_t>(i + 1))]);
    }
  }

 private:
  std::mt19937 engine_;
};

}  // namespace couplingd
