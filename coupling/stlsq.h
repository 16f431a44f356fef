// Sequentially thresholded least squares.
#pragma once

#include <Eigen/Dense>

#include "base/result.h"

namespace couplingd {

struct StlsqOptions {
  double threshold = 0.1;  // smaller coefficients are dropped
  double ridge = 0;        // L2 penalty while terms are selected
  int iterations = 20;
  bool normalize_columns = false;  // to unit length before thresholding
  bool unbias = true;              // ordinary least squares on the terms that are left
};

// Coefficients (terms × targets) of targets ≈ library · coefficients: S. L. Brunton, J. L. Proctor,
// J. N. Kutz, "Discovering governing equations from data by sparse identification of nonlinear
// dynamical systems", PNAS 113, 3932 (2016); step for step the STLSQ of pysindy. A target may lose
// all its terms. `library` is rows × terms, `targets` rows × targets, all finite, rows > 0; else an
// error.
Result<Eigen::MatrixXd> FitStlsq(const Eigen::MatrixXd& library, const Eigen::MatrixXd& targets,
                                 const StlsqOptions& options);

}  // namespace couplingd
