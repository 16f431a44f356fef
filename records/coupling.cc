#include "records/coupling.h"

namespace couplingd {

std::optional<TaskMetric> TaskMetric::Parse(std::string_view text) {
  const std::size_t dot = text.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || dot + 1 == text.size()) return std::nullopt;
  return TaskMetric{std::string(text.substr(0, dot)), std::string(text.substr(dot + 1))};
}

std::string_view ToString(CouplingOver over) {
  return over == CouplingOver::kSteps ? "steps" : "scale";
}

std::string_view ToString(Phase phase) {
  switch (phase) {
    case Phase::kTax:
      return "tax";
    case Phase::kTransition:
      return "transition";
    case Phase::kBonus:
      return "bonus";
    case Phase::kUndetermined:
      return "undetermined";
  }
  return "undetermined";
}

std::optional<Phase> ParsePhase(std::string_view text) {
  for (Phase phase : {Phase::kTax, Phase::kTransition, Phase::kBonus, Phase::kUndetermined}) {
    if (ToString(phase) == text) return phase;
  }
  return std::nullopt;
}

}  // namespace couplingd
