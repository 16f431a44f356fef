// What the estimators see of history: two axes' scores at the checkpoints of a run or the sizes of
// a family.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "records/coupling.h"

namespace couplingd {

// Both axes at one checkpoint. Scores are fractions.
struct AxisObservation {
  double step = 0;
  std::optional<double> tokens;      // seen in training; absent where unknown, never assumed
  std::optional<double> parameters;  // of the model; needed over scale

  // Aggregates. Where items are given, the items' mean is used instead.
  double reasoning = 0;
  double truthfulness = 0;
  std::optional<double> reasoning_stderr;
  std::optional<double> truthfulness_stderr;

  // The metric of every item; empty where only aggregates are known.
  std::vector<double> reasoning_items;
  std::vector<double> truthfulness_items;

  // Identity of the scored items (hash of the plan); empty where unknown.
  std::string reasoning_plan;
  std::string truthfulness_plan;
};

// The mean over the items where they are known, else the aggregate.
double ReasoningScore(const AxisObservation& at);
double TruthfulnessScore(const AxisObservation& at);

// One run generation, or one family with the checkpoint chosen for each size.
struct AxisSeries {
  std::string family;
  std::string run;  // empty over scale
  int generation = 1;
  AxisPair axes;
  std::vector<AxisObservation> observations;  // in any order

  // The cluster of every item (TruthfulQA category, MMLU subject); items of one cluster are drawn
  // together, an empty name is a cluster of its own. Leave the vector empty where there are none.
  std::vector<std::string> reasoning_clusters;
  std::vector<std::string> truthfulness_clusters;

  // Item i of both axes is the same item, so that both are drawn together.
  bool axes_share_items = false;

  // Score of guessing, where known.
  std::optional<double> reasoning_chance;
  std::optional<double> truthfulness_chance;

  // "hellaswag.acc_norm,truthfulqa_mc2.acc"
  std::string AxesText() const;
};

// Refuses a series whose numbers cannot be used as they stand: a value that is not finite, a
// negative standard error, items of one axis that differ in number or plan between observations,
// clusters or shared items that do not match the items. The message names run, step, axis.
Status CheckSeries(const AxisSeries& series);

// The observations of a run in the order of training, step 0 left out (an untrained model is no
// point of the trajectory). Two observations of one step are an error.
Result<std::vector<AxisObservation>> TrainedInOrder(const AxisSeries& series);

// The observations of a family in the order of size. An observation without parameters, or two of
// one size, are errors.
Result<std::vector<AxisObservation>> SizesInOrder(const AxisSeries& series);

}  // namespace couplingd
