// A sink that is away for days, on a virtual clock, while alerts fire and end all the time.
#pragma once

#include <cstdint>
#include <string>

#include "tests/alerts/delivery_figures.h"

namespace couplingd::testing {

struct OutageOptions {
  std::string directory;  // made and removed
  std::uint64_t seed = 1;
  int hours = 72;
  int runs = 40;             // with three alerts each
  int transitions = 20'000;  // in that time
};

struct OutageFigures {
  Figures figures;
  std::int64_t growth_bytes = 0;        // of the database and its log
  std::int64_t attempts_in_vain = 0;    // at the sink that was away
  double fallback_minutes = -1;         // until the fallback heard the first word; -1: never
  double slowest_fallback_minutes = 0;  // of any alert that the sink was not told of
  double catch_up_minutes = 0;          // from the sink's return to the empty outbox
};

OutageFigures RunOutage(const OutageOptions& options);

}  // namespace couplingd::testing
