// How sure the terms of a sparse ODE are.
#pragma once

#include <Eigen/Dense>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "coupling/ode.h"

namespace couplingd {

// The rows of several runs of one recipe under one another: one law for all of them.
OdeRows StackOdeRows(const std::vector<OdeRows>& runs);

struct OdeEnsembleOptions {
  int degree = 1;
  int replicates = 500;  // at least 100
  double level = 0.95;
  std::uint64_t seed = 1;
};

struct OdeEnsemble {
  OdeFit fit;                 // to all rows, threshold by cross-validation
  Eigen::MatrixXd inclusion;  // terms × axes, share of the replicates that keep the term
  Eigen::MatrixXd low, high;  // terms × axes, central interval of its coefficient, 0 where dropped
  int replicates = 0;         // that could be fitted
};

// Ensemble-SINDy with bagging of rows (U. Fasel, J. N. Kutz, B. W. Brunton, S. L. Brunton,
// "Ensemble- SINDy: robust sparse model discovery in the low-data, high-noise limit", Proc. R. Soc.
// A 478, 20210904 (2022)): each replicate draws the intervals with replacement and refits at the
// threshold of all of them. `items` are the rows of item replicates of the scores, used in turn;
// empty where scores have no sampling error that is known. Draws with fewer distinct intervals than
// terms are left out. Refuses where there are no degrees of freedom.
Result<OdeEnsemble> FitOdeEnsemble(const OdeRows& rows, const std::vector<OdeRows>& items,
                                   const OdeEnsembleOptions& options);

// "1", "reasoning", "reasoning·truthfulness", … in the order of the coefficients.
std::vector<std::string> OdeTermNames(const std::vector<std::string>& axes, int degree);

}  // namespace couplingd
