// What is true in a trial of delivery, whatever the alerts say.
#pragma once

#include <string>
#include <vector>

#include "records/alert.h"
#include "tests/alerts/delivery_figures.h"

namespace couplingd::testing {

// What may hold of the two runs.
struct Condition {
  std::string rule, run, subject;
  bool holds = false;
};

std::string KeyOf(const Condition& condition);

// How things stand at the end by the newest alerts; alerts that are missing or should be over are
// added to the figures. `inhibits`: a run's other alerts are held back while its checkpoint is
// overdue.
FinalState EndOf(const std::vector<Condition>& world, const std::vector<Alert>& alerts,
                 bool inhibits, Figures& figures);

}  // namespace couplingd::testing
