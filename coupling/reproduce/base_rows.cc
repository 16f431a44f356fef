#include <array>

#include "coupling/reproduce/base_claims.h"

namespace couplingd {

std::span<const Reproduction> BaseReproductions() {
  static constexpr std::array kClaims = {
      Reproduction{1, PythiaCorrelation},   Reproduction{2, TurnOfTheFourteen},
      Reproduction{3, LineOverTheFourteen}, Reproduction{4, OdeInSample},
      Reproduction{5, HeldOutLlama2},       Reproduction{6, WidthNormalisation},
      Reproduction{7, PythiaEigenvalues},   Reproduction{32, BasePanelCorrelation},
      Reproduction{33, SignChange},         Reproduction{34, OlmoCoupling},
      Reproduction{35, LossBlind},          Reproduction{39, OtherPairs},
  };
  return kClaims;
}

}  // namespace couplingd
