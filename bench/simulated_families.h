// Families of sizes with known truth, seen at one matched number of tokens after another.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "bench/simulated_runs.h"

namespace couplingd::simulated {

// One task over the steps of every size.
struct Ladder {
  std::vector<double> log_parameters;  // rising
  std::vector<Curve> curves;           // over log10 of the step
};
// The five tasks of ReadCurves, for the sizes pythia-70m to pythia-12b.
Result<std::vector<Ladder>> ReadLadders(const std::string& directory);

struct FamilySetting {
  int looks = 50;  // at as many steps, evenly spaced
  int least_sizes = 4;
  int reasoning_items = 1000, truthfulness_items = 817;
  double size_noise = 0.01;         // standard deviation of what a training seed adds for good
  double checkpoint_noise = 0.005;  // and of what every checkpoint adds
  double gamma = -0.1;              // between any two sizes
};

// Some neighbouring sizes of a ladder. Items are the same at every size and look; how a size
// departs from an item's margin stays. The same seed gives the same family.
class Family {
 public:
  Family(const ItemPool& pool, const std::vector<Ladder>& ladders, const FamilySetting& setting,
         std::uint64_t seed);
  ~Family();

  // What the next look sees over all sizes.
  WindowLook Next();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace couplingd::simulated
