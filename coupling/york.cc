#include "coupling/york.h"

#include <cmath>
#include <limits>

namespace couplingd {
namespace {

// The quantities of one iteration at a given direction.
struct Pass {
  double mean_x = 0, mean_y = 0;
  double next_x = 0, next_y = 0;  // the next direction, not normalised
};

Direction UnitAlong(double x, double y) {
  const double length = std::hypot(x, y);
  return length > 0 ? Direction{x / length, y / length} : Direction{1, 0};
}

double Weight(const ErrorPoint& p, Direction d) {
  return 1 / (d.cosine * d.cosine * p.variance_y + d.sine * d.sine * p.variance_x -
              2 * d.sine * d.cosine * p.covariance);
}

// Position of the adjusted point along the line, from the weighted centroid (β of the paper over
// the direction's cosine).
double Along(const ErrorPoint& p, Direction d, double weight, double u, double v) {
  return weight * (d.cosine * u * p.variance_y + d.sine * v * p.variance_x -
                   (d.sine * u + d.cosine * v) * p.covariance);
}

Pass RunPass(std::span<const ErrorPoint> points, Direction d) {
  Pass pass;
  double total = 0;
  for (const ErrorPoint& p : points) {
    const double weight = Weight(p, d);
    total += weight;
    pass.mean_x += weight * p.x;
    pass.mean_y += weight * p.y;
  }
  pass.mean_x /= total;
  pass.mean_y /= total;
  for (const ErrorPoint& p : points) {
    const double weight = Weight(p, d);
    const double u = p.x - pass.mean_x, v = p.y - pass.mean_y;
    const double along = Along(p, d, weight, u, v);
    pass.next_x += weight * along * u;
    pass.next_y += weight * along * v;
  }
  return pass;
}

struct Settled {
  Direction direction;
  bool converged = false;
};

Settled Iterate(std::span<const ErrorPoint> points, Direction d, int iterations, double tolerance) {
  for (int i = 0; i < iterations; ++i) {
    const Pass pass = RunPass(points, d);
    const double length = std::hypot(pass.next_x, pass.next_y);
    if (!(length > 0) || !std::isfinite(length)) return {d, false};
    const Direction next{pass.next_x / length, pass.next_y / length};
    const double turned = std::abs(next.sine * d.cosine - next.cosine * d.sine);
    d = next;
    if (turned < tolerance) return {d, true};
  }
  return {d, false};
}

YorkFit Describe(std::span<const ErrorPoint> points, Direction d) {
  if (d.cosine < 0) d = {-d.cosine, -d.sine};
  const Pass pass = RunPass(points, d);
  YorkFit fit{.direction = d, .dof = static_cast<int>(points.size()) - 2};
  const bool vertical = d.cosine < 1e-12;
  fit.slope = vertical ? std::numeric_limits<double>::infinity() : d.sine / d.cosine;
  fit.intercept =
      vertical ? std::numeric_limits<double>::quiet_NaN() : pass.mean_y - fit.slope * pass.mean_x;
  double total = 0, mean_adjusted = 0;
  std::vector<double> adjusted, weights;
  for (const ErrorPoint& p : points) {
    const double weight = Weight(p, d);
    const double u = p.x - pass.mean_x, v = p.y - pass.mean_y;
    const double distance = d.cosine * v - d.sine * u;
    fit.standardized.push_back(distance * std::sqrt(weight));
    fit.chi_squared += distance * distance * weight;
    adjusted.push_back(pass.mean_x + d.cosine * Along(p, d, weight, u, v));
    weights.push_back(d.cosine * d.cosine * weight);  // W of the paper
    total += weights.back();
    mean_adjusted += weights.back() * adjusted.back();
  }
  mean_adjusted /= total;
  double spread = 0;
  for (std::size_t i = 0; i < adjusted.size(); ++i) {
    spread += weights[i] * (adjusted[i] - mean_adjusted) * (adjusted[i] - mean_adjusted);
  }
  fit.slope_stderr = std::sqrt(1 / spread);
  fit.intercept_stderr = std::sqrt(1 / total + mean_adjusted * mean_adjusted / spread);
  return fit;
}

}  // namespace

Direction DemingDirection(std::span<const ErrorPoint> points) {
  double mean_x = 0, mean_y = 0, error_x = 0, error_y = 0;
  for (const ErrorPoint& p : points) {
    mean_x += p.x;
    mean_y += p.y;
    error_x += p.variance_x;
    error_y += p.variance_y;
  }
  const auto n = static_cast<double>(points.size());
  mean_x /= n;
  mean_y /= n;
  double xx = 0, xy = 0, yy = 0;
  for (const ErrorPoint& p : points) {
    xx += (p.x - mean_x) * (p.x - mean_x);
    xy += (p.x - mean_x) * (p.y - mean_y);
    yy += (p.y - mean_y) * (p.y - mean_y);
  }
  if (error_x <= 0) return UnitAlong(xx, xy);
  if (error_y <= 0) return UnitAlong(xy, yy);
  const double scale = std::sqrt(error_y / error_x);  // y is divided by it
  const double angle = 0.5 * std::atan2(2 * xy / scale, xx - yy / (scale * scale));
  return UnitAlong(std::cos(angle), std::sin(angle) * scale);
}

Direction YorkDirection(std::span<const ErrorPoint> points, Direction start, int iterations,
                        double tolerance) {
  return Iterate(points, start, iterations, tolerance).direction;
}

Result<YorkFit> FitYork(std::span<const ErrorPoint> points) {
  if (points.size() < 2) {
    return Fail(ErrorKind::kInvalidData, "a line with errors in both axes needs at least 2 points");
  }
  bool moved = false;
  for (const ErrorPoint& p : points) {
    const double determinant = p.variance_x * p.variance_y - p.covariance * p.covariance;
    if (!(p.variance_x >= 0 && p.variance_y >= 0 && p.variance_x + p.variance_y > 0 &&
          determinant >= -1e-12 * p.variance_x * p.variance_y)) {
      return Fail(ErrorKind::kInvalidData, "a point of the line has no valid error covariance");
    }
    moved |= p.x != points[0].x || p.y != points[0].y;
  }
  if (!moved) return Fail(ErrorKind::kInvalidData, "all points of the line coincide");
  const Settled settled = Iterate(points, DemingDirection(points), 20000, 1e-14);
  if (!settled.converged) {
    return Fail(ErrorKind::kInvalidData, "the line with errors in both axes does not settle",
                "the points lie no more along one direction than along another");
  }
  return Describe(points, settled.direction);
}

}  // namespace couplingd
