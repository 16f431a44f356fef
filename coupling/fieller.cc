#include "coupling/fieller.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace couplingd {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Status Check(const RatioEstimate& e, double critical) {
  const double most = std::sqrt(e.variance_numerator * e.variance_denominator);
  if (std::isfinite(e.numerator) && std::isfinite(e.denominator) && std::isfinite(critical) &&
      critical > 0 && e.variance_numerator >= 0 && e.variance_denominator >= 0 &&
      std::isfinite(most) && std::abs(e.covariance) <= most * (1 + 1e-9)) {
    return {};
  }
  return Fail(
      ErrorKind::kInvalidData,
      fmt::format("no ratio of {} and {} with variances {} and {} and covariance {}", e.numerator,
                  e.denominator, e.variance_numerator, e.variance_denominator, e.covariance));
}

}  // namespace

bool FiellerSet::Holds(double ratio) const {
  if (shape == FiellerShape::kEverything) return true;
  const bool between = low <= ratio && ratio <= high;
  return shape == FiellerShape::kInterval ? between : ratio <= low || ratio >= high;
}

Result<FiellerSet> FiellerInterval(const RatioEstimate& estimate, double critical) {
  TRY(Check(estimate, critical));
  // The set is a·ρ² − 2·b·ρ + c ≤ 0.
  const double square = critical * critical;
  const double a =
      estimate.denominator * estimate.denominator - square * estimate.variance_denominator;
  const double b = estimate.numerator * estimate.denominator - square * estimate.covariance;
  const double c = estimate.numerator * estimate.numerator - square * estimate.variance_numerator;
  const FiellerSet everything{FiellerShape::kEverything, -kInfinity, kInfinity};
  if (a == 0) {
    if (b == 0) return everything;
    const double end = c / (2 * b);
    return b > 0 ? FiellerSet{FiellerShape::kComplement, -kInfinity, end}
                 : FiellerSet{FiellerShape::kComplement, end, kInfinity};
  }
  const double discriminant = b * b - a * c;
  if (a < 0 && discriminant <= 0) return everything;
  // Without cancellation: the root of larger size first, the other from the product of both.
  const double root = std::sqrt(std::max(discriminant, 0.0));
  const double larger = b + std::copysign(root, b);
  const double first = larger / a, second = larger == 0 ? first : c / larger;
  return FiellerSet{a > 0 ? FiellerShape::kInterval : FiellerShape::kComplement,
                    std::min(first, second), std::max(first, second)};
}

}  // namespace couplingd
