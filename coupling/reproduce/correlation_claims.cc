#include <fmt/format.h>

#include "coupling/correlation.h"
#include "coupling/reproduce/base_claims.h"

namespace couplingd {
namespace {

using enum ReproductionVerdict;

}  // namespace

Claim PythiaCorrelation(const PublishedData& data, const ReproduceOptions&) {
  const auto models = FamilyOf(CleanedPanel(data.base), "Pythia");
  const Correlation found = TRY(PearsonCorrelation(ScoresOf(models, &PanelModel::hellaswag),
                                                   ScoresOf(models, &PanelModel::truthfulqa)));
  return std::vector<ReproducedRow>{
      {.quantity = "r(HellaSwag, TruthfulQA) of Pythia",
       .published = -0.989,
       .recomputed = found.r,
       .low = found.interval.low,
       .high = found.interval.high,
       .verdict = kHolds,
       .reason = fmt::format("{} models of one family; p {:.1e}", found.n, found.p)},
      {.quantity = "its p",
       .published = 3.6e-6,
       .recomputed = found.p,
       .verdict = kHolds,
       .reason = "two-sided, t with 6 degrees of freedom"}};
}

}  // namespace couplingd
