#include "records/reproduction.h"

namespace couplingd {

std::string_view ToString(ReproductionVerdict verdict) {
  switch (verdict) {
    case ReproductionVerdict::kHolds:
      return "holds";
    case ReproductionVerdict::kWeak:
      return "weak";
    case ReproductionVerdict::kWrong:
      return "wrong";
    case ReproductionVerdict::kArtefact:
      return "artefact";
    case ReproductionVerdict::kUncheckable:
      return "cannot be checked";
  }
  return "";
}

}  // namespace couplingd
