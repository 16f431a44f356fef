#include "coupling/score_methods.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "coupling/ode_panel.h"
#include "coupling/statistics.h"

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;
using Guess = std::optional<double>;

constexpr double kLeastStep = 1e-9;  // two sizes of one position are no interval

// Every interval between neighbouring places that is known: visit(trajectory, index of its start).
template <typename Visit>
void ForEachInterval(const ScoreQuestion& q, Index first, Visit visit) {
  const auto walk = [&](const ScoreTrajectory& of, Index places) {
    for (Index k = first; k + 1 < places; ++k) {
      if (of.positions[k + 1] - of.positions[k] > kLeastStep) visit(of, k);
    }
  };
  for (const ScoreTrajectory& of : q.pool) walk(of, of.positions.size());
  walk(q.own, q.seen);
}

double Rate(const ScoreTrajectory& of, Index start, Index axis) {
  return (of.scores(start + 1, axis) - of.scores(start, axis)) /
         (of.positions[start + 1] - of.positions[start]);
}

Guess LastValue(const ScoreQuestion& q) { return q.LastScore(); }

Guess Line(const ScoreQuestion& q) {
  if (q.seen < 2 || q.LastPosition() - q.own.positions[q.seen - 2] <= kLeastStep) return {};
  return q.LastScore() + Rate(q.own, q.seen - 2, q.axis) * (q.at - q.LastPosition());
}

// Places of `own` within `decades` of the last, but at least `least`.
Index FirstWithin(const ScoreQuestion& q, double decades, Index least) {
  Index first = q.seen - std::min(q.seen, least);
  while (first > 0 && q.own.positions[first - 1] >= q.LastPosition() - decades) --first;
  return first;
}

Guess LineFrom(const ScoreQuestion& q, Index first) {
  const Index count = q.seen - first;
  const auto fit = FitPolynomial(q.own.positions.segment(first, count),
                                 q.own.scores.col(q.axis).segment(first, count), 1);
  return fit ? Guess((*fit)(q.at)) : std::nullopt;
}

Guess LineAll(const ScoreQuestion& q) { return LineFrom(q, 0); }
Guess LineDecade(const ScoreQuestion& q) { return LineFrom(q, FirstWithin(q, 1, 3)); }

Guess PowerLaw(const ScoreQuestion& q) {
  const Index first = FirstWithin(q, 1.5, 2), count = q.seen - first;
  const VectorXd error =
      (1 - q.own.scores.col(q.axis).segment(first, count).array()).max(1e-6).log().matrix();
  const auto fit = FitPolynomial(q.own.positions.segment(first, count), error, 1);
  if (!fit) return {};
  return 1 - std::exp(error[count - 1] + fit->coefficients[1] * (q.at - q.LastPosition()));
}

Guess PooledQuadratic(const ScoreQuestion& q) {
  Index rows = q.seen;
  for (const ScoreTrajectory& of : q.pool) rows += of.positions.size();
  VectorXd x(rows), y(rows);
  Index row = 0;
  const auto add = [&](const ScoreTrajectory& of, Index places) {
    x.segment(row, places) = of.positions.head(places);
    y.segment(row, places) = of.scores.col(q.axis).head(places);
    row += places;
  };
  for (const ScoreTrajectory& of : q.pool) add(of, of.positions.size());
  add(q.own, q.seen);
  const auto fit = FitPolynomial(x, y, 2);
  if (!fit) return {};
  return q.LastScore() + (*fit)(q.at) - (*fit)(q.LastPosition());
}

double Interpolate(const ScoreTrajectory& of, Index axis, double at) {
  Index k = 1;
  while (k + 1 < of.positions.size() && of.positions[k] < at) ++k;
  const double share = (at - of.positions[k - 1]) / (of.positions[k] - of.positions[k - 1]);
  return of.scores(k - 1, axis) + share * (of.scores(k, axis) - of.scores(k - 1, axis));
}

Guess PooledChange(const ScoreQuestion& q) {
  double sum = 0;
  int count = 0;
  for (const ScoreTrajectory& of : q.pool) {
    const Index places = of.positions.size();
    if (places < 2 || of.positions[0] > q.LastPosition() + kLeastStep ||
        of.positions[places - 1] < q.at - kLeastStep) {
      continue;
    }
    sum += Interpolate(of, q.axis, q.at) - Interpolate(of, q.axis, q.LastPosition());
    ++count;
  }
  if (count < 2) return {};
  return q.LastScore() + sum / count;
}

struct RateTerms {
  bool level = false;
  bool trend = false;
};

// The regressors of a rate over an interval whose middle is `middle` and whose start is `start`.
VectorXd TermsOf(const RateTerms& terms, const ScoreTrajectory& of, Index start, double middle,
                 Index axis) {
  VectorXd row(2 + terms.level + terms.trend);
  row[0] = 1;
  row[1] = middle - 9;  // near the places of both axes, for conditioning
  Index next = 2;
  if (terms.level) row[next++] = of.scores(start, 0);
  if (terms.trend) row[next++] = Rate(of, start - 1, axis);
  return row;
}

// Least squares; absent unless there are two more rows than terms and the terms can be told apart.
std::optional<VectorXd> Solve(const std::vector<VectorXd>& rows,
                              const std::vector<double>& values) {
  const auto count = static_cast<Index>(rows.size());
  if (count == 0 || count < rows[0].size() + 2) return {};
  MatrixXd system(count, rows[0].size());
  for (Index row = 0; row < count; ++row) system.row(row) = rows[row].transpose();
  const Eigen::ColPivHouseholderQR<MatrixXd> qr(system);
  if (qr.rank() < system.cols()) return {};
  return qr.solve(Eigen::Map<const VectorXd>(values.data(), count)).eval();
}

Guess FollowRate(const ScoreQuestion& q, const RateTerms& terms, Index axis) {
  const Index first = terms.trend ? 1 : 0;
  if (q.seen <= first ||
      (terms.trend && q.LastPosition() - q.own.positions[q.seen - 2] <= kLeastStep)) {
    return {};
  }
  std::vector<VectorXd> rows;
  std::vector<double> rates;
  ForEachInterval(q, first, [&](const ScoreTrajectory& of, Index k) {
    if (terms.trend && of.positions[k] - of.positions[k - 1] <= kLeastStep) return;
    rows.push_back(TermsOf(terms, of, k, (of.positions[k] + of.positions[k + 1]) / 2, axis));
    rates.push_back(Rate(of, k, axis));
  });
  const auto coefficients = Solve(rows, rates);
  if (!coefficients) return {};
  const VectorXd here = TermsOf(terms, q.own, q.seen - 1, (q.LastPosition() + q.at) / 2, axis);
  return q.own.scores(q.seen - 1, axis) + coefficients->dot(here) * (q.at - q.LastPosition());
}

Guess RateOnly(const ScoreQuestion& q) { return FollowRate(q, {}, q.axis); }
Guess RateLevel(const ScoreQuestion& q) { return FollowRate(q, {.level = true}, q.axis); }
Guess RateTrend(const ScoreQuestion& q) { return FollowRate(q, {.trend = true}, q.axis); }
Guess RateLevelTrend(const ScoreQuestion& q) {
  return FollowRate(q, {.level = true, .trend = true}, q.axis);
}

// Change of the score while reasoning goes from one level to another: γ quadratic in the middle.
VectorXd CurveTerms(double from, double to) {
  const double middle = (from + to) / 2;
  return Eigen::Vector3d(1, middle, middle * middle) * (to - from);
}

Guess CouplingCurve(const ScoreQuestion& q) {
  if (q.axis == 0) return {};
  const Guess reasoning = FollowRate(q, {.trend = true}, 0);
  if (!reasoning) return {};
  std::vector<VectorXd> rows;
  std::vector<double> changes;
  ForEachInterval(q, 0, [&](const ScoreTrajectory& of, Index k) {
    rows.push_back(CurveTerms(of.scores(k, 0), of.scores(k + 1, 0)));
    changes.push_back(of.scores(k + 1, q.axis) - of.scores(k, q.axis));
  });
  const auto curve = Solve(rows, changes);
  if (!curve) return {};
  return q.LastScore() + curve->dot(CurveTerms(q.own.scores(q.seen - 1, 0), *reasoning));
}

Guess Ode(const ScoreQuestion& q) {
  std::vector<OdeGroup> groups;
  const auto add = [&](const ScoreTrajectory& of, Index places) {
    std::vector<Index> kept;
    for (Index k = 0; k < places; ++k) {
      if (kept.empty() || of.positions[k] - of.positions[kept.back()] > kLeastStep)
        kept.push_back(k);
    }
    MatrixXd scores(static_cast<Index>(kept.size()), q.axis == 0 ? 1 : 2);
    scores.col(0) = of.scores.col(0)(kept);
    if (q.axis != 0) scores.col(1) = of.scores.col(q.axis)(kept);
    groups.push_back({of.name, of.positions(kept), scores});
  };
  for (const ScoreTrajectory& of : q.pool) add(of, of.positions.size());
  add(q.own, q.seen);
  const auto fit = FitPanelOde(groups);
  if (!fit) return {};
  const MatrixXd& own = groups.back().scores;
  const auto states =
      IntegrateOde(fit->models.back(), q.LastPosition(), own.row(own.rows() - 1).transpose(),
                   VectorXd::Constant(1, q.at), 3);
  if (!states) return {};
  return (*states)(0, states->cols() - 1);
}

constexpr std::array kMethods{ScoreMethod{"last-value", true, LastValue},
                              ScoreMethod{"line", true, Line},
                              ScoreMethod{"line-all", true, LineAll},
                              ScoreMethod{"line-decade", true, LineDecade},
                              ScoreMethod{"power-law", true, PowerLaw},
                              ScoreMethod{"pooled-quadratic", true, PooledQuadratic},
                              ScoreMethod{"pooled-change", false, PooledChange},
                              ScoreMethod{"rate", false, RateOnly},
                              ScoreMethod{"rate-level", false, RateLevel},
                              ScoreMethod{"rate-trend", false, RateTrend},
                              ScoreMethod{"rate-level-trend", false, RateLevelTrend},
                              ScoreMethod{"coupling-curve", false, CouplingCurve},
                              ScoreMethod{"ode", false, Ode}};

}  // namespace

std::span<const ScoreMethod> ScoreMethods() { return kMethods; }

}  // namespace couplingd
