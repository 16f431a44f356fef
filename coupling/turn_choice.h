// Which method places the sign change of a family best: tried on families whose turn is known.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "coupling/critical_scale.h"

namespace couplingd {

// One name in any case: "pythia" is the panel's Pythia.
bool IsSameFamily(std::string_view a, std::string_view b);

// A method asked for N_c of a family from its smaller sizes.
struct TurnTrial {
  std::string family;
  std::string method;   // of critical_scale.h, "others", or kNoTurn
  int sizes = 0;        // it was asked with
  double distance = 0;  // decades from its answer to where the turn was seen
};

// The baseline: no turn within ten times the largest size.
inline constexpr std::string_view kNoTurn = "no turn";

// Every family with at least 5 sizes, from its 4, 5, … smaller ones, by every method of
// ForecastSignChange, by the others (turn_of_others.h, the family itself left out) and by the
// baseline. A turn was seen between the neighbours of the size of least truthfulness, without an
// end where that is the smallest or the largest. The answer is the median where most replicates
// cross, else the end of the horizon. Methods that refuse make no trial. Pure.
Result<std::vector<TurnTrial>> TryTurnMethods(const std::vector<AxisSeries>& families,
                                              const ForecastOptions& options);

struct TurnScore {
  std::string method;
  double distance = 0;  // mean over families of the family's mean, decades
  int trials = 0, families = 0;
};
// Best first; `without` is a family whose trials do not count.
std::vector<TurnScore> ScoreTurnMethods(const std::vector<TurnTrial>& trials,
                                        std::string_view without);

struct TurnChoice {
  std::string method;  // of the forecast to be believed; empty where there is none
  std::string reason;
};
// Of the forecasts of one family, the method that did best on the other families, if it gave an
// answer here and beat the baseline; tried on at least 3 families. Over the panel's five families
// the choice is itself uncertain: made on four of them it is no better for the fifth than the
// baseline (bench/forecast), so that the record is told beside it.
TurnChoice ChooseTurnMethod(const std::vector<Forecast>& forecasts,
                            const std::vector<TurnScore>& scores);

}  // namespace couplingd
