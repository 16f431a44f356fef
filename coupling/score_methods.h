// The ways in which a score at a place not seen yet can be guessed, from the humblest up. None is
// best everywhere: score_forecast.h learns from past forecasts how far each is to be trusted.
#pragma once

#include <Eigen/Dense>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace couplingd {

// Scores of one family over its sizes, or of one run over its checkpoints.
struct ScoreTrajectory {
  std::string name;
  Eigen::VectorXd positions;  // log10 parameters or tokens, rising
  Eigen::MatrixXd scores;     // places × benchmarks, fractions; column 0 is the reasoning axis
};

// What is column `axis` of `own` at the position `at`, its first `seen` ≥ 2 places being known, and
// all of the trajectories of `pool`, which have the same columns?
struct ScoreQuestion {
  std::span<const ScoreTrajectory> pool;
  const ScoreTrajectory& own;
  Eigen::Index seen;
  double at;
  Eigen::Index axis;

  double LastPosition() const { return own.positions[seen - 1]; }
  double LastScore() const { return own.scores(seen - 1, axis); }
};

struct ScoreMethod {
  std::string_view name;
  // What anybody would try first, and what a forecast has to beat.
  bool is_baseline;
  // Absent where the method does not apply: too few places, no pool.
  std::optional<double> (*guess)(const ScoreQuestion& question);
};

//   last-value        the last score
//   line              through the last two places
//   line-all          least squares through all places
//   line-decade       least squares through the places of the last decade
//   power-law         1 − score falls as a power of N (or D) fitted over the last 1.5 decades,
//                     through the last score
//   pooled-quadratic  quadratic in the position over everything, shifted to the last score
// So far the baselines; then
//   pooled-change     mean change of the others between the same two places
//   rate              dB/dx regressed on 1, x over all intervals, followed from the last score
//   rate-level        … on 1, x and the reasoning score
//   rate-trend        … on 1, x and the trajectory's own last rate
//   rate-level-trend  … on all of them
//   coupling-curve    γ as a quadratic of the reasoning score over all intervals; the score follows
//                     the reasoning score that rate-trend forecasts
//   ode               linear ODE of reasoning and this score with partial pooling (ode_panel.h)
std::span<const ScoreMethod> ScoreMethods();

}  // namespace couplingd
