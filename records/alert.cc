#include "records/alert.h"

namespace couplingd {

std::string_view ToString(Severity severity) {
  switch (severity) {
    case Severity::kInfo:
      return "info";
    case Severity::kWarning:
      return "warning";
    case Severity::kCritical:
      return "critical";
  }
  return "warning";
}

std::string_view ToString(AlertState state) {
  switch (state) {
    case AlertState::kPending:
      return "pending";
    case AlertState::kFiring:
      return "firing";
    case AlertState::kResolved:
      return "resolved";
  }
  return "resolved";
}

std::string_view ToString(GradeVerdict verdict) {
  switch (verdict) {
    case GradeVerdict::kHolds:
      return "holds";
    case GradeVerdict::kDoesNotHold:
      return "does not hold";
    case GradeVerdict::kUndetermined:
      return "undetermined";
  }
  return "undetermined";
}

std::optional<Severity> ParseSeverity(std::string_view text) {
  for (Severity severity : {Severity::kInfo, Severity::kWarning, Severity::kCritical}) {
    if (ToString(severity) == text) return severity;
  }
  return std::nullopt;
}

std::optional<AlertState> ParseAlertState(std::string_view text) {
  for (AlertState state : {AlertState::kPending, AlertState::kFiring, AlertState::kResolved}) {
    if (ToString(state) == text) return state;
  }
  return std::nullopt;
}

}  // namespace couplingd
