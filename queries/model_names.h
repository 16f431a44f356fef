// What the names of published models say.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace couplingd {

struct NamedModel {
  std::string run;     // "pythia-70m"
  std::string family;  // "pythia"
  std::optional<double> parameters;
  std::optional<int> d_model;
  std::optional<double> tokens_per_step;
};

// `name` is "ORGANISATION/MODEL", a model's name, or a local path whose last part that is no
// checkpoint's name is taken. The Pythia models (Biderman et al. 2023; total parameters and widths
// from their model cards, 1024 sequences of 2048 tokens per step) are known with everything; their
// revision v0, whose batch sizes differ, is not. Any other name gives the run as it stands and the
// family without its size ("Llama-3.2-1B": family "Llama-3.2"); a size in a name is rounded, so
// parameters stay unknown.
NamedModel RecogniseModel(std::string_view name);

}  // namespace couplingd
