#include "queries/loss_curve.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::VectorXd;

VectorXd ToVector(const std::vector<double>& values) {
  return Eigen::Map<const VectorXd>(values.data(), static_cast<Index>(values.size()));
}

LossCurve MakeCurve(const std::vector<LossRow>& rows) {
  LossCurve curve{.run = rows[0].run,
                  .family = rows[0].family,
                  .generation = rows[0].generation,
                  .parameters = rows[0].parameters};
  curve.has_tokens = std::ranges::all_of(rows, [](const LossRow& row) {
    return row.point.step == 0 || (row.point.tokens && *row.point.tokens > 0);
  });
  std::vector<double> x, loss;
  for (const LossRow& row : rows) {
    const double place =
        curve.has_tokens ? row.point.tokens.value_or(0) : static_cast<double>(row.point.step);
    if (!(place > 0) || (!x.empty() && place <= x.back())) continue;
    x.push_back(place);
    loss.push_back(row.point.loss);
  }
  curve.x = ToVector(x);
  curve.loss = ToVector(loss);
  return curve;
}

}  // namespace

std::optional<double> LossCurve::At(double place) const {
  if (x.size() == 0 || !(place >= x[0]) || place > 1.03 * x[x.size() - 1]) return std::nullopt;
  if (place >= x[x.size() - 1]) return loss[x.size() - 1];
  const Index after = std::ranges::lower_bound(x, place) - x.begin();
  if (x[after] == place) return loss[after];
  const double share = std::log(place / x[after - 1]) / std::log(x[after] / x[after - 1]);
  return (1 - share) * loss[after - 1] + share * loss[after];
}

LossCurve LossCurve::Smoothed(int most) const {
  LossCurve smoothed = *this;
  smoothed.x.resize(0);
  smoothed.loss.resize(0);
  if (x.size() == 0) return smoothed;
  const double end = std::log(x[x.size() - 1]);
  const double begin = std::max(std::log(x[0]), end - std::log(100.0));
  std::vector<double> places(static_cast<std::size_t>(most)), sums(places), counts(places);
  for (Index i = 0; i < x.size(); ++i) {
    const double place = std::log(x[i]);
    if (place < begin) continue;
    const double share = end > begin ? (place - begin) / (end - begin) : 0;
    const auto group = std::min(static_cast<std::size_t>(share * most), places.size() - 1);
    places[group] += place;
    sums[group] += loss[i];
    counts[group] += 1;
  }
  std::vector<double> kept_x, kept_loss;
  for (std::size_t group = 0; group < places.size(); ++group) {
    if (counts[group] == 0) continue;
    kept_x.push_back(std::exp(places[group] / counts[group]));
    kept_loss.push_back(sums[group] / counts[group]);
  }
  smoothed.x = ToVector(kept_x);
  smoothed.loss = ToVector(kept_loss);
  return smoothed;
}

Result<std::map<RunGeneration, LossCurve>> CollectLosses(HistoryReader& history,
                                                         const HistoryFilter& filter) {
  std::map<RunGeneration, std::vector<LossRow>> rows;
  for (LossRow& row : TRY(history.Losses(filter))) {
    const RunGeneration key{row.run, row.generation};
    rows[key].push_back(std::move(row));
  }
  std::map<RunGeneration, LossCurve> curves;
  for (const auto& [key, of] : rows) curves.emplace(key, MakeCurve(of));
  return curves;
}

Result<std::map<RunGeneration, LossCurve>> SmoothedLosses(HistoryReader& history,
                                                          const HistoryFilter& filter) {
  constexpr int kGroups = 200;
  auto curves = TRY(CollectLosses(history, filter));
  for (auto& [key, curve] : curves) curve = curve.Smoothed(kGroups);
  return curves;
}

}  // namespace couplingd
