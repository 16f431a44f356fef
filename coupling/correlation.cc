#include "coupling/correlation.h"

#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <map>
#include <numeric>

namespace couplingd {

using Eigen::Index;
using Eigen::VectorXd;

double PearsonR(const VectorXd& x, const VectorXd& y) {
  if (x.size() == 0) return std::numeric_limits<double>::quiet_NaN();
  const VectorXd u = x.array() - x.mean(), v = y.array() - y.mean();
  const double norm = u.norm() * v.norm();
  return norm > 0 ? std::clamp(u.dot(v) / norm, -1.0, 1.0)
                  : std::numeric_limits<double>::quiet_NaN();
}

Result<Correlation> PearsonCorrelation(const VectorXd& x, const VectorXd& y, double level) {
  const double r = PearsonR(x, y);
  if (x.size() < 3 || std::isnan(r)) {
    return Fail(ErrorKind::kInvalidData,
                "a correlation needs at least 3 points, and both sides to vary");
  }
  const auto n = static_cast<double>(x.size());
  Correlation correlation{.r = r, .p = 0, .interval = {r, r}, .n = static_cast<int>(x.size())};
  if (std::abs(r) == 1) return correlation;
  const double t = std::abs(r) * std::sqrt((n - 2) / (1 - r * r));
  correlation.p = 2 * boost::math::cdf(complement(boost::math::students_t(n - 2), t));
  const double half =
      n > 3 ? NormalCritical(level) / std::sqrt(n - 3) : std::numeric_limits<double>::infinity();
  correlation.interval = {std::tanh(std::atanh(r) - half), std::tanh(std::atanh(r) + half)};
  return correlation;
}

ClusterDraw::ClusterDraw(std::span<const std::string> clusters) {
  std::map<std::string_view, std::size_t> places;
  for (std::size_t row = 0; row < clusters.size(); ++row) {
    const auto [place, is_new] = places.emplace(clusters[row], members_.size());
    if (is_new) members_.emplace_back();
    members_[place->second].push_back(static_cast<Index>(row));
  }
}

ClusterDraw::ClusterDraw(Index rows) {
  for (Index row = 0; row < rows; ++row) members_.push_back({row});
}

const std::vector<Index>& ClusterDraw::Draw(Random& random) {
  drawn_.clear();
  for (std::size_t k = 0; k < members_.size(); ++k) {
    const auto& members = members_[random.Index(members_.size())];
    drawn_.insert(drawn_.end(), members.begin(), members.end());
  }
  return drawn_;
}

std::vector<double> ResampleCorrelation(const VectorXd& x, const VectorXd& y, ClusterDraw draw,
                                        int replicates, std::uint64_t seed) {
  Random random(seed);
  std::vector<double> drawn;
  for (int b = 0; b < replicates; ++b) {
    const auto& rows = draw.Draw(random);
    const double r = PearsonR(x(rows), y(rows));
    if (std::isfinite(r)) drawn.push_back(r);
  }
  return drawn;
}

}  // namespace couplingd
