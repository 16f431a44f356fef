#include "coupling/ode.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/numeric/odeint/external/eigen/eigen_algebra.hpp>
#include <boost/numeric/odeint/stepper/generation.hpp>
#include <boost/numeric/odeint/stepper/runge_kutta_dopri5.hpp>
#include <cmath>
#include <exception>
#include <limits>
#include <vector>

#include "coupling/stlsq.h"

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;
using State = std::vector<double>;

Eigen::Map<const VectorXd> AsVector(const State& state) {
  return {state.data(), static_cast<Index>(state.size())};
}

// The trajectory, evaluated at places that rise. Once it has left the bounds it stays lost.
class Trajectory {
 public:
  Trajectory(const OdeModel& model, double from, const VectorXd& start, double first_step,
             double bound)
      : model_(model),
        bound_(bound),
        end_(from),
        state_(start.data(), start.data() + start.size()) {
    stepper_.initialize(state_, from, first_step);
  }

  // False once the trajectory has left the bounds.
  bool MoveTo(double place) {
    constexpr int kMostSteps = 100000;
    while (end_ < place && !is_lost_) {
      if (++steps_ > kMostSteps) is_lost_ = true;
      end_ = stepper_
                 .do_step([this](const State& state, State& derivative, double) {
                   const VectorXd value = model_.Derivative(AsVector(state));
                   derivative.assign(value.begin(), value.end());
                 })
                 .second;
      if (!IsInside(stepper_.current_state())) is_lost_ = true;
    }
    if (is_lost_) return false;
    if (steps_ > 0) stepper_.calc_state(place, state_);
    return IsInside(state_);
  }
  VectorXd Now() const { return AsVector(state_); }

 private:
  bool IsInside(const State& state) const {
    return std::ranges::all_of(state, [&](double value) { return std::abs(value) <= bound_; });
  }

  using Stepper = boost::numeric::odeint::runge_kutta_dopri5<State>;
  const OdeModel& model_;
  double bound_;
  boost::numeric::odeint::result_of::make_dense_output<Stepper>::type stepper_ =
      boost::numeric::odeint::make_dense_output(1e-9, 1e-9, Stepper());
  double end_;
  State state_;
  int steps_ = 0;
  bool is_lost_ = false;
};

OdeRows WithoutRow(const OdeRows& rows, Index left_out) {
  std::vector<Index> kept;
  for (Index row = 0; row < rows.states.rows(); ++row) {
    if (row != left_out) kept.push_back(row);
  }
  return {rows.states(kept, Eigen::all), rows.derivatives(kept, Eigen::all)};
}

double LeaveOneOutError(const OdeRows& rows, int degree, double threshold) {
  double sum = 0;
  for (Index row = 0; row < rows.states.rows(); ++row) {
    const auto fit = FitOdeAtThreshold(WithoutRow(rows, row), degree, threshold);
    if (!fit) return std::numeric_limits<double>::infinity();
    const VectorXd predicted = fit->model.Derivative(rows.states.row(row).transpose());
    sum += (rows.derivatives.row(row).transpose() - predicted).squaredNorm();
  }
  return sum;
}

// Just above every coefficient of the dense fit: the thresholds at which the selection can change.
std::vector<double> CandidateThresholds(const MatrixXd& dense) {
  std::vector<double> candidates{0};
  for (Index i = 0; i < dense.size(); ++i) candidates.push_back(std::abs(dense.data()[i]) * 1.0001);
  std::ranges::sort(candidates);
  return candidates;
}

}  // namespace

VectorXd OdeModel::Derivative(const VectorXd& state) const {
  const Index axes = state.size();
  VectorXd value = coefficients.row(0).transpose();
  for (Index i = 0; i < axes; ++i) value += coefficients.row(1 + i).transpose() * state[i];
  if (degree < 2) return value;
  Index term = 1 + axes;
  for (Index j = 0; j < axes; ++j) {
    for (Index k = j; k < axes; ++k) {
      value += coefficients.row(term++).transpose() * (state[j] * state[k]);
    }
  }
  return value;
}

Index OdeTerms(Index axes, int degree) {
  return 1 + axes + (degree >= 2 ? axes * (axes + 1) / 2 : 0);
}

MatrixXd OdeLibrary(const MatrixXd& states, int degree) {
  const Index axes = states.cols();
  MatrixXd library(states.rows(), OdeTerms(axes, degree));
  library.col(0).setOnes();
  library.middleCols(1, axes) = states;
  if (degree < 2) return library;
  Index term = 1 + axes;
  for (Index j = 0; j < axes; ++j) {
    for (Index k = j; k < axes; ++k)
      library.col(term++) = states.col(j).cwiseProduct(states.col(k));
  }
  return library;
}

OdeRows MakeOdeRows(const VectorXd& x, const MatrixXd& scores) {
  const Index rows = std::max<Index>(0, scores.rows() - 1);
  OdeRows made{MatrixXd(rows, scores.cols()), MatrixXd(rows, scores.cols())};
  for (Index row = 0; row < rows; ++row) {
    made.states.row(row) = (scores.row(row) + scores.row(row + 1)) / 2;
    made.derivatives.row(row) = (scores.row(row + 1) - scores.row(row)) / (x[row + 1] - x[row]);
  }
  return made;
}

Result<OdeFit> FitOdeAtThreshold(const OdeRows& rows, int degree, double threshold) {
  const MatrixXd library = OdeLibrary(rows.states, degree);
  OdeFit fit{
      .model = {.degree = degree,
                .coefficients = TRY(FitStlsq(library, rows.derivatives, {.threshold = threshold}))},
      .threshold = threshold};
  fit.residuals = rows.derivatives - library * fit.model.coefficients;
  return fit;
}

Result<OdeFit> FitOde(const VectorXd& x, const MatrixXd& scores, int degree) {
  return FitOdeRows(MakeOdeRows(x, scores), degree);
}

Result<OdeFit> FitOdeRows(const OdeRows& rows, int degree) {
  const Index terms = OdeTerms(rows.states.cols(), degree);
  if (rows.states.rows() <= terms) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{} intervals for {} coefficients per equation leave no degrees of "
                            "freedom",
                            rows.states.rows(), terms),
                fmt::format("{} more places are needed", terms + 1 - rows.states.rows()));
  }
  const OdeFit dense = TRY(FitOdeAtThreshold(rows, degree, 0));
  double best = 0, best_error = std::numeric_limits<double>::infinity();
  for (const double threshold : CandidateThresholds(dense.model.coefficients)) {
    const double error = LeaveOneOutError(rows, degree, threshold);
    if (error <= best_error) {
      best = threshold;
      best_error = error;
    }
  }
  return FitOdeAtThreshold(rows, degree, best);
}

Result<MatrixXd> IntegrateOde(const OdeModel& model, double from, const VectorXd& start,
                              const VectorXd& at, double bound) {
  MatrixXd states(at.size(), start.size());
  const double span = at.size() > 0 ? at[at.size() - 1] - from : 0;
  try {
    Trajectory trajectory(model, from, start, std::max(span, 1e-6) / 100, bound);
    for (Index k = 0; k < at.size(); ++k) {
      if (!trajectory.MoveTo(at[k])) {
        return Fail(ErrorKind::kInvalidData,
                    fmt::format("the ODE's trajectory diverges before {:.3f}", at[k]));
      }
      states.row(k) = trajectory.Now().transpose();
    }
  } catch (const std::exception& failure) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("the ODE cannot be integrated: {}", failure.what()));
  }
  return states;
}

std::optional<double> FirstSignChange(const OdeModel& model, double from, const VectorXd& start,
                                      double to, Index first_axis, Index second_axis,
                                      double bound) {
  constexpr int kGrid = 400;
  const double step = (to - from) / kGrid;
  if (!(step > 0)) return std::nullopt;
  const auto rates = [&](const VectorXd& state) {
    const VectorXd derivative = model.Derivative(state);
    return std::pair{derivative[first_axis], derivative[second_axis]};
  };
  try {
    Trajectory trajectory(model, from, start, step, bound);
    auto [first_before, second_before] = rates(start);
    for (int k = 1; k <= kGrid; ++k) {
      if (!trajectory.MoveTo(from + k * step)) return std::nullopt;
      const auto [first, second] = rates(trajectory.Now());
      const bool first_turns = first * first_before < 0, second_turns = second * second_before < 0;
      if (first_turns != second_turns) {
        const double before = second_turns ? second_before : first_before;
        const double after = second_turns ? second : first;
        return from + (k - 1) * step + step * before / (before - after);
      }
      if (first != 0) first_before = first;
      if (second != 0) second_before = second;
    }
  } catch (const std::exception&) {
    return std::nullopt;  // the stepper found no step size: the trajectory diverges
  }
  return std::nullopt;
}

}  // namespace couplingd
