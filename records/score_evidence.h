// What rules about scores rest on. It is measured where items and history are at hand and judged in
// alerts/, which sees neither.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace couplingd {

// One checkpoint's score against the best level that earlier checkpoints of its generation had: the
// mean of a few neighbouring ones. "Worse" is lower, or higher where lower is better.
struct ScoreDrop {
  std::string family, run;
  int generation = 1;
  std::string metric;  // "arc_easy.acc"
  std::int64_t step = 0;
  std::optional<double> tokens;
  double value = 0;
  double best = 0;                          // the level
  std::int64_t best_from = 0, best_to = 0;  // steps of its first and last checkpoint
  double drop = 0;                          // how much worse `value` is; negative: better
  double standard_error = 0;                // of the drop: items and checkpoint noise
  double dof = std::numeric_limits<double>::infinity();
  int items = 0;          // that all of these checkpoints answered; 0: from standard errors
  int candidates = 1;     // levels that the best was chosen from
  std::int64_t look = 1;  // such comparisons of this score in this generation, this one included
};

// Where the scores of both axes of a pair stand between guessing and their ceiling.
struct ScorePoint {
  std::int64_t step = 0;
  std::optional<double> tokens;
  double value = 0;
  double standard_error = 0;  // items and, where known, checkpoint noise; not below 1/items
};
struct AxisPoints {
  std::string metric;
  std::optional<double> chance;    // score of guessing, where known
  std::vector<ScorePoint> points;  // the newest, in order of steps
};
struct AxisStanding {
  std::string family, run;
  int generation = 1;
  std::string axes;  // "hellaswag.acc_norm,truthfulqa_mc2.acc"
  AxisPoints reasoning, truthfulness;
};

// In how many directions the scores of a family's newest checkpoints vary: (Σλ)²/Σλ² of their
// covariance.
struct FamilyDimension {
  std::string family;
  std::vector<std::string> metrics;
  double value = 0, low = 0, high = 0;
  double level = 0.95;
  int checkpoints = 0, runs = 0;
};

struct ScoreEvidence {
  std::vector<ScoreDrop> drops;  // of the newest checkpoints of each run and metric
  std::vector<AxisStanding> standings;
  std::vector<FamilyDimension> dimensions;
  // Median of the newest evaluations.
  std::optional<std::chrono::milliseconds> evaluation_time;
};

}  // namespace couplingd
