// Training runs with known truth: trajectories of published evaluations, item by item scores of
// items that are as hard and as restless as real ones.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "coupling/phase_evidence.h"

namespace couplingd::simulated {

// How an item's margin (right choice against the best wrong one, in nats) is distributed around the
// common level of its model (bench/oracle/item_fixture.py).
struct Item {
  double margin = 0;  // mean over checkpoints
  double slow = 0;    // standard deviation of what lingers over about a quarter of a decade
  double fast = 0;    // and of what is new at every checkpoint
};

// Linear between its places, constant beyond them.
struct Curve {
  std::vector<double> places, values;  // places rise
  double At(double place) const;
};

struct AxisPool {
  std::vector<Item> items;
  Curve level_of_score;  // the common level at which the whole pool has an expected score
};
// The items whose source ends on ":reasoning" and ":truthfulness".
struct ItemPool {
  AxisPool reasoning, truthfulness;
};
Result<ItemPool> ReadItems(const std::string& path);

// Accuracies over log10 of the step of lambada_openai, arc_easy, piqa, sciq and winogrande, of
// every size below `directory` (lm-eval results, pythia-SIZE/SIZE_stepN.json), means of three
// neighbouring steps. `files` counts what was read.
struct NamedCurve {
  std::string model, task;  // "pythia-1.4b", "piqa"
  Curve curve;
};
Result<std::vector<NamedCurve>> ReadNamedCurves(const std::string& directory, int& files);
Result<std::vector<Curve>> ReadCurves(const std::string& directory, int& files);

enum class Scenario { kNoChange, kDrift, kOnTheBound, kSignChange };

struct Setting {
  int checkpoints = 1000;
  double steps = 143;  // between checkpoints
  int reasoning_items = 1000, truthfulness_items = 817;
  double checkpoint_noise = 0.005;  // standard deviation of a shift common to a checkpoint's items
  double autocorrelation = 0.5;     // of that shift between neighbouring checkpoints
};

// What is seen in one window, and what is true there.
struct WindowLook {
  EvidenceInput input;
  double true_reasoning = 0, true_contrast = 0;  // changes along the window's trend; of T + 0.1 R
  double seen_reasoning = 0, seen_truthfulness = 0;

  bool IsTax() const { return true_reasoning > 0 && true_contrast < 0; }
};

// The windows that end at one checkpoint, narrowest first.
struct Look {
  std::vector<WindowLook> windows;
};

// One run, checkpoint after checkpoint; windows as CouplingHistory makes them (8 checkpoints, at
// least 4, a quarter of a decade, and those 2 and 4 times as wide). The same seed gives the same
// run.
class Run {
 public:
  Run(const ItemPool& pool, const std::vector<Curve>& curves, Scenario scenario,
      const Setting& setting, std::uint64_t seed);
  ~Run();

  // Draws the next checkpoint. False where it has no window yet.
  bool Next(Look& look);
  int change()
      const;  // first checkpoint behind the change of sign; beyond the last if there is none
  // Scores of all items at checkpoint k ≤ the last drawn, for estimators that take items.
  std::vector<double> ReasoningItems(int k) const;
  std::vector<double> TruthfulnessItems(int k) const;
  double Step(int k) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace couplingd::simulated
