// The known scores that bench/forecast.cc forecasts.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "coupling/observation.h"
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

// The same families on both default axes, as a history gives them.
Result<std::vector<AxisSeries>> PanelSeries();

}  // namespace couplingd
