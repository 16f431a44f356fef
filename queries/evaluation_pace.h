// How fast an evaluation goes, and when it will be done, from the amounts that it reports.
#pragma once

#include <chrono>
#include <optional>

namespace couplingd {

// Takes reports of `done` of `total`. The first one of a stage says what was there before anything
// was done, such as what an evaluation that was broken off had left: it counts as done and never as
// speed. Another total, or less done than before, begins a stage.
class EvaluationPace {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  void Take(double done, double total, TimePoint now);

  double fraction() const;  // 0 to 1
  // Until the stage is done, at its mean speed so far; absent until there is one.
  std::optional<std::chrono::milliseconds> Left(TimePoint now) const;

 private:
  double total_ = 0;
  double first_ = 0, done_ = 0;       // of the first and the last report
  TimePoint first_at_{}, done_at_{};  // when they came
};

}  // namespace couplingd
