#include <array>
#include <cmath>

#include "coupling/reproduce/lever_claims.h"

namespace couplingd {

double CouplingStandardError(double hellaswag1, double truthfulqa1, double hellaswag2,
                             double truthfulqa2) {
  constexpr double kHellaSwagItems = 10042;
  const double change = hellaswag2 - hellaswag1;
  const double gamma = (truthfulqa2 - truthfulqa1) / change;
  const double reasoning =
      (hellaswag1 * (1 - hellaswag1) + hellaswag2 * (1 - hellaswag2)) / kHellaSwagItems;
  const double truthfulness = 2 * kMc2StandardError * kMc2StandardError;
  return std::sqrt(truthfulness + gamma * gamma * reasoning) / std::abs(change);
}

std::span<const Reproduction> LeverReproductions() {
  static constexpr std::array kClaims = {
      Reproduction{8, FrontierLine},         Reproduction{9, FrontierHoldout},
      Reproduction{10, PhaseDimensions},     Reproduction{11, IsoclineHits},
      Reproduction{12, PhiEquivalence},      Reproduction{13, QwenGenerations},
      Reproduction{14, QwenSevenToEight},    Reproduction{15, GemmaEquivalence},
      Reproduction{16, RecipeAsLever},       Reproduction{17, CompetingHeads},
      Reproduction{18, OutputBottleneck},    Reproduction{19, WiderProjection},
      Reproduction{20, AttentionCoupling},   Reproduction{21, SecondTransition},
      Reproduction{22, CouplingFixedPoint},  Reproduction{23, RotationTrigger},
      Reproduction{24, FrontierCorrelation}, Reproduction{25, LabFields},
      Reproduction{26, LaterFrontier},       Reproduction{27, FrontierTriple},
      Reproduction{28, SteeringTrend},       Reproduction{29, PhaseRateJump},
      Reproduction{30, PhaseRotation},       Reproduction{31, RankOneChange},
      Reproduction{36, GradientScaling},     Reproduction{37, SoftMode},
      Reproduction{38, LockedSlope},
  };
  return kClaims;
}

}  // namespace couplingd
