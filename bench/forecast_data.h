// The known scores that bench/forecast.cc forecasts.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "coupling/panel/base_panel.h"
#include "coupling/score_methods.h"

namespace couplingd {

// The families of the cleaned panel, smallest size first; columns as named.
Result<std::vector<ScoreTrajectory>> PanelFamilies(const std::vector<PanelScore>& columns);

// Runs over their steps (the untrained start left out), columns as `tasks`, reasoning first.
struct BenchRuns {
  std::vector<std::string> tasks;
  std::vector<ScoreTrajectory> runs;
  // Reasoning and one task, or reasoning alone for task 0.
  std::vector<ScoreTrajectory> OfTask(std::size_t task) const;
};
Result<BenchRuns> ReadRuns(const std::string& folder);

Result<std::vector<std::string>> ReadLines(const std::string& path);

// Where the coupling curve of the others is 0, by their family bootstrap.
struct LeftOutTurn {
  double reasoning = 0;  // score at which γ = 0
  double size = 0;       // billions of parameters at which the family reaches it, median
  double low80 = 0, high80 = 0;
};
LeftOutTurn TurnOfOthers(const std::vector<ScoreTrajectory>& others, const ScoreTrajectory& family,
                         int replicates, std::uint64_t seed);

}  // namespace couplingd
