// How much of a declared false-alarm rate the decisions of a run may spend.
//
// A phase rule looks at a run once per checkpoint (once more where one is evaluated again), and at
// a family whenever the coupling over its sizes is a new one. Its rate is the expected number of
// false alarms per 1,000 looks; look k may raise one with probability LookLevel(rate, k), and the
// levels add up to the rate. This is alpha spending (K. K. G. Lan, D. L. DeMets, Biometrika 70, 659
// (1983)) with Boole's inequality in place of the joint distribution of the looks: it holds
// whatever the dependence between them, and windows that overlap, items that are the same at every
// checkpoint and noise that lingers make them depend on one another strongly. A martingale
// construction (Robbins 1970; S. R. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, Ann. Stat. 49, 1055
// (2021)) would need increments that average to nothing given the past; the error that common items
// make does not.
//
// Half of the rate is spread evenly over the looks, the other half over the first 1,000 of them in
// proportion to 1/k: a window is a share of a decade of tokens, so that new evidence comes per
// factor and not per checkpoint, and the first looks rest on few degrees of freedom. After look
// 1,000 the whole rate is spread evenly again.
#pragma once

#include <cstdint>

namespace couplingd {

inline constexpr std::int64_t kLooksPerRate = 1000;

// look ≥ 1; 0 < rate ≤ 1.
double LookLevel(double rate, std::int64_t look);

// The sum of LookLevel over the first `looks` ≥ 0: the expected number of false alarms at most.
double SpentRate(double rate, std::int64_t looks);

// The p-value that lies `margin` ≥ 0 standard deviations of a normal variable beyond `level`.
double LevelBeyond(double level, double margin);

}  // namespace couplingd
