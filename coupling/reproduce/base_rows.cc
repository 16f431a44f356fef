#include <array>

#include "coupling/reproduce/base_claims.h"

namespace couplingd {

std::span<const Reproduction> BaseReproductions() {
  static constexpr std::array kClaims = {
      Reproduction{1, PythiaCorrelation},
      Reproduction{2, TurnOfTheFourteen},
      Reproduction{3, LineOverTheFourteen},
  };
  return kClaims;
}

}  // namespace couplingd
