#include "coupling/ode_ensemble.h"

#include <fmt/format.h>

#include <set>

#include "base/random.h"
#include "coupling/statistics.h"

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;

// Rows drawn with replacement; how many are different goes to `distinct`.
OdeRows Bag(const OdeRows& rows, Random& random, Index& distinct) {
  const Index count = rows.states.rows();
  std::vector<Index> drawn(count);
  for (Index& row : drawn) row = static_cast<Index>(random.Index(count));
  distinct = static_cast<Index>(std::set<Index>(drawn.begin(), drawn.end()).size());
  return {rows.states(drawn, Eigen::all), rows.derivatives(drawn, Eigen::all)};
}

void Summarise(const std::vector<MatrixXd>& coefficients, double level, OdeEnsemble& ensemble) {
  ensemble.replicates = static_cast<int>(coefficients.size());
  MatrixXd& inclusion = ensemble.inclusion;
  inclusion = ensemble.low = ensemble.high =
      MatrixXd::Zero(coefficients[0].rows(), coefficients[0].cols());
  for (Index i = 0; i < inclusion.size(); ++i) {
    std::vector<double> values;
    for (const MatrixXd& drawn : coefficients) {
      values.push_back(drawn.data()[i]);
      inclusion.data()[i] += drawn.data()[i] != 0;
    }
    inclusion.data()[i] /= ensemble.replicates;
    const Interval interval = CentralInterval(std::move(values), level);
    ensemble.low.data()[i] = interval.low;
    ensemble.high.data()[i] = interval.high;
  }
}

}  // namespace

OdeRows StackOdeRows(const std::vector<OdeRows>& runs) {
  Index rows = 0, next = 0;
  for (const OdeRows& run : runs) rows += run.states.rows();
  const Index axes = runs.empty() ? 0 : runs[0].states.cols();
  OdeRows stacked{MatrixXd(rows, axes), MatrixXd(rows, axes)};
  for (const OdeRows& run : runs) {
    stacked.states.middleRows(next, run.states.rows()) = run.states;
    stacked.derivatives.middleRows(next, run.states.rows()) = run.derivatives;
    next += run.states.rows();
  }
  return stacked;
}

Result<OdeEnsemble> FitOdeEnsemble(const OdeRows& rows, const std::vector<OdeRows>& items,
                                   const OdeEnsembleOptions& options) {
  if (options.replicates < 100) {
    return Fail(ErrorKind::kUsage, "an ensemble needs at least 100 replicates");
  }
  OdeEnsemble ensemble;
  ensemble.fit = TRY(FitOdeRows(rows, options.degree));
  const Index terms = OdeTerms(rows.states.cols(), options.degree);
  Random random(options.seed);
  std::vector<MatrixXd> coefficients;
  for (int b = 0; b < options.replicates; ++b) {
    Index distinct = 0;
    const OdeRows drawn = Bag(items.empty() ? rows : items[b % items.size()], random, distinct);
    if (distinct < terms) continue;
    auto fit = FitOdeAtThreshold(drawn, options.degree, ensemble.fit.threshold);
    if (fit) coefficients.push_back(std::move(fit->model.coefficients));
  }
  if (coefficients.size() < 50) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{} intervals are too few to draw from: {} of {} draws could be fitted",
                            rows.states.rows(), coefficients.size(), options.replicates));
  }
  Summarise(coefficients, options.level, ensemble);
  return ensemble;
}

std::vector<std::string> OdeTermNames(const std::vector<std::string>& axes, int degree) {
  std::vector<std::string> names{"1"};
  names.insert(names.end(), axes.begin(), axes.end());
  if (degree < 2) return names;
  for (std::size_t j = 0; j < axes.size(); ++j) {
    for (std::size_t k = j; k < axes.size(); ++k) {
      names.push_back(j == k ? axes[j] + "²" : axes[j] + "·" + axes[k]);
    }
  }
  return names;
}

}  // namespace couplingd
