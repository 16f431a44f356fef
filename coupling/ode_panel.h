// A linear ODE over many families at once, with partial pooling.
#pragma once

#include <Eigen/Dense>
#include <string>
#include <vector>

#include "base/result.h"
#include "coupling/ode.h"

namespace couplingd {

// One family over its sizes, or one run of a ladder over its checkpoints.
struct OdeGroup {
  std::string name;
  Eigen::VectorXd positions;  // log10 parameters or tokens, strictly rising; one place gives no row
  Eigen::MatrixXd scores;     // places × axes, the same axes in every group
};

struct PanelOde {
  OdeModel pooled;               // the mean over families
  std::vector<OdeModel> models;  // per group: pooled + the group's shrunken deviation
  Eigen::MatrixXd between;       // variance of each coefficient between groups; terms × axes, the
                                 // constant being the rate at `centre`
  Eigen::VectorXd centre;        // mean state of all intervals
  Eigen::VectorXd noise;         // residual variance of the rates, per axis
  int rows = 0;                  // intervals
};

// Rates of each group are x·(β + b_g) + e with b_g ~ N(0, diag τ²) and e ~ N(0, σ²): β, τ² and σ²
// by expectation-maximisation (N. M. Laird, J. H. Ware, "Random-effects models for longitudinal
// data", Biometrics 38, 963 (1982)), b_g its conditional mean. A group without rows gets the pooled
// model. Fails where the intervals are no more than the coefficients of an equation.
Result<PanelOde> FitPanelOde(const std::vector<OdeGroup>& groups);

}  // namespace couplingd
