// Pearson's correlation between two scores over models.
#pragma once

#include <Eigen/Dense>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "coupling/statistics.h"

namespace couplingd {

// r alone; NaN where either side does not vary, or is empty. x and y are of one length.
double PearsonR(const Eigen::VectorXd& x, const Eigen::VectorXd& y);

struct Correlation {
  double r = 0;
  double p = 1;       // two-sided, of r = 0 for bivariate normal data; t with n − 2 degrees
  Interval interval;  // R. A. Fisher's z (1921): atanh r ± z/√(n − 3)
  int n = 0;
};
// Needs at least 3 points, and both sides to vary; fails otherwise. With 3 points the interval is
// [−1, 1].
Result<Correlation> PearsonCorrelation(const Eigen::VectorXd& x, const Eigen::VectorXd& y,
                                       double level = 0.95);

// Rows drawn with replacement, all rows of a cluster together. Not thread-safe.
class ClusterDraw {
 public:
  // One name per row; rows of one name are one cluster.
  explicit ClusterDraw(std::span<const std::string> clusters);
  // Every row a cluster of its own.
  explicit ClusterDraw(Eigen::Index rows);

  std::size_t Clusters() const { return members_.size(); }
  // The rows of one draw of as many clusters as there are; valid until the next draw.
  const std::vector<Eigen::Index>& Draw(Random& random);

 private:
  std::vector<std::vector<Eigen::Index>> members_;
  std::vector<Eigen::Index> drawn_;
};

// r of `replicates` draws; draws in which a side does not vary are left out.
std::vector<double> ResampleCorrelation(const Eigen::VectorXd& x, const Eigen::VectorXd& y,
                                        ClusterDraw draw, int replicates, std::uint64_t seed);

}  // namespace couplingd
