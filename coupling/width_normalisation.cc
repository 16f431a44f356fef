#include "coupling/width_normalisation.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "coupling/correlation.h"

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::VectorXd;

constexpr double kReferenceWidth = 512;
// Equal sums in another order differ by rounding.
constexpr double kTie = 1e-12;

bool HasAtMostPermutations(Index items, int limit) {
  double count = 1;
  for (Index k = 2; k <= items; ++k) count *= static_cast<double>(k);
  return count <= limit;
}

}  // namespace

Result<WidthNormalisedCoupling> NormaliseByWidth(const VectorXd& reasoning,
                                                 const VectorXd& truthfulness,
                                                 const VectorXd& widths, int permutations,
                                                 std::uint64_t seed) {
  if (reasoning.size() < 3 || !(widths.array() > 0).all() || permutations < 1) {
    return Fail(ErrorKind::kInvalidData,
                "width normalisation needs at least 3 models with widths above 0");
  }
  const VectorXd scale = widths / kReferenceWidth;
  const VectorXd normalised = reasoning.cwiseQuotient(scale);
  const auto coupling = [&](const VectorXd& scores) {
    return PearsonR(normalised, scores.cwiseQuotient(scale));
  };
  WidthNormalisedCoupling result{.r_raw = PearsonR(reasoning, truthfulness),
                                 .r_normalised = coupling(truthfulness),
                                 .exact = HasAtMostPermutations(reasoning.size(), permutations)};
  if (std::isnan(result.r_raw) || std::isnan(result.r_normalised)) {
    return Fail(ErrorKind::kInvalidData, "width normalisation: a score does not vary");
  }
  std::vector<Index> order(reasoning.size());
  std::iota(order.begin(), order.end(), 0);
  Random random(seed);
  double sum = 0;
  int hits = 0;
  const auto count = [&] {
    const double r = coupling(truthfulness(order));
    sum += r;
    hits += r >= result.r_normalised - kTie;
    ++result.permutations;
  };
  if (result.exact) {
    do count();
    while (std::ranges::next_permutation(order).found);
    result.p = static_cast<double>(hits) / result.permutations;
  } else {
    while (result.permutations < permutations) {
      random.Shuffle(order);
      count();
    }
    result.p = (1.0 + hits) / (1.0 + result.permutations);
  }
  result.null_mean = sum / result.permutations;
  return result;
}

}  // namespace couplingd
