#include "coupling/audit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/random.h"
#include "coupling/statistics.h"

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::VectorXd;

constexpr Index kMostForExact = 7;  // places: 5,040 labellings
// Labellings that give the same r but for rounding are equal.
constexpr double kRounding = 1e-12;

double Correlation(const VectorXd& centred_a, const VectorXd& centred_b) {
  return centred_a.dot(centred_b) / (centred_a.norm() * centred_b.norm());
}

PermutationNull Relabel(const VectorXd& a, const VectorXd& b, int draws, std::uint64_t seed) {
  const VectorXd x = a.array() - a.mean();
  VectorXd y = b.array() - b.mean();
  PermutationNull null{.observed = Correlation(x, y), .is_exact = y.size() <= kMostForExact};
  std::vector<double> relabelled;
  if (null.is_exact) {
    std::vector<Index> order(static_cast<std::size_t>(y.size()));
    std::iota(order.begin(), order.end(), Index{0});
    do {
      relabelled.push_back(Correlation(x, y(order)));
    } while (std::ranges::next_permutation(order).found);
  } else {
    Random random(seed);
    relabelled.push_back(null.observed);
    for (int draw = 0; draw < draws; ++draw) {
      for (Index i = y.size() - 1; i > 0; --i) {
        std::swap(y[i], y[static_cast<Index>(random.Index(static_cast<std::size_t>(i) + 1))]);
      }
      relabelled.push_back(Correlation(x, y));
    }
  }
  const auto as_large = std::ranges::count_if(
      relabelled, [&](double r) { return std::abs(r) >= std::abs(null.observed) - kRounding; });
  null.labellings = static_cast<int>(relabelled.size());
  null.p = static_cast<double>(as_large) / static_cast<double>(relabelled.size());
  const Interval interval = CentralInterval(std::move(relabelled), 0.95);
  null.null_low = interval.low;
  null.null_high = interval.high;
  return null;
}

Status CheckPlaces(const VectorXd& reasoning, const VectorXd& truthfulness, Index least) {
  if (reasoning.size() < least) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{} places; {} are needed to relabel", reasoning.size(), least));
  }
  const auto is_constant = [](const VectorXd& v) { return (v.array() == v[0]).all(); };
  if (is_constant(reasoning) || is_constant(truthfulness)) {
    return Fail(ErrorKind::kInvalidData, "an axis has the same score everywhere");
  }
  return {};
}

VectorXd Changes(const VectorXd& scores) {
  return scores.tail(scores.size() - 1) - scores.head(scores.size() - 1);
}

}  // namespace

Result<PermutationNull> RelabelTruthfulness(const VectorXd& reasoning, const VectorXd& truthfulness,
                                            int draws, std::uint64_t seed) {
  TRY(CheckPlaces(reasoning, truthfulness, 3));
  return Relabel(reasoning, truthfulness, draws, seed);
}

Result<PermutationNull> RelabelChanges(const VectorXd& reasoning, const VectorXd& truthfulness,
                                       int draws, std::uint64_t seed) {
  TRY(CheckPlaces(reasoning, truthfulness, 4));
  const VectorXd changes_r = Changes(reasoning), changes_t = Changes(truthfulness);
  TRY(CheckPlaces(changes_r, changes_t, 3));
  return Relabel(changes_r, changes_t, draws, seed);
}

Result<std::vector<WithoutPlace>> DropEachSize(const AxisSeries& series,
                                               const CouplingOptions& options) {
  const std::vector<AxisObservation> sizes = TRY(SizesInOrder(series));
  if (static_cast<int>(sizes.size()) <= options.least_sizes) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{} sizes; {} are needed to leave one out",
                                                     sizes.size(), options.least_sizes + 1));
  }
  std::vector<WithoutPlace> without;
  for (std::size_t dropped = 0; dropped < sizes.size(); ++dropped) {
    AxisSeries rest = series;
    rest.observations = sizes;
    rest.observations.erase(rest.observations.begin() + static_cast<std::ptrdiff_t>(dropped));
    const CouplingEstimate estimate = TRY(CouplingOverScale(rest, options)).population.estimate;
    without.push_back({*sizes[dropped].parameters, estimate.gamma, estimate.phase});
  }
  return without;
}

Result<std::vector<WithoutPlace>> DropEachCheckpoint(const AxisSeries& series,
                                                     const CouplingOptions& options) {
  AxisSeries window = series;
  window.observations = TRY(TrainedInOrder(series));
  const CouplingEstimate whole = TRY(CouplingOverSteps(window, options)).estimate;
  const auto places = static_cast<std::size_t>(whole.n);
  if (!whole.gamma || places > window.observations.size() ||
      static_cast<int>(places) <= options.least_checkpoints) {
    return Fail(ErrorKind::kInvalidData,
                whole.gamma ? fmt::format("{} checkpoints; {} are needed to leave one out", places,
                                          options.least_checkpoints + 1)
                            : whole.reason);
  }
  window.observations.erase(window.observations.begin(), window.observations.end() - whole.n);
  CouplingOptions fewer = options;
  fewer.least_decades = 0;
  fewer.window = whole.n;
  std::vector<WithoutPlace> without;
  for (std::size_t dropped = 0; dropped < places; ++dropped) {
    AxisSeries rest = window;
    rest.observations.erase(rest.observations.begin() + static_cast<std::ptrdiff_t>(dropped));
    const CouplingEstimate estimate = TRY(CouplingOverSteps(rest, fewer)).estimate;
    without.push_back({window.observations[dropped].step, estimate.gamma, estimate.phase});
  }
  return without;
}

}  // namespace couplingd
