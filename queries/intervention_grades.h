// Grades of the interventions that alerts named, from what history holds since.
#pragma once

#include <vector>

#include "base/result.h"
#include "history/store.h"
#include "records/alert.h"
#include "records/coupling.h"

namespace couplingd {

// Grades depend on what is stored alone, so that they are the same after a restart.
class InterventionGrader {
 public:
  static Result<InterventionGrader> Read(HistoryReader& history);

  // One grade for each intervention of the alert.
  std::vector<InterventionGrade> Grade(const Alert& alert) const;

 private:
  std::vector<CouplingEstimate> couplings_;
};

}  // namespace couplingd
