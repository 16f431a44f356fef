#include "coupling/intervention_grade.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "coupling/interventions.h"

namespace couplingd {
namespace {

using enum GradeVerdict;

InterventionGrade Undetermined(std::string reason) {
  return {.verdict = kUndetermined, .reason = std::move(reason)};
}

PeerRun Ends(const CouplingEstimate& estimate) {
  return {
      .run = estimate.run, .gamma = *estimate.gamma, .low = *estimate.low, .high = *estimate.high};
}

std::string Place(const CouplingEstimate& estimate) {
  return estimate.over == CouplingOver::kSteps ? fmt::format("step {:.0f}", estimate.at)
                                               : fmt::format("{:.3g} parameters", estimate.at);
}

// How far γ rose, told apart from chance.
InterventionGrade GradeRise(const CouplingEstimate& before, const Aftermath& after) {
  const bool over_steps = before.over == CouplingOver::kSteps;
  if (!after.newest || !after.newest->low || !after.newest->high) {
    return Undetermined(over_steps ? "no estimate of γ since"
                                   : "no larger size was evaluated since");
  }
  const CouplingEstimate& now = *after.newest;
  if (over_steps && after.places < now.n) {
    return Undetermined(
        fmt::format("the newest window of {} checkpoints holds {} from before the alert", now.n,
                    now.n - after.places));
  }
  const CouplingChange change = ChangeOf(Ends(before), Ends(now));
  InterventionGrade grade{.change = change.value};
  if (std::isfinite(change.low)) grade.low = change.low;
  if (std::isfinite(change.high)) grade.high = change.high;
  const std::string numbers =
      fmt::format("γ went from {:+.2f} to {:+.2f} at {}, a change of {:+.2f} [{:+.2f}, {:+.2f}]",
                  *before.gamma, *now.gamma, Place(now), change.value, change.low, change.high);
  if (change.low > 0) {
    grade.verdict = kHolds;
    grade.reason = numbers + "; that it followed does not say that it was caused";
  } else if (change.high < 0) {
    grade.verdict = kDoesNotHold;
    grade.reason = numbers + ": it fell";
  } else {
    grade.reason = numbers + ", which holds 0";
  }
  return grade;
}

InterventionGrade GradeRotation(const Aftermath& after) {
  if (after.other_pairs.empty()) return Undetermined("no other axis pair is tracked on it yet");
  const auto told = std::ranges::find_if(after.other_pairs, [](const CouplingEstimate& estimate) {
    return estimate.gamma && estimate.phase != Phase::kUndetermined;
  });
  if (told != after.other_pairs.end()) {
    return {.verdict = kHolds,
            .reason = fmt::format("{} tells a phase: {}", told->axes, ToString(told->phase))};
  }
  return {
      .verdict = kDoesNotHold,
      .reason = fmt::format("none of the {} other pairs tells a phase", after.other_pairs.size())};
}

InterventionGrade GradeInvestigation(const Aftermath& after) {
  if (!after.newest) return Undetermined("no estimate of γ since");
  if (after.newest->phase != Phase::kUndetermined) {
    return {.verdict = kHolds,
            .reason = fmt::format("at {} the phase is told: {}", Place(*after.newest),
                                  ToString(after.newest->phase))};
  }
  return Undetermined(fmt::format("still undetermined at {}", Place(*after.newest)));
}

}  // namespace

InterventionGrade GradeIntervention(const Intervention& intervention,
                                    const std::optional<CouplingEstimate>& before,
                                    const Aftermath& after) {
  if (intervention.kind == "rotate") return GradeRotation(after);
  if (intervention.kind == "investigate") return GradeInvestigation(after);
  if (!before || !before->gamma || !before->low || !before->high) {
    return Undetermined("the alert holds no γ to compare with");
  }
  const bool of_next_run = intervention.kind == "widen" || intervention.kind == "recipe";
  if (of_next_run && before->over == CouplingOver::kSteps) {
    return Undetermined(
        "it is about another run: couplingctl compare tells the two runs apart once there is one");
  }
  return GradeRise(*before, after);
}

}  // namespace couplingd
