// Did what was expected of an intervention come about?
#pragma once

#include <optional>
#include <vector>

#include "records/alert.h"
#include "records/coupling.h"

namespace couplingd {

// What was measured of the same run or family since an alert fired, and of its other axis pairs.
struct Aftermath {
  // Newest estimate with γ on the alert's own axes and generation, past the alert's place; absent
  // where there is none.
  std::optional<CouplingEstimate> newest;
  // Places (checkpoints or sizes) that were estimated past the alert's.
  int places = 0;
  // Newest estimates of the other pairs of the same run or family.
  std::vector<CouplingEstimate> other_pairs;
};

// curate: γ rises, beyond the intervals of both (Zou and Donner 2008), from a window that shares no
// checkpoint with the one that fired. rotate: another tracked pair has a phase. investigate: the
// phase is told. widen and recipe: over scale as curate, with larger sizes; over steps they are
// about another run, which is for a comparison of runs to say. Everything else is undetermined, and
// the reason says what is missing. `before`: γ with both ends where the alert is about γ. Pure.
InterventionGrade GradeIntervention(const Intervention& intervention,
                                    const std::optional<CouplingEstimate>& before,
                                    const Aftermath& after);

}  // namespace couplingd
