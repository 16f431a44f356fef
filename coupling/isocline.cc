#include "coupling/isocline.h"

#include <cmath>

namespace couplingd {

double IsoclineTruthfulness(double reasoning, double ratio) { return std::sqrt(ratio * reasoning); }

IsoclineSigns CountIsoclineHits(const Eigen::VectorXd& reasoning,
                                const Eigen::VectorXd& truthfulness, double ratio) {
  IsoclineSigns hits;
  for (Eigen::Index k = 0; k + 1 < reasoning.size(); ++k) {
    const double gamma =
        (truthfulness[k + 1] - truthfulness[k]) / (reasoning[k + 1] - reasoning[k]);
    const double above = truthfulness[k] - IsoclineTruthfulness(reasoning[k], ratio);
    hits.above_is_falling += above * gamma < 0;
    hits.above_is_rising += above * gamma > 0;
    hits.always_falling += gamma < 0;
    ++hits.n;
  }
  return hits;
}

}  // namespace couplingd
