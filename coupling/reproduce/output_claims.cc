#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/random.h"
#include "coupling/reproduce/lever_claims.h"

namespace couplingd {
namespace {

using enum ReproductionVerdict;

double Gelu(double x) { return x * 0.5 * (1 + std::erf(x / std::numbers::sqrt2)); }

// What random hidden states give for "hidden → GELU": units are normal and independent, of standard
// deviation `scale` over the sets' means; the two sets' means and the prompts within a set vary so
// that the cosines of the hidden states are those that were stored. Cosine of the sets' means.
double GeluNull(const OutputProjection& stored, double scale, Random& random) {
  const double ratio = stored.of_means.hidden / stored.paired.hidden;
  const double within = (ratio - 1) / (1 - ratio / stored.prompts);
  const double between = std::min(1.0, stored.paired.hidden * (1 + within));
  const double spread = std::sqrt(within), rest = std::sqrt(1 - between * between);
  double product = 0, first = 0, second = 0;
  for (int unit = 0; unit < stored.width; ++unit) {
    const double mean = random.Normal(), other = between * mean + rest * random.Normal();
    double a = 0, b = 0;
    for (int prompt = 0; prompt < stored.prompts; ++prompt) {
      a += Gelu(scale * (mean + spread * random.Normal()));
      b += Gelu(scale * (other + spread * random.Normal()));
    }
    product += a * b;
    first += a * a;
    second += b * b;
  }
  return product / std::sqrt(first * second);
}

// Mean over draws.
double MeanGeluNull(const OutputProjection& stored, double scale, std::uint64_t seed) {
  constexpr int kDraws = 20;
  Random random(seed);
  double sum = 0;
  for (int i = 0; i < kDraws; ++i) sum += GeluNull(stored, scale, random);
  return sum / kDraws;
}

Result<const OutputProjection*> Find(const LeverFacts& facts, std::string_view model) {
  for (const OutputProjection& one : facts.projections)
    if (one.model == model) return &one;
  return Fail(ErrorKind::kInvalidData,
              fmt::format("levers.json: no output projection of {}", model));
}

}  // namespace

Claim OutputBottleneck(const PublishedData& data, const ReproduceOptions&) {
  const std::string weak = fmt::format(
      "3 models, {} and {} prompts, one run, not centred, no "
      "interval stored",
      data.levers.projections.at(0).prompts, data.levers.projections.at(0).prompts);
  const auto row = [&](std::string quantity, std::optional<double> published, double recomputed) {
    return ReproducedRow{.quantity = std::move(quantity),
                         .published = published,
                         .recomputed = recomputed,
                         .verdict = kWeak,
                         .reason = weak};
  };
  const OutputProjection& one = *TRY(Find(data.levers, "pythia-1b"));
  const OutputProjection& small = *TRY(Find(data.levers, "pythia-410m"));
  const OutputProjection& large = *TRY(Find(data.levers, "pythia-2.8b"));
  std::vector<ReproducedRow> rows = {
      row("cosine of set means, last hidden, Pythia-1B", 0.725, one.of_means.hidden),
      row("the same over the logits", 0.639, one.of_means.logits),
      row("change from hidden to logits, Pythia-410M", 0.15,
          small.of_means.logits - small.of_means.hidden),
      row("the same, Pythia-2.8B", 0.15, large.of_means.logits - large.of_means.hidden),
      row("mean over pairs of prompts, hidden, Pythia-1B", std::nullopt, one.paired.hidden),
      row("the same over the logits", std::nullopt, one.paired.logits)};
  for (std::size_t i : {4u, 5u}) rows[i].reason += "; by pairs the drop at 1B nearly vanishes";
  return rows;
}

Claim WiderProjection(const PublishedData& data, const ReproduceOptions& options) {
  const OutputProjection& one = *TRY(Find(data.levers, "pythia-1b"));
  double smallest = INFINITY, largest = 0;
  for (const OutputProjection& each : data.levers.projections) {
    const double rise = each.of_means.widened - each.of_means.hidden;
    smallest = std::min(smallest, rise);
    largest = std::max(largest, rise);
  }
  const double flat = MeanGeluNull(one, 0.5, options.seed);
  const double steep = MeanGeluNull(one, 5, options.seed + 1);
  return std::vector<ReproducedRow>{
      {.quantity = "cosine after the \"wider projection\", Pythia-1B",
       .published = 0.805,
       .recomputed = one.of_means.widened,
       .verdict = kArtefact,
       .reason = "it has no vocabulary map and the added units are zero: it is the cosine of "
                 "GELU(hidden)"},
      {.quantity = "its rise in all three models, smallest",
       .recomputed = smallest,
       .low = smallest,
       .high = largest,
       .verdict = kArtefact,
       .reason = "nearly the same in every model (the interval is their range)"},
      {.quantity = "what random hidden states give",
       .recomputed = (flat + steep) / 2,
       .low = std::min(flat, steep),
       .high = std::max(flat, steep),
       .verdict = kArtefact,
       .reason = "normal units with the stored cosines before the GELU; the interval runs over "
                 "their scale, 0.5 to 5, which was not stored"}};
}

}  // namespace couplingd
