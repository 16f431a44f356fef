#include "coupling/ode_panel.h"

#include <fmt/format.h>

#include <algorithm>

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

// What the likelihood needs of a group: X'X, X'y, y'y and the number of rows, for one axis.
struct Moments {
  MatrixXd xx;
  VectorXd xy;
  double yy = 0;
  Index rows = 0;
};

struct MixedFit {
  VectorXd mean;                 // β
  std::vector<VectorXd> shifts;  // b_g
  VectorXd between;              // τ²
  double noise = 0;              // σ²
};

VectorXd PooledLeastSquares(const std::vector<Moments>& groups) {
  MatrixXd xx = MatrixXd::Zero(groups[0].xx.rows(), groups[0].xx.cols());
  VectorXd xy = VectorXd::Zero(xx.rows());
  for (const Moments& group : groups) {
    xx += group.xx;
    xy += group.xy;
  }
  return xx.completeOrthogonalDecomposition().solve(xy);
}

double Residual(const Moments& group, const VectorXd& coefficients) {
  return std::max(
      0.0, group.yy - 2 * coefficients.dot(group.xy) + coefficients.dot(group.xx * coefficients));
}

MixedFit StartFit(const std::vector<Moments>& groups) {
  MixedFit fit{.mean = PooledLeastSquares(groups)};
  double squares = 0;
  Index rows = 0;
  for (const Moments& group : groups) {
    squares += Residual(group, fit.mean);
    rows += group.rows;
  }
  fit.noise = std::max(squares / static_cast<double>(rows), 1e-12);
  fit.between = VectorXd::Constant(fit.mean.size(), fit.noise / 4);
  fit.shifts.assign(groups.size(), VectorXd::Zero(fit.mean.size()));
  return fit;
}

// Covariance of b_g given the data of its group.
MatrixXd ShiftCovariance(const Moments& group, const MixedFit& fit) {
  MatrixXd precision = group.xx / fit.noise;
  precision.diagonal() += fit.between.cwiseInverse();
  return precision.ldlt().solve(MatrixXd::Identity(precision.rows(), precision.cols()));
}

// β by generalised least squares at the current variances: X'V⁻¹ = X'/σ² − X'X·C·X'/σ⁴.
VectorXd GeneralisedMean(const std::vector<Moments>& groups, const MixedFit& fit,
                         const std::vector<MatrixXd>& covariances) {
  const Index terms = fit.mean.size();
  MatrixXd system = MatrixXd::Zero(terms, terms);
  VectorXd wanted = VectorXd::Zero(terms);
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const MatrixXd weight =
        MatrixXd::Identity(terms, terms) - groups[g].xx * covariances[g] / fit.noise;
    system += weight * groups[g].xx;
    wanted += weight * groups[g].xy;
  }
  return system.completeOrthogonalDecomposition().solve(wanted);
}

MixedFit FitMixed(const std::vector<Moments>& groups) {
  constexpr int kIterations = 60;
  MixedFit fit = StartFit(groups);
  std::vector<MatrixXd> covariances(groups.size());
  for (int iteration = 0; iteration < kIterations; ++iteration) {
    for (std::size_t g = 0; g < groups.size(); ++g)
      covariances[g] = ShiftCovariance(groups[g], fit);
    fit.mean = GeneralisedMean(groups, fit, covariances);
    VectorXd between = VectorXd::Zero(fit.mean.size());
    double squares = 0;
    Index rows = 0, used = 0;
    for (std::size_t g = 0; g < groups.size(); ++g) {
      const Moments& group = groups[g];
      fit.shifts[g] = covariances[g] * (group.xy - group.xx * fit.mean) / fit.noise;
      if (group.rows == 0) continue;
      between += fit.shifts[g].cwiseAbs2() + covariances[g].diagonal();
      squares += Residual(group, fit.mean + fit.shifts[g]) + (group.xx * covariances[g]).trace();
      rows += group.rows;
      ++used;
    }
    fit.between = (between / static_cast<double>(used)).cwiseMax(1e-10);
    fit.noise = std::max(squares / static_cast<double>(rows), 1e-12);
  }
  return fit;
}

// Coefficients over states from those over deviations from the centre.
VectorXd AtOrigin(const VectorXd& coefficients, const VectorXd& centre) {
  VectorXd moved = coefficients;
  moved[0] -= coefficients.tail(centre.size()).dot(centre);
  return moved;
}

}  // namespace

Result<PanelOde> FitPanelOde(const std::vector<OdeGroup>& groups) {
  const Index axes = groups.empty() ? 0 : groups[0].scores.cols();
  const Index terms = OdeTerms(axes, 1);
  std::vector<OdeRows> rows;
  PanelOde panel;
  panel.centre = panel.noise = VectorXd::Zero(axes);
  for (const OdeGroup& group : groups) {
    rows.push_back(MakeOdeRows(group.positions, group.scores));
    panel.rows += static_cast<int>(rows.back().states.rows());
    panel.centre += rows.back().states.colwise().sum().transpose();
  }
  if (panel.rows <= terms) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{} intervals of all families together for {} coefficients per "
                            "equation leave no degrees of freedom",
                            panel.rows, terms));
  }
  panel.centre /= panel.rows;
  panel.pooled.coefficients = MatrixXd::Zero(terms, axes);
  panel.models.assign(groups.size(), panel.pooled);
  panel.between = MatrixXd::Zero(terms, axes);
  for (Index axis = 0; axis < axes; ++axis) {
    std::vector<Moments> moments;
    for (const OdeRows& of : rows) {
      const MatrixXd library = OdeLibrary(of.states.rowwise() - panel.centre.transpose(), 1);
      const VectorXd rate = of.derivatives.col(axis);
      moments.push_back({library.transpose() * library, library.transpose() * rate,
                         rate.squaredNorm(), rate.size()});
    }
    const MixedFit fit = FitMixed(moments);
    panel.pooled.coefficients.col(axis) = AtOrigin(fit.mean, panel.centre);
    panel.between.col(axis) = fit.between;
    panel.noise[axis] = fit.noise;
    for (std::size_t g = 0; g < groups.size(); ++g) {
      panel.models[g].coefficients.col(axis) = AtOrigin(fit.mean + fit.shifts[g], panel.centre);
    }
  }
  return panel;
}

}  // namespace couplingd
