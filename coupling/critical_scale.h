// Where the coupling of a family (N_c, in parameters) or of a run (D_c, in tokens) changes sign.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "coupling/observation.h"
#include "records/coupling.h"

namespace couplingd {

struct ForecastOptions {
  // Where a crossing is looked for, in parameters or tokens; by default from the smallest place
  // used to ten times the largest. What lies at or before the largest has been passed:
  // Forecast::HasPassed and p_passed tell it from a forecast.
  std::optional<double> horizon_low, horizon_high;
  int least_places = 4;  // sizes or checkpoints; the ODE needs one more per coefficient
  // Over steps, checkpoints are averaged into at most this many groups of equal width in log
  // tokens, because neighbouring checkpoints differ by less than their noise.
  int most_places = 10;
  int replicates = 1000;
  std::uint64_t seed = 1;
};

// Each returns a Forecast whose value is the median of the replicates that cross, or one without a
// value whose reason names what is missing (sizes, tokens, degrees of freedom). Errors are for data
// that cannot be used. Replicates draw the items once for all places (or normal errors from the
// standard errors) and add the fit's residuals so far as sampling error does not explain them. Over
// steps, the checkpoints at which reasoning is not yet told from its first score are left out:
// there γ is noise over noise. Pure; the same series, options and seed give the same bits.

// "u-shape": the least of a quadratic truthfulness(log10 N). A replicate crosses if the parabola
// opens upwards and its least lies within the horizon.
Result<Forecast> ForecastByUShape(const AxisSeries& series, CouplingOver over,
                                  const ForecastOptions& options);

// "line": γ = A·log10 N + B over consecutive places, fitted without a ratio as
// ΔT = (A·x + B)·ΔR, so that pairs whose reasoning hardly moved count little; N_c = 10^(−B/A). The
// reason says so where Fieller's set of −B/A (fieller.h) has no end.
Result<Forecast> ForecastByLine(const AxisSeries& series, CouplingOver over,
                                const ForecastOptions& options);

// "line-local", over scale only: the zero of γ between the two neighbouring pairs of sizes around
// the least truthfulness, γ being negative before it and positive after. Its interval holds
// sampling error only, and the reason says so: what another training seed gives is not in it.
Result<Forecast> ForecastByTurn(const AxisSeries& series, const ForecastOptions& options);

// "ode": the first sign change of γ along the trajectory of a sparse ODE (ode.h): over scale from
// the smallest size; over steps from the last checkpoint, and only what lies ahead of it.
Result<Forecast> ForecastByOde(const AxisSeries& series, CouplingOver over,
                               const ForecastOptions& options);

// All that apply, in this order.
Result<std::vector<Forecast>> ForecastSignChange(const AxisSeries& series, CouplingOver over,
                                                 const ForecastOptions& options);

}  // namespace couplingd
