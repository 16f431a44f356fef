// The lines of a comparison of two runs: scores, couplings and where these change sign.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "history/store.h"

namespace couplingd {

inline constexpr double kComparisonPower = 0.8;

// The checkpoints that stand for the two runs.
struct MatchedCheckpoints {
  std::string by;  // "tokens", or "steps" where a run's tokens are unknown
  std::int64_t step_a = 0, step_b = 0;
  std::optional<double> tokens_a, tokens_b;
  double apart = 0;  // relative difference of the two places
};

// The pair nearest to `at` (absent: with the most training) of those that lie within `tolerance` of
// each other. kNotFound names the nearest pair where none does. Rows are of one generation each.
Result<MatchedCheckpoints> MatchCheckpoints(const std::vector<ScoreRow>& a,
                                            const std::vector<ScoreRow>& b,
                                            std::optional<double> at, double tolerance);

// Run B against run A.
struct ComparedLine {
  std::string kind;  // score, gamma, D_c, N_c
  std::string what;  // "arc_easy.acc", or the axes
  std::optional<double> a, b;
  // b − a; of D_c and N_c the ratio b / a.
  std::optional<double> difference, low, high;
  double level = 0.95;
  std::optional<double> p, p_holm;
  std::string verdict = "undetermined";  // of B: better, worse or undetermined
  std::optional<std::int64_t> n;         // common items; places of a forecast
  std::string method;
  std::string reason;  // what would settle it, what the interval does not hold
};

// Every metric that both runs have at the matched checkpoints. Items are paired by plan, else by
// their ids. The variance is that of the items' differences, by clusters, plus the checkpoint noise
// that each run's last `most` checkpoints up to there show (step_noise.h).
Result<std::vector<ComparedLine>> CompareScores(HistoryReader& history,
                                                const std::vector<ScoreRow>& a,
                                                const std::vector<ScoreRow>& b,
                                                const MatchedCheckpoints& match, std::size_t most);

// γ at the matched checkpoints, D_c of the runs as known up to there, and N_c where the runs are of
// two families; for every axis pair that both have.
Result<std::vector<ComparedLine>> CompareCouplings(HistoryReader& history, const Run& a,
                                                   const Run& b, const MatchedCheckpoints& match,
                                                   const CouplingConfig& config,
                                                   const std::vector<AxisPair>& pairs);

// The training losses at the matched places, as the metric training.loss; absent where they are not
// recorded for both. The noise is how far the smoothed log scatters around its power law.
Result<std::optional<ComparedLine>> CompareLosses(HistoryReader& history, const Run& a,
                                                  const Run& b, const MatchedCheckpoints& match);

// Fills p_holm over all lines that have a p. Returns how many were looked at.
int AdjustForAll(std::vector<ComparedLine>& lines);

}  // namespace couplingd
