// Estimates of how two capabilities move together, and forecasts made from them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace couplingd {

// A task's metric: "hellaswag.acc_norm". The metric follows the last dot.
struct TaskMetric {
  std::string task;
  std::string metric;
  std::string Text() const { return task + "." + metric; }
  static std::optional<TaskMetric> Parse(std::string_view text);
  bool operator==(const TaskMetric&) const = default;
};

// Two capabilities; γ12 = Δtruthfulness / Δreasoning.
struct AxisPair {
  std::string name;  // "default"; unique in the configuration
  TaskMetric reasoning;
  TaskMetric truthfulness;
  double level = 0.95;  // of the intervals
};

// Over what γ is taken: the checkpoints of one run, or the sizes of one family.
enum class CouplingOver { kSteps, kScale };

// tax γ < −0.1 ≤ transition ≤ +0.1 < bonus. Undetermined: the interval does not fit into one phase.
enum class Phase { kTax, kTransition, kBonus, kUndetermined };

std::string_view ToString(CouplingOver over);
std::string_view ToString(Phase phase);
std::optional<Phase> ParsePhase(std::string_view text);

struct PhaseBounds {
  double tax = -0.1;   // γ below it is a tax
  double bonus = 0.1;  // γ above it is a bonus
};

// How sure the newest checkpoints are of what the phases say: p-values of the hypothesis that it is
// not so (coupling/phase_evidence.h). Small is sure; both sides of a bound may be open.
struct PhaseEvidence {
  double reasoning_rises = 1;
  // Truthfulness changes by less (more) than the bound times the change of reasoning: γ lies below
  // (above) the bound if reasoning rises. Over a run's history, below_tax and above_bonus are those
  // of reasoning rising as well, in the best of several windows.
  double below_tax = 1, above_tax = 1;
  double below_bonus = 1, above_bonus = 1;
  bool operator==(const PhaseEvidence&) const = default;
};

struct CouplingEstimate {
  std::string family;
  std::string run;  // empty over scale
  int generation = 1;
  std::string axes;  // "hellaswag.acc_norm,truthfulqa_mc2.acc"
  CouplingOver over = CouplingOver::kSteps;
  double at = 0;  // over steps: the step of the window's last checkpoint; over scale: parameters
  std::optional<double> tokens;     // at that place
  std::optional<double> gamma;      // absent where there is no estimate
  std::optional<double> low, high;  // interval at `level`; ±infinity where the set is unbounded
  double level = 0.95;
  Phase phase = Phase::kUndetermined;
  std::optional<double> p_tax, p_bonus;  // share of bootstrap replicates in the phase
  // What decisions rest on: over steps, and over all sizes of a family; absent where no coupling
  // may be claimed.
  std::optional<PhaseEvidence> evidence;
  std::string method;  // "york+item-bootstrap", "york+stderr", …
  int n = 0;           // checkpoints or sizes used
  std::string
      reason;  // why there is no estimate, or why it is undetermined and what would settle it
};

// How often decisions were made from one series of estimates: the newest of a run generation or of
// a family was a new one, with evidence. A checkpoint that is evaluated again, or a family at a
// further number of tokens, is a look of its own.
struct LookCount {
  std::string family;
  std::string run;  // empty over scale
  int generation = 1;
  std::string axes;
  CouplingOver over = CouplingOver::kSteps;
  std::int64_t looks = 0;
};

// Where the coupling changes sign, as a distribution: whether it does at all, and where.
struct Forecast {
  std::string family;
  std::string run;  // empty for a family
  std::string axes;
  std::string quantity;             // "N_c" in parameters, "D_c" in tokens
  std::string method;               // "u-shape", "line", "ode"
  std::optional<double> value;      // median of the replicates that cross
  std::optional<double> low, high;  // interval at `level`
  double level = 0.95;
  std::optional<double> low80, high80;  // 10 % and 90 % quantiles of the replicates that cross
  std::optional<double> p_crossing;     // share of replicates that cross within the horizon
  std::optional<double> p_passed;       // share that cross at or before `observed`
  std::optional<double> observed;       // the largest size, or the tokens of the last checkpoint
  double horizon_low = 0, horizon_high = 0;  // where a crossing is looked for
  int n = 0;                                 // sizes or checkpoints used
  std::string reason;                        // why there is none, or what is missing

  // The value lies at or before the last observation: history, not a forecast.
  bool HasPassed() const { return value && observed && *value <= *observed; }
};

}  // namespace couplingd
