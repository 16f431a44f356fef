// How far a score lies below the best level it had before.
#pragma once

#include <Eigen/Dense>
#include <vector>

#include "coupling/step_noise.h"

namespace couplingd {

// The best mean of `width` neighbouring scores.
struct ScoreLevel {
  int first = 0;  // of the scores in it
  int width = 1;
  double value = 0;
  int candidates =
      1;  // means it was chosen from: a test against it is multiplied by so many (Boole)
};
// Fewer scores than `width` are one level. REQUIRES: at least one score.
ScoreLevel BestLevel(const std::vector<double>& scores, int width, bool lower_is_better);

// Checkpoints before the one judged that a comparison needs: with fewer the tails of the test do
// not hold where decisions at small levels look.
inline constexpr int kFewestForDrop = 12;

// How much worse the last of these scores is than the mean of the others.
struct LevelDrop {
  double value = 0;
  double standard_error = 0;
  // Student's t of value/standard_error (F. E. Satterthwaite, Biometrics Bulletin 2, 110 (1946)).
  // A checkpoint noise that came out as no more than what the items explain is not taken for none.
  // From 16 residuals on it is at least three quarters of all noise between checkpoints; with
  // fewer, all of that noise counts as estimated. Simulated (bench/oracle/score_drop.py), tests at
  // 1 %, 0.1 % and 0.01 % of the best level then reject at most about that often, whatever the
  // share of checkpoint noise.
  double dof = 0;
};
// `covariance` is that of the scores over their items, on which both are compared; `item_dof` the
// number of clusters less one. `noise` is of other checkpoints than the last.
LevelDrop DropBelowLevel(const Eigen::VectorXd& scores, const Eigen::MatrixXd& covariance,
                         double item_dof, const StepNoise& noise, bool lower_is_better);

}  // namespace couplingd
