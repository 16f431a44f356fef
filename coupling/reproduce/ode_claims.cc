#include <fmt/format.h>

#include <Eigen/Dense>
#include <cmath>

#include "base/random.h"
#include "coupling/reproduce/lever_claims.h"
#include "coupling/statistics.h"

namespace couplingd {
namespace {

using enum ReproductionVerdict;

// TruthfulQA's rate over log10 N against HellaSwag, both between neighbouring sizes.
struct RateFit {
  double slope = 0;
  int intervals = 0;
};

double SlopeOf(const Eigen::VectorXd& x, const Eigen::VectorXd& y) {
  const Eigen::VectorXd from_mean = x.array() - x.mean();
  return from_mean.dot(y) / from_mean.squaredNorm();
}

Eigen::VectorXd Rates(const Eigen::VectorXd& size, const Eigen::VectorXd& score) {
  const Eigen::Index n = size.size() - 1;
  return (score.tail(n) - score.head(n)).cwiseQuotient(size.tail(n) - size.head(n));
}

Eigen::VectorXd Middles(const Eigen::VectorXd& values) {
  const Eigen::Index n = values.size() - 1;
  return (values.tail(n) + values.head(n)) / 2;
}

// The Pythias of a range of sizes.
struct Ladder {
  Eigen::VectorXd size, hellaswag, truthfulqa;
};
Ladder PythiaBetween(const PublishedData& data, double least, double most) {
  auto models = FamilyOf(CleanedPanel(data.base), "Pythia");
  std::erase_if(models, [&](const PanelModel& model) {
    return model.parameters < least || model.parameters > most;
  });
  return {LogSizesOf(models), ScoresOf(models, &PanelModel::hellaswag),
          ScoresOf(models, &PanelModel::truthfulqa)};
}

// Half of the 95 % interval that the scores' noise alone gives the slope.
double NoiseHalfWidth(const Ladder& ladder, const ReproduceOptions& options) {
  Random random(options.seed);
  double squares = 0;
  const double truth = SlopeOf(Middles(ladder.hellaswag), Rates(ladder.size, ladder.truthfulqa));
  for (int i = 0; i < options.replicates; ++i) {
    Eigen::VectorXd noisy = ladder.truthfulqa;
    for (double& score : noisy) score += kMc2StandardError * random.Normal();
    const double slope = SlopeOf(Middles(ladder.hellaswag), Rates(ladder.size, noisy));
    squares += (slope - truth) * (slope - truth);
  }
  return NormalCritical(0.95) * std::sqrt(squares / options.replicates);
}

// Q of the matrix by Householder reflections, whose signs are those of LAPACK; or with the signs
// that make the triangle's diagonal positive.
Eigen::MatrixXd Orthogonal(const Eigen::MatrixXd& matrix, bool fixed_signs) {
  const Eigen::HouseholderQR<Eigen::MatrixXd> qr(matrix);
  Eigen::MatrixXd q = qr.householderQ();
  if (!fixed_signs) return q;
  for (Eigen::Index i = 0; i < q.cols(); ++i)
    if (qr.matrixQR()(i, i) < 0) q.col(i) = -q.col(i);
  return q;
}

}  // namespace

Claim PhaseRateJump(const PublishedData& data, const ReproduceOptions& options) {
  const auto row = [&](std::string quantity, std::optional<double> published, const Ladder& ladder,
                       std::string_view reason) {
    const double slope = SlopeOf(Middles(ladder.hellaswag), Rates(ladder.size, ladder.truthfulqa));
    const double half = NoiseHalfWidth(ladder, options);
    return ReproducedRow{.quantity = "HellaSwag's slope in TruthfulQA's rate, " + quantity,
                         .published = published,
                         .recomputed = slope,
                         .low = slope - half,
                         .high = slope + half,
                         .verdict = kArtefact,
                         .reason = fmt::format("{} intervals{}; the interval is what the scores' "
                                               "noise alone gives",
                                               ladder.size.size() - 1, reason)};
  };
  const Ladder tax = PythiaBetween(data, 60e6, 1.1e9), turn = PythiaBetween(data, 0.9e9, 3e9);
  const Ladder bonus = PythiaBetween(data, 2.5e9, 13e9);
  std::vector<ReproducedRow> rows = {
      row("70M to 1B", 0.120, tax, ""),
      row("1B to 2.8B", std::nullopt, turn, ": between the two the sign is opposite"),
      row("2.8B to 12B", 0.751, bonus, ": an exact fit")};
  rows.push_back({.quantity = "their ratio",
                  .published = 6.3,
                  .recomputed = *rows[2].recomputed / *rows[0].recomputed,
                  .verdict = kArtefact,
                  .reason = "of two slopes whose intervals both hold 0; the original's own output "
                            "says sign_flip false"});
  return rows;
}

Claim PhaseRotation(const PublishedData& data, const ReproduceOptions&) {
  const PhaseTransfer& typed = data.levers.transfer;
  const auto transfer = [&](bool fixed_signs) -> Eigen::MatrixXd {
    return Orthogonal(typed.bonus_vectors, fixed_signs) *
           Orthogonal(typed.tax_vectors, fixed_signs).transpose();
  };
  const Eigen::MatrixXd free = transfer(false), fixed = transfer(true);
  const double error = (free * typed.tax * free.transpose() - typed.bonus).norm();
  std::string diagonal;
  for (const double entry : fixed.diagonal()) diagonal += fmt::format(" {:.2f}", entry);
  return std::vector<ReproducedRow>{
      {.quantity = "phase transfer T = Q_b Q_tᵀ: smallest diagonal entry",
       .published = 0.99,
       .recomputed = free.diagonal().minCoeff(),
       .verdict = kArtefact,
       .reason = "QR of typed vectors, with the signs as the library leaves them"},
      {.quantity = "the same with the signs fixed",
       .recomputed = fixed.diagonal().minCoeff(),
       .verdict = kArtefact,
       .reason = fmt::format("the diagonal is{}: columns are defined up to their sign", diagonal)},
      {.quantity = "‖T A_tax Tᵀ − A_bonus‖",
       .published = typed.stored_error,
       .recomputed = error,
       .verdict = kArtefact,
       .reason = fmt::format("larger than the target itself, ‖A_bonus‖ = {:.3f}: a transfer to "
                             "nothing errs less",
                             typed.bonus.norm())}};
}

Claim RankOneChange(const PublishedData& data, const ReproduceOptions&) {
  const PhaseTransfer& typed = data.levers.transfer;
  const Eigen::MatrixXd change = typed.bonus - typed.tax;
  const Eigen::JacobiSVD<Eigen::MatrixXd> svd(change, Eigen::ComputeFullU | Eigen::ComputeFullV);
  const Eigen::VectorXd values = svd.singularValues();
  const Eigen::VectorXd left = svd.matrixU().col(0) * (svd.matrixU()(0, 0) < 0 ? -1 : 1);
  const std::string reason = "of the coefficients that stand in the repository";
  return std::vector<ReproducedRow>{{.quantity = "ΔA, first singular value",
                                     .published = 0.83,
                                     .recomputed = values[0],
                                     .verdict = kWrong,
                                     .reason = reason},
                                    {.quantity = "ΔA, second singular value",
                                     .published = 0.14,
                                     .recomputed = values[1],
                                     .verdict = kWrong,
                                     .reason = reason},
                                    {.quantity = "TruthfulQA in the leading left vector",
                                     .published = 0.61,
                                     .recomputed = left[1],
                                     .verdict = kWrong,
                                     .reason = fmt::format("it is HellaSwag's: {:.2f}", left[0])}};
}

}  // namespace couplingd
