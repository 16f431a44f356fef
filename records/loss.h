// The training loss of a run, as its trainer logged it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace couplingd {

struct LossPoint {
  std::int64_t step = 0;
  std::optional<double> tokens;  // where the log says; else the run's tokens per step count
  double loss = 0;               // nats per token, or whatever the trainer logs; finite
};

// A point with what it belongs to.
struct LossRow {
  std::string run;
  std::string family;
  int generation = 1;
  std::optional<double> parameters;  // of the run
  LossPoint point;
  std::string source;  // the file it was read from
};

}  // namespace couplingd
