// Estimation over history: collects the series of an axis pair from stored scores and hands them to
// coupling/.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "config/config.h"
#include "coupling/local_coupling.h"
#include "coupling/observation.h"
#include "history/store.h"
#include "records/alert.h"
#include "records/coupling.h"
#include "records/score_evidence.h"

namespace couplingd {

// The series of every run generation that `filter` selects and in which both axes were scored, with
// the number of parameters in every observation where it is known. Rows whose series key differs
// from that of most rows of the run are left out: another tokenizer, pack, scorer or dtype is never
// one series. Items come from the score files where they are there, aggregates otherwise.
Result<std::vector<AxisSeries>> CollectSeries(HistoryReader& history, const AxisPair& axes,
                                              const HistoryFilter& filter);

struct FamilySizes {
  AxisSeries series;
  std::vector<std::string> left_out;  // one sentence per size, or run, that is not in the series
};

// The sizes of one family side by side, from the newest generation of each of its runs. Where
// several runs have one size, the one that comes last by name is taken. `match`: tokens,
// tokens_per_parameter or final.
Result<FamilySizes> FamilySeries(const std::vector<AxisSeries>& runs, const std::string& match);

// What might be done, by the run (or family) and axes that an estimate or forecast names.
using Advice = std::map<std::pair<std::string, std::string>, std::vector<Intervention>>;

struct Analysis {
  std::vector<CouplingEstimate> couplings;
  std::vector<Forecast> forecasts;
  Advice advice;  // for the newest estimate of each run and family
  // What rules about scores rest on; Analyse leaves it empty (queries/score_evidence.h).
  ScoreEvidence scores;
};

CouplingOptions OptionsOf(const CouplingConfig& config);
// For answers that estimate over and over while somebody waits: 500 replicates at most.
CouplingOptions QuickOptionsOf(const CouplingConfig& config);

// At least two of the runs have a known size.
bool HasSizes(const std::vector<AxisSeries>& runs);

enum class AnalysisPart { kOverSteps, kOverScale, kForecasts, kAll };

// Everything that can be estimated of the runs and families selected, for each of the axis pairs: γ
// at every checkpoint, γ between and over sizes, N_c of families and D_c of runs. What cannot be
// estimated is an estimate without a value whose reason says what is missing.
Result<Analysis> Analyse(HistoryReader& history, const CouplingConfig& config,
                         const std::vector<AxisPair>& axes, const HistoryFilter& filter,
                         AnalysisPart part = AnalysisPart::kAll);

}  // namespace couplingd
