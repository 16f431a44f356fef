#include "base/quantiles.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

namespace couplingd {

namespace {

// Order statistics of many values, each narrowed down by a sorted sample of them, so that most
// values are passed over without a branch: R. W. Floyd, R. L. Rivest, "Expected time bounds for
// selection", Commun. ACM 18, 165 (1975).
class SampledSelection {
 public:
  static constexpr std::size_t kLeast = 4096;  // values from which it pays

  explicit SampledSelection(const std::vector<double>& values)
      : values_(values), kept_(values.size()) {
    const std::size_t step = values.size() / kSample;
    for (std::size_t k = 0; k < kSample; ++k) sample_[k] = values[k * step];
    std::ranges::sort(sample_);
  }

  // The values of ranks `rank` and `rank` + 1; absent where the sample misled.
  std::optional<std::array<double, 2>> At(std::size_t rank) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    const std::size_t place = rank * kSample / values_.size();
    const double low = place < kMargin ? -kInfinity : sample_[place - kMargin];
    const double high = place + kMargin >= kSample ? kInfinity : sample_[place + kMargin];
    std::size_t below = 0, kept = 0;
    for (const double value : values_) {
      below += value < low;
      kept_[kept] = value;
      kept += static_cast<std::size_t>(value >= low) & static_cast<std::size_t>(value <= high);
    }
    if (rank < below || rank + 1 >= below + kept) return std::nullopt;
    const auto at = kept_.begin() + static_cast<std::ptrdiff_t>(rank - below);
    const auto last = kept_.begin() + static_cast<std::ptrdiff_t>(kept);
    std::nth_element(kept_.begin(), at, last);
    return std::array{*at, *std::min_element(at + 1, last)};
  }

 private:
  static constexpr std::size_t kSample = 256;
  static constexpr std::size_t kMargin = 24;  // three standard deviations of a median's rank

  const std::vector<double>& values_;
  std::vector<double> kept_;
  std::array<double, kSample> sample_;
};

std::array<double, 2> OrderStatistics(std::vector<double>& values, std::size_t rank) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(values.begin(), at, values.end());
  return {*at, at + 1 == values.end() ? *at : *std::min_element(at + 1, values.end())};
}

}  // namespace

double Quantile(std::vector<double> values, double p) {
  return Quantiles(std::move(values), {p})[0];
}

std::vector<double> Quantiles(std::vector<double> values, const std::vector<double>& p) {
  std::optional<SampledSelection> sampled;
  if (values.size() >= SampledSelection::kLeast) sampled.emplace(values);
  std::vector<double> quantiles;
  for (const double share : p) {
    const double place = share * static_cast<double>(values.size() - 1);
    const auto rank = static_cast<std::size_t>(std::floor(place));
    const auto found = sampled ? sampled->At(rank) : std::nullopt;
    const auto [low, high] = found ? *found : OrderStatistics(values, rank);
    const double beyond = place - static_cast<double>(rank);
    quantiles.push_back(beyond == 0 || low == high ? low : low + beyond * (high - low));
  }
  return quantiles;
}

Interval CentralInterval(std::vector<double> values, double level) {
  const double tail = (1 - level) / 2;
  const std::vector<double> ends = Quantiles(std::move(values), {tail, 1 - tail});
  return {ends[0], ends[1]};
}

}  // namespace couplingd
