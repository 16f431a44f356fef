#include "coupling/scale_equivalence.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/random.h"
#include "coupling/correlation.h"

namespace couplingd {
namespace {

using Eigen::Index;

constexpr double kLeastShare = 0.9;

// Changes between neighbouring sizes of one family.
struct Step {
  std::string family;
  double position = 0;  // mean of the two log10 N
  double reasoning = 0, truthfulness = 0;
};

std::map<std::string, std::vector<SizedScores>> ByFamily(const std::vector<SizedScores>& panel) {
  std::map<std::string, std::vector<SizedScores>> families;
  for (const SizedScores& model : panel) families[model.family].push_back(model);
  for (auto& [name, models] : families)
    std::ranges::stable_sort(models, {}, &SizedScores::log_parameters);
  return families;
}

std::vector<Step> Steps(const std::vector<SizedScores>& panel) {
  std::vector<Step> steps;
  for (const auto& [family, models] : ByFamily(panel)) {
    for (std::size_t i = 1; i < models.size(); ++i) {
      const SizedScores &a = models[i - 1], &b = models[i];
      if (b.log_parameters == a.log_parameters) continue;
      steps.push_back({.family = family,
                       .position = (a.log_parameters + b.log_parameters) / 2,
                       .reasoning = b.reasoning - a.reasoning,
                       .truthfulness = b.truthfulness - a.truthfulness});
    }
  }
  return steps;
}

template <typename T>
std::vector<std::string> FamilyNames(const std::vector<T>& rows) {
  std::vector<std::string> names;
  for (const T& row : rows) names.push_back(row.family);
  return names;
}

struct GammaLine {
  double slope = 0, intercept = 0;
};

// ΔT = (A·x + B)·ΔR by least squares; nothing where the places do not tell A from B.
std::optional<GammaLine> FitGammaLine(const std::vector<Step>& steps,
                                      const std::vector<Index>& rows) {
  double s0 = 0, s1 = 0, s2 = 0, t0 = 0, t1 = 0;
  for (const Index row : rows) {
    const Step& step = steps[row];
    const double weight = step.reasoning * step.reasoning;
    const double product = step.reasoning * step.truthfulness;
    s0 += weight;
    s1 += weight * step.position;
    s2 += weight * step.position * step.position;
    t0 += product;
    t1 += product * step.position;
  }
  const double determinant = s0 * s2 - s1 * s1;
  if (!(determinant > 1e-12 * s0 * s2)) return std::nullopt;
  return GammaLine{(s0 * t1 - s1 * t0) / determinant, (s2 * t0 - s1 * t1) / determinant};
}

std::optional<double> PlaceOf(const std::optional<GammaLine>& line, double gamma) {
  if (!line || !(line->slope > 0)) return std::nullopt;
  return (gamma - line->intercept) / line->slope;
}

std::vector<Index> AllRows(std::size_t count) {
  std::vector<Index> rows(count);
  for (std::size_t i = 0; i < count; ++i) rows[i] = static_cast<Index>(i);
  return rows;
}

// Fills factor, range, share and the verdict from log10 N_eq of the panel and of the replicates.
void Conclude(std::optional<double> place, std::vector<double> places, double log_parameters,
              const EquivalenceOptions& options, ScaleEquivalence& found) {
  if (place) found.factor = std::pow(10, *place - log_parameters);
  found.share = static_cast<double>(places.size()) / options.replicates;
  if (found.share >= 0.5) {
    const Interval interval = CentralInterval(std::move(places), options.level);
    found.range = Interval{std::pow(10, interval.low - log_parameters),
                           std::pow(10, interval.high - log_parameters)};
  }
  if (!place) {
    found.reason = "the line over the families has no such place";
  } else if (found.share < kLeastShare) {
    found.reason =
        fmt::format("only {:.0f} % of the draws of families have such a place", 100 * found.share);
  }
  found.is_undetermined = !found.reason.empty();
}

Eigen::VectorXd Column(const std::vector<SizedScores>& models, const std::vector<Index>& rows,
                       double SizedScores::*field) {
  Eigen::VectorXd values(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) values[i] = models[rows[i]].*field;
  return values;
}

}  // namespace

Result<ScaleEquivalence> EquateByCoupling(const std::vector<SizedScores>& panel,
                                          const RecipeCoupling& recipe,
                                          const EquivalenceOptions& options) {
  const std::vector<Step> steps = Steps(panel);
  ClusterDraw families(FamilyNames(steps));
  ScaleEquivalence found{.families = static_cast<int>(families.Clusters())};
  if (found.families < 3) {
    return Fail(ErrorKind::kInvalidData,
                "a scale equivalence needs 3 families of 2 sizes to compare with");
  }
  const auto line = FitGammaLine(steps, AllRows(steps.size()));
  Random random(options.seed);
  std::vector<double> places;
  for (int i = 0; i < options.replicates; ++i) {
    const auto drawn = FitGammaLine(steps, families.Draw(random));
    const double gamma = recipe.gamma + recipe.standard_error * random.Normal();
    if (const auto place = PlaceOf(drawn, gamma)) places.push_back(*place);
  }
  const double half = NormalCritical(options.level) * recipe.standard_error;
  if (recipe.gamma - half <= 0 && recipe.gamma + half >= 0) {
    found.reason = fmt::format("γ = {:+.2f} [{:+.2f}, {:+.2f}] may be 0", recipe.gamma,
                               recipe.gamma - half, recipe.gamma + half);
  }
  const std::string holds_zero = found.reason;
  Conclude(PlaceOf(line, recipe.gamma), std::move(places), recipe.log_parameters, options, found);
  if (!holds_zero.empty()) found.reason = holds_zero;
  return found;
}

Result<ScaleEquivalence> EquateByReasoning(const std::vector<SizedScores>& panel, double reasoning,
                                           double log_parameters,
                                           const EquivalenceOptions& options) {
  std::vector<SizedScores> models;
  for (const auto& [family, own] : ByFamily(panel))
    if (own.size() >= 3) models.insert(models.end(), own.begin(), own.end());
  ClusterDraw families(FamilyNames(models));
  ScaleEquivalence found{.families = static_cast<int>(families.Clusters())};
  if (found.families < 3) {
    return Fail(ErrorKind::kInvalidData,
                "a scale equivalence needs 3 families of 3 sizes to compare with");
  }
  const auto place_of = [&](const std::vector<Index>& rows) -> std::optional<double> {
    const auto curve = FitPolynomial(Column(models, rows, &SizedScores::reasoning),
                                     Column(models, rows, &SizedScores::log_parameters), 2);
    return curve ? std::optional((*curve)(reasoning)) : std::nullopt;
  };
  Random random(options.seed);
  std::vector<double> places;
  for (int i = 0; i < options.replicates; ++i)
    if (const auto place = place_of(families.Draw(random))) places.push_back(*place);
  const auto [low, high] = std::ranges::minmax(models, {}, &SizedScores::reasoning);
  if (reasoning < low.reasoning || reasoning > high.reasoning) {
    found.reason = "the reasoning score lies outside those of the families";
  }
  const std::string outside = found.reason;
  Conclude(place_of(AllRows(models.size())), std::move(places), log_parameters, options, found);
  if (!outside.empty()) found.reason = outside;
  return found;
}

Result<RecipeContrast> ContrastAtEqualSize(const std::vector<SizedScores>& panel,
                                           const std::vector<SizedScores>& curated,
                                           const EquivalenceOptions& options) {
  ClusterDraw web(FamilyNames(panel)), other(FamilyNames(curated));
  RecipeContrast found{.families = static_cast<int>(other.Clusters())};
  if (web.Clusters() < 3 || found.families < 1) {
    return Fail(ErrorKind::kInvalidData,
                "a contrast of recipes needs 3 families on one side and 1 on the other");
  }
  const auto difference = [&](const std::vector<Index>& panel_rows,
                              const std::vector<Index>& curated_rows) -> std::optional<double> {
    const auto curve = FitPolynomial(Column(panel, panel_rows, &SizedScores::log_parameters),
                                     Column(panel, panel_rows, &SizedScores::truthfulness), 2);
    if (!curve) return std::nullopt;
    double sum = 0;
    for (const Index row : curated_rows)
      sum += curated[row].truthfulness - (*curve)(curated[row].log_parameters);
    return sum / static_cast<double>(curated_rows.size());
  };
  const auto whole = difference(AllRows(panel.size()), AllRows(curated.size()));
  if (!whole) {
    return Fail(ErrorKind::kInvalidData, "a contrast of recipes needs 3 sizes to compare with");
  }
  found.difference = *whole;
  Random random(options.seed);
  std::vector<double> differences;
  for (int i = 0; i < options.replicates; ++i) {
    const std::vector<Index> rows = web.Draw(random);
    if (const auto drawn = difference(rows, other.Draw(random))) differences.push_back(*drawn);
  }
  found.range = CentralInterval(std::move(differences), options.level);
  return found;
}

}  // namespace couplingd
