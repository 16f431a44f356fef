// The isocline of the published model: the truthfulness at which the coupling would be zero.
#pragma once

#include <Eigen/Dense>

namespace couplingd {

// B2c = √(ratio · B1), scores as fractions; ratio = a/b from a model at γ = 0 (OLMo: 0.187,
// arXiv:2605.18838).
inline constexpr double kPublishedIsoclineRatio = 0.187;
double IsoclineTruthfulness(double reasoning, double ratio = kPublishedIsoclineRatio);

// The published texts contradict each other on what it means to lie above the isocline.
struct IsoclineSigns {
  int above_is_falling = 0;  // hits where truthfulness above B2c is read as γ < 0
  int above_is_rising = 0;   // hits where it is read as γ > 0
  int always_falling = 0;    // hits of the guess that γ is negative throughout
  int n = 0;                 // couplings; those that are exactly zero count for no reading
};

// One prediction per size but the last: model k stands above or below, and γ between k and k + 1
// has a sign. Fractions, sizes in order; fewer than two sizes give none.
IsoclineSigns CountIsoclineHits(const Eigen::VectorXd& reasoning,
                                const Eigen::VectorXd& truthfulness,
                                double ratio = kPublishedIsoclineRatio);

}  // namespace couplingd
