#include "probes/benchmark/python_random.h"

#include <bit>
#include <numeric>
#include <span>
#include <unordered_set>

namespace couplingd {
namespace {

// sample() keeps a list of what is left up to this size, and a set of what was taken beyond it.
std::uint64_t LargestPool(std::uint32_t k) {
  std::uint64_t size = 21;
  if (k > 5) {
    std::uint64_t table = 1;
    while (table < std::uint64_t{3} * k) table *= 4;
    size += table;
  }
  return size;
}

// A seed sequence whose words are the state that the generator's authors give to a key of one word
// (init_by_array in their mt19937ar.c), as CPython does.
class KeyOfOneWord {
 public:
  using result_type = std::uint32_t;
  explicit KeyOfOneWord(std::uint32_t key) : key_(key) {}

  template <typename Iterator>
  void generate(Iterator begin, Iterator end) const {
    const std::span<std::uint32_t> state(begin, end);
    constexpr std::uint32_t kFirstSeed = 19650218;
    const auto mixed = [](std::uint32_t previous) { return previous ^ (previous >> 30); };
    state[0] = kFirstSeed;
    for (std::uint32_t i = 1; i < state.size(); ++i) {
      state[i] = 1812433253u * mixed(state[i - 1]) + i;
    }
    std::size_t i = 1;
    const auto advance = [&] {
      if (++i < state.size()) return;
      state[0] = state.back();
      i = 1;
    };
    for (std::size_t round = 0; round < state.size(); ++round) {
      state[i] = (state[i] ^ (mixed(state[i - 1]) * 1664525u)) + key_;
      advance();
    }
    for (std::size_t round = 1; round < state.size(); ++round) {
      state[i] = (state[i] ^ (mixed(state[i - 1]) * 1566083941u)) - static_cast<std::uint32_t>(i);
      advance();
    }
    state[0] = 0x80000000u;
  }

 private:
  std::uint32_t key_;
};

std::mt19937 EngineOf(std::uint32_t seed) {
  KeyOfOneWord key(seed);
  return std::mt19937(key);
}

}  // namespace

PythonRandom::PythonRandom(std::uint32_t seed) : engine_(EngineOf(seed)) {}

std::uint32_t PythonRandom::Below(std::uint32_t n) {
  const int unused = 32 - std::bit_width(n);
  std::uint32_t drawn = n;
  while (drawn >= n) drawn = static_cast<std::uint32_t>(engine_() >> unused);
  return drawn;
}

std::vector<std::uint32_t> PythonRandom::Sample(std::uint32_t n, std::uint32_t k) {
  std::vector<std::uint32_t> drawn;
  if (n <= LargestPool(k)) {
    std::vector<std::uint32_t> left(n);
    std::iota(left.begin(), left.end(), 0u);
    for (; drawn.size() < k; left.pop_back()) {
      std::uint32_t& taken = left[Below(static_cast<std::uint32_t>(left.size()))];
      drawn.push_back(taken);
      taken = left.back();
    }
    return drawn;
  }
  std::unordered_set<std::uint32_t> taken;
  while (drawn.size() < k) {
    const std::uint32_t number = Below(n);
    if (taken.insert(number).second) drawn.push_back(number);
  }
  return drawn;
}

}  // namespace couplingd
