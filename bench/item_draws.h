// Right or wrong, item by item and checkpoint by checkpoint: cheap enough for millions a second.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace couplingd::simulated {

inline double NormalShare(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }

// NormalShare by table: it is asked for every item at every checkpoint.
class ShareTable {
 public:
  ShareTable() {
    for (std::size_t i = 0; i < shares_.size(); ++i) {
      shares_[i] = static_cast<float>(NormalShare(static_cast<double>(i) / kPerUnit - kReach));
    }
  }
  float operator()(double z) const {
    const double place = std::clamp((z + kReach) * kPerUnit, 0.0, 2 * kReach * kPerUnit);
    return shares_[static_cast<std::size_t>(place)];
  }

 private:
  static constexpr double kReach = 6, kPerUnit = 512;
  std::array<float, static_cast<std::size_t>(2 * kReach * kPerUnit) + 1> shares_;
};

inline const ShareTable& Share() {
  static const ShareTable table;
  return table;
}

// SplitMix64: one draw per item and checkpoint has to be cheap.
class FastBits {
 public:
  explicit FastBits(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ull + 1) {}
  float Uniform() {
    state_ += 0x9e3779b97f4a7c15ull;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return static_cast<float>((z ^ (z >> 31)) >> 40) * 0x1p-24f;
  }

 private:
  std::uint64_t state_;
};

}  // namespace couplingd::simulated
