// A published number beside what its own data gives.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace couplingd {

enum class ReproductionVerdict {
  kHolds,        // the data gives the published number, and it means what it is said to mean
  kWeak,         // it is reproduced, but an interval or a null leaves little of the claim
  kWrong,        // the data gives another number, or the number is of something else
  kArtefact,     // it follows from how it is computed, whatever the models do
  kUncheckable,  // the data to check it was never published
};

std::string_view ToString(ReproductionVerdict verdict);  // "holds", "weak", …, "cannot be checked"

// Rows of one `id` are the parts of one published claim; `quantity` tells them apart.
struct ReproducedRow {
  int id = 0;                        // 1 to 39
  std::string quantity;              // "N_c of the 14 models, quadratic: median"
  std::string unit;                  // "", "points", "%", "parameters"
  std::optional<double> published;   // absent where nothing was printed
  std::optional<double> recomputed;  // absent where the data cannot give it
  std::optional<double> low, high;   // interval of the recomputed number
  double level = 0.95;               // of that interval
  ReproductionVerdict verdict = ReproductionVerdict::kUncheckable;
  std::string reason;  // what the verdict rests on; never empty
};

}  // namespace couplingd
