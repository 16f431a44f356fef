// How many web-trained parameters a curated or otherwise different recipe is worth.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "coupling/statistics.h"

namespace couplingd {

// A model of a family that the recipe is compared with. Fractions.
struct SizedScores {
  std::string family;
  double log_parameters = 0;  // log10
  double reasoning = 0;
  double truthfulness = 0;
};

// γ of a recipe between two sizes, and its standard error from the scores' noise.
struct RecipeCoupling {
  double gamma = 0;
  double standard_error = 0;
  double log_parameters = 0;  // where it is placed
};

struct EquivalenceOptions {
  double level = 0.95;
  int replicates = 2000;
  std::uint64_t seed = 1;
};

// k = N_eq/N with γ_line(N_eq) = γ, or N_eq the size of the same reasoning score.
struct ScaleEquivalence {
  std::optional<double> factor;   // from the whole panel; absent where the line has no such place
  std::optional<Interval> range;  // of the replicates; absent where too few have a place
  double share = 0;               // of the replicates that have one
  int families = 0;
  bool is_undetermined = true;
  std::string reason;  // why it is undetermined
};

// The line γ = A·log10 N + B over consecutive sizes within each family, fitted without a ratio as
// ΔT = (A·x + B)·ΔR. Replicates draw families with replacement and the recipe's γ from its normal
// error, together. Undetermined where γ's interval holds 0, where A is not above 0, and where fewer
// than 90 % of the replicates have a place. Needs 3 families with 2 sizes; fails otherwise. Pure.
Result<ScaleEquivalence> EquateByCoupling(const std::vector<SizedScores>& panel,
                                          const RecipeCoupling& recipe,
                                          const EquivalenceOptions& options);

// The size at which the panel has this reasoning score: log10 N as a quadratic of reasoning over
// all models of families with 3 sizes or more. Replicates draw families. Needs 3 of them; fails
// otherwise. Undetermined outside the panel's reasoning scores. Pure.
Result<ScaleEquivalence> EquateByReasoning(const std::vector<SizedScores>& panel, double reasoning,
                                           double log_parameters,
                                           const EquivalenceOptions& options);

// Mean truthfulness of `curated` above the panel's quadratic in log10 N at the same sizes, families
// of both sides drawn with replacement. Needs 3 families in the panel; fails otherwise. Pure.
struct RecipeContrast {
  double difference = 0;
  Interval range;
  int families = 0;  // curated
};
Result<RecipeContrast> ContrastAtEqualSize(const std::vector<SizedScores>& panel,
                                           const std::vector<SizedScores>& curated,
                                           const EquivalenceOptions& options);

}  // namespace couplingd
