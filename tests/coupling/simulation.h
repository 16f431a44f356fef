// Item-level histories with known truth, for the tests of the estimators.
#pragma once

#include <algorithm>
#include <cmath>
#include <random>
#include <span>
#include <vector>

#include "coupling/observation.h"

namespace couplingd::simulation {

struct Trajectory {
  std::vector<double> places;     // steps and tokens, or parameters
  std::vector<double> reasoning;  // expected score over all possible items
  std::vector<double> truthfulness;
};

struct Setting {
  int reasoning_items = 400;
  int truthfulness_items = 400;
  double checkpoint_noise = 0;  // standard deviation of a shift common to all items of a checkpoint
  double flips = 0.15;          // standard deviation of an item's own wandering (probit units)
};

// Item i is right at place k where its fixed ability threshold lies below the score's quantile,
// moved by an error of its own at each place: items keep their difficulty, and some flip between
// checkpoints.
inline std::vector<std::vector<double>> DrawItems(std::span<const double> expected, int items,
                                                  const Setting& setting, std::mt19937_64& engine) {
  std::normal_distribution<double> normal;
  std::vector<double> difficulty(items);
  for (double& value : difficulty) value = normal(engine);
  const auto probit = [](double p) {  // inverse normal CDF by bisection
    double low = -8, high = 8;
    for (int i = 0; i < 60; ++i) {
      const double middle = (low + high) / 2;
      (0.5 * std::erfc(-middle / std::sqrt(2.0)) < p ? low : high) = middle;
    }
    return (low + high) / 2;
  };
  const double spread = std::sqrt(1 + setting.flips * setting.flips);
  std::vector<std::vector<double>> drawn;
  for (const double score : expected) {
    const double shifted =
        std::clamp(score + setting.checkpoint_noise * normal(engine), 0.001, 0.999);
    const double level = probit(shifted) * spread;
    std::vector<double>& place = drawn.emplace_back(items);
    for (int i = 0; i < items; ++i) {
      place[i] = difficulty[i] + setting.flips * normal(engine) < level ? 1 : 0;
    }
  }
  return drawn;
}

inline AxisSeries Simulate(const Trajectory& truth, CouplingOver over, const Setting& setting,
                           std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  AxisSeries series{
      .family = "simulated",
      .run = over == CouplingOver::kSteps ? "simulated" : "",
      .axes = {
          .name = "default", .reasoning = {"two_hop", "acc"}, .truthfulness = {"claims", "mc1"}}};
  const auto reasoning = DrawItems(truth.reasoning, setting.reasoning_items, setting, engine);
  const auto truthfulness =
      DrawItems(truth.truthfulness, setting.truthfulness_items, setting, engine);
  for (std::size_t k = 0; k < truth.places.size(); ++k) {
    AxisObservation at{
        .step = 1, .reasoning_items = reasoning[k], .truthfulness_items = truthfulness[k]};
    if (over == CouplingOver::kSteps) {
      at.step = truth.places[k];
      at.tokens = truth.places[k] * 400;
    } else {
      at.parameters = truth.places[k];
    }
    series.observations.push_back(std::move(at));
  }
  return series;
}

}  // namespace couplingd::simulation
