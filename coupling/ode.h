// A sparse polynomial ODE for scores over log10 N (or log10 tokens).
#pragma once

#include <Eigen/Dense>
#include <optional>

#include "base/result.h"

namespace couplingd {

// dB/dx = coefficientsᵀ · terms(B). Terms: 1, B_i, and for degree 2 also B_j·B_k with j ≤ k, in the
// order of pysindy's PolynomialLibrary.
struct OdeModel {
  int degree = 1;
  Eigen::MatrixXd coefficients;  // terms × axes
  Eigen::VectorXd Derivative(const Eigen::VectorXd& state) const;
};

// 1 + d for degree 1; 1 + d + d(d+1)/2 for degree 2.
Eigen::Index OdeTerms(Eigen::Index axes, int degree);
// One row per row of `states` (rows × axes).
Eigen::MatrixXd OdeLibrary(const Eigen::MatrixXd& states, int degree);

// The rows of the regression: one per interval between neighbouring places, the mean state against
// the difference quotient.
struct OdeRows {
  Eigen::MatrixXd states;       // K − 1 × axes
  Eigen::MatrixXd derivatives;  // K − 1 × axes
};
OdeRows MakeOdeRows(const Eigen::VectorXd& x, const Eigen::MatrixXd& scores);

struct OdeFit {
  OdeModel model;
  double threshold = 0;       // below which coefficients were dropped
  Eigen::MatrixXd residuals;  // of the derivatives, rows × axes
};

// Sparse fit (stlsq.h) whose threshold is the one with the least leave-one-interval-out error, the
// sparser on ties. Refuses unless there are more intervals than terms: no degrees of freedom.
Result<OdeFit> FitOde(const Eigen::VectorXd& x, const Eigen::MatrixXd& scores, int degree);
// The same from intervals that are made already, of one trajectory or of several.
Result<OdeFit> FitOdeRows(const OdeRows& rows, int degree);
// The same with a given threshold.
Result<OdeFit> FitOdeAtThreshold(const OdeRows& rows, int degree, double threshold);

// States at rising `at` (the first may equal `from`), Dormand-Prince 5(4) with dense output.
// Fails where the trajectory leaves |B| ≤ `bound`.
Result<Eigen::MatrixXd> IntegrateOde(const OdeModel& model, double from,
                                     const Eigen::VectorXd& start, const Eigen::VectorXd& at,
                                     double bound = 1e3);

// First place in (from, to) where (dB_second/dx)/(dB_first/dx) changes sign along the trajectory
// that starts at `from`; absent if it does not, or if the trajectory leaves |B| ≤ bound first.
std::optional<double> FirstSignChange(const OdeModel& model, double from,
                                      const Eigen::VectorXd& start, double to,
                                      Eigen::Index first_axis, Eigen::Index second_axis,
                                      double bound = 10);

}  // namespace couplingd
