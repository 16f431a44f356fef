// γ12 over the checkpoints of a run and over the sizes of a family.
#pragma once

#include <cstdint>
#include <vector>

#include "coupling/observation.h"
#include "coupling/window_estimate.h"
#include "records/coupling.h"

namespace couplingd {

struct CouplingOptions {
  PhaseBounds bounds;
  int window = 8;               // checkpoints
  int least_checkpoints = 4;    // fewer give no estimate
  double least_decades = 0.25;  // of tokens (of steps where tokens are unknown) that a window spans
  int least_sizes = 3;          // for the line over all sizes of a family
  int replicates = 1000;        // at least 100
  std::uint64_t seed = 1;
};

struct LocalCoupling {
  CouplingEstimate estimate;
  CouplingDiagnostics diagnostics;  // empty where there is no estimate
};

// γ over the last checkpoints of one generation, placed at the newest. The window is the last
// `window` checkpoints, extended backwards until it spans `least_decades`; step 0 is left out.
// Tokens are used if every checkpoint has them; else steps take their place and `method` says so.
//
// Errors are for data that cannot be used (see CheckSeries). Too few checkpoints or too short a
// span give an estimate without γ whose reason names what is missing. Pure: the same series,
// options and seed give the same bits.
Result<LocalCoupling> CouplingOverSteps(const AxisSeries& series, const CouplingOptions& options);

// The same at every checkpoint that has a full enough window before it, oldest first; empty if none
// has. Evidence rests on wider windows too (phase_evidence.h), on this one alone above.
Result<std::vector<LocalCoupling>> CouplingHistory(const AxisSeries& series,
                                                   const CouplingOptions& options);

// γ over the sizes of one family: `local` between consecutive sizes, placed at the mean of their
// log10 N (one fewer than sizes), and `population`, the line through all sizes, placed at the
// largest. Sizes must have been matched (size_matching.h). Local intervals hold the sampling error
// of the items only: what another training seed would give is not in two numbers. With fewer than
// `least_sizes` sizes `population` has no γ, and its reason says what is missing.
struct ScaleCoupling {
  std::vector<LocalCoupling> local;
  LocalCoupling population;
};
Result<ScaleCoupling> CouplingOverScale(const AxisSeries& series, const CouplingOptions& options);

}  // namespace couplingd
