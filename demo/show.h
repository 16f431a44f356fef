// One whole demo: trains the ladder, lets the real daemon watch it, and shows what comes of it.
#pragma once

#include <string>

#include "base/result.h"
#include "demo/stage.h"

namespace couplingd {

struct ShowOptions {
  StageOptions stage;
  std::string programs;  // directory of couplingd, couplingctl, couplingd-demo-train
  int trainers = 2;      // at once
  bool quiet = false;    // no progress, only the outcome
};

// Returns when every checkpoint that was saved has been dealt with and the alerts are delivered.
// kCancelled after a SIGINT.
Status Show(const ShowOptions& options);

}  // namespace couplingd
