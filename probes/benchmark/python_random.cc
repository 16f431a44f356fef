#include "probes/benchmark/python_random.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <unordered_set>

namespace couplingd {
namespace {

constexpr std::size_t kShift = 397;
constexpr std::uint32_t kFirstSeed = 19650218;

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

}  // namespace

// The generator's own initialisation with a fixed number, stirred with the seed as a key of one
// word.
PythonRandom::PythonRandom(std::uint32_t seed) {
  const auto mixed = [](std::uint32_t previous) { return previous ^ (previous >> 30); };
  state_[0] = kFirstSeed;
  for (std::uint32_t i = 1; i < kWords; ++i) {
    state_[i] = 1812433253u * mixed(state_[i - 1]) + i;
  }
  std::size_t i = 1;
  const auto advance = [&] {
    if (++i < kWords) return;
    state_[0] = state_[kWords - 1];
    i = 1;
  };
  for (std::size_t round = 0; round < kWords; ++round) {
    state_[i] = (state_[i] ^ (mixed(state_[i - 1]) * 1664525u)) + seed;
    advance();
  }
  for (std::size_t round = 1; round < kWords; ++round) {
    state_[i] = (state_[i] ^ (mixed(state_[i - 1]) * 1566083941u)) - static_cast<std::uint32_t>(i);
    advance();
  }
  state_[0] = 0x80000000u;
}

void PythonRandom::Refill() {
  for (std::size_t i = 0; i < kWords; ++i) {
    const std::uint32_t joined =
        (state_[i] & 0x80000000u) | (state_[(i + 1) % kWords] & 0x7FFFFFFFu);
    state_[i] =
        state_[(i + kShift) % kWords] ^ (joined >> 1) ^ ((joined & 1u) != 0 ? 0x9908B0DFu : 0u);
  }
  position_ = 0;
}

std::uint32_t PythonRandom::Next() {
  if (position_ == kWords) Refill();
  std::uint32_t word = state_[position_++];
  word ^= word >> 11;
  word ^= (word << 7) & 0x9D2C5680u;
  word ^= (word << 15) & 0xEFC60000u;
  return word ^ (word >> 18);
}

std::uint32_t PythonRandom::Below(std::uint32_t n) {
  const int unused = 32 - std::bit_width(n);
  std::uint32_t drawn = n;
  while (drawn >= n) drawn = Next() >> unused;
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
