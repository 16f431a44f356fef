#include "queries/evaluation_pace.h"

#include <algorithm>

namespace couplingd {

void EvaluationPace::Take(double done, double total, TimePoint now) {
  if (total != total_ || done < done_) {
    total_ = total;
    first_ = done;
    first_at_ = now;
  }
  done_ = done;
  done_at_ = now;
}

double EvaluationPace::fraction() const {
  return total_ > 0 ? std::clamp(done_ / total_, 0.0, 1.0) : 0;
}

std::optional<std::chrono::milliseconds> EvaluationPace::Left(TimePoint now) const {
  using Seconds = std::chrono::duration<double>;
  const double took = Seconds(done_at_ - first_at_).count();
  if (done_ <= first_ || took <= 0) return std::nullopt;
  const double from_last = std::max(0.0, total_ - done_) * took / (done_ - first_);
  const double left = std::max(0.0, from_last - Seconds(now - done_at_).count());
  return std::chrono::duration_cast<std::chrono::milliseconds>(Seconds(left));
}

}  // namespace couplingd
