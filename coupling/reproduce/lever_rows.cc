#include "coupling/reproduce/reproduce.h"

namespace couplingd {

std::span<const Reproduction> LeverReproductions() { return {}; }

}  // namespace couplingd
