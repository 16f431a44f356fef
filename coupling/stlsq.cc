#include "coupling/stlsq.h"

#include <cmath>
#include <vector>

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

// Ridge regression on some columns, through the augmented system; zero elsewhere.
VectorXd Solve(const MatrixXd& library, const VectorXd& target, const std::vector<Index>& terms,
               double ridge) {
  VectorXd coefficients = VectorXd::Zero(library.cols());
  const auto count = static_cast<Index>(terms.size());
  if (count == 0) return coefficients;
  const Index rows = library.rows();
  MatrixXd system = MatrixXd::Zero(ridge > 0 ? rows + count : rows, count);
  VectorXd wanted = VectorXd::Zero(system.rows());
  system.topRows(rows) = library(Eigen::all, terms);
  wanted.head(rows) = target;
  if (ridge > 0) system.bottomRows(count).diagonal().setConstant(std::sqrt(ridge));
  const VectorXd solved = system.completeOrthogonalDecomposition().solve(wanted);
  coefficients(terms) = solved;
  return coefficients;
}

VectorXd FitTarget(const MatrixXd& library, const VectorXd& target, const StlsqOptions& options) {
  std::vector<Index> terms(library.cols());
  for (Index term = 0; term < library.cols(); ++term) terms[term] = term;
  VectorXd coefficients = VectorXd::Zero(library.cols());
  for (int i = 0; i < options.iterations; ++i) {
    coefficients = Solve(library, target, terms, options.ridge);
    const std::size_t before = terms.size();
    std::erase_if(terms,
                  [&](Index term) { return std::abs(coefficients[term]) < options.threshold; });
    if (terms.size() == before) break;
  }
  if (options.unbias) return Solve(library, target, terms, 0);
  VectorXd kept = VectorXd::Zero(library.cols());
  for (const Index term : terms) kept[term] = coefficients[term];
  return kept;
}

}  // namespace

Result<MatrixXd> FitStlsq(const MatrixXd& library, const MatrixXd& targets,
                          const StlsqOptions& options) {
  if (library.rows() == 0 || library.rows() != targets.rows() || !library.allFinite() ||
      !targets.allFinite() || options.threshold < 0 || options.ridge < 0) {
    return Fail(ErrorKind::kInvalidData,
                "sparse regression needs finite rows, as many of terms as of targets");
  }
  const Eigen::RowVectorXd lengths = options.normalize_columns
                                         ? library.colwise().norm().cwiseMax(1e-300).eval()
                                         : Eigen::RowVectorXd::Ones(library.cols()).eval();
  const MatrixXd scaled = library.array().rowwise() / lengths.array();
  MatrixXd coefficients(library.cols(), targets.cols());
  for (Index target = 0; target < targets.cols(); ++target) {
    coefficients.col(target) = FitTarget(scaled, targets.col(target), options);
  }
  return (coefficients.array().colwise() / lengths.transpose().array()).matrix().eval();
}

}  // namespace couplingd
