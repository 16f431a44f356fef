#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "coupling/reference_panel.h"
#include "coupling/reproduce/lever_claims.h"
#include "coupling/running_line.h"
#include "coupling/scale_equivalence.h"

namespace couplingd {
namespace {

using enum ReproductionVerdict;

// The panel without second sets of scores, instruction-tuned models kept where `tuned`.
std::vector<PanelModel> Panel(const PublishedData& data, bool tuned) {
  std::vector<PanelModel> models = CleanedPanel(data.base);
  if (!tuned) return models;
  for (const PanelModel& model : data.base.models)
    if (model.Has("instruction-tuned") && model.hellaswag && model.truthfulqa &&
        model.StandsIn("consolidated"))
      models.push_back(model);
  return models;
}

Result<PanelModel> Find(const std::vector<PanelModel>& models, std::string_view name) {
  const auto found = std::ranges::find(models, name, &PanelModel::model);
  if (found != models.end() && found->hellaswag && found->truthfulqa) return *found;
  return Fail(ErrorKind::kInvalidData, fmt::format("base_models.csv: no scores of {}", name));
}

RecipeCoupling Between(const PanelModel& a, const PanelModel& b) {
  return {.gamma = (*b.truthfulqa - *a.truthfulqa) / (*b.hellaswag - *a.hellaswag),
          .standard_error =
              CouplingStandardError(*a.hellaswag, *a.truthfulqa, *b.hellaswag, *b.truthfulqa),
          .log_parameters = (std::log10(a.parameters) + std::log10(b.parameters)) / 2};
}

// The line of row 3, in log10 N.
Result<RunningLine> LineOfTheFourteen(const PublishedData& data) {
  const auto models = PublishedPanel(data.base, "bootstrap");
  return FitRunningLine(ConsecutiveCouplings(LogSizesOf(models),
                                             100 * ScoresOf(models, &PanelModel::hellaswag),
                                             100 * ScoresOf(models, &PanelModel::truthfulqa), 0.5));
}

ReproducedRow FactorRow(std::string quantity, double factor, double low, double high,
                        std::string reason) {
  return {.quantity = "Phi's factor in size: " + std::move(quantity),
          .published = 10,
          .recomputed = factor,
          .low = low,
          .high = high,
          .verdict = kWeak,
          .reason = std::move(reason)};
}

ReproducedRow EquivalenceRow(std::string quantity, const ScaleEquivalence& found) {
  ReproducedRow row =
      FactorRow(std::move(quantity), found.factor.value_or(NAN), 0, 0,
                fmt::format("{} web families, drawn anew{}{}", found.families,
                            found.is_undetermined ? "; undetermined: " : "", found.reason));
  row.recomputed = found.factor;
  row.low = found.range ? std::optional(found.range->low) : std::nullopt;
  row.high = found.range ? std::optional(found.range->high) : std::nullopt;
  return row;
}

}  // namespace

Claim PhiEquivalence(const PublishedData& data, const ReproduceOptions& options) {
  const auto models = CleanedPanel(data.base);
  const PanelModel phi = TRY(Find(models, "Phi-1.5")), next = TRY(Find(models, "Phi-2"));
  const RecipeCoupling gamma = Between(phi, next);
  const double half = NormalCritical(0.95) * gamma.standard_error;
  const RunningLine line = TRY(LineOfTheFourteen(data));
  const auto on_line = [&](double slope, double intercept, double at) {
    return std::pow(10, (at - intercept) / slope - gamma.log_parameters);
  };
  const auto on_ours = [&](double at) { return on_line(line.slope, line.intercept, at); };
  const auto on_printed = [&](double at) {
    return on_line(data.levers.line_slope, data.levers.line_intercept, at);
  };
  const EquivalenceOptions draws{.replicates = options.replicates, .seed = options.seed};
  const std::vector<SizedScores> web = SizedModels(models, false);
  const ScaleEquivalence coupled = TRY(EquateByCoupling(web, gamma, draws));
  const ScaleEquivalence reasoned =
      TRY(EquateByReasoning(web, *phi.hellaswag, std::log10(phi.parameters), draws));
  std::vector<ReproducedRow> rows = {
      {.quantity = "γ12 from Phi-1.5 to Phi-2",
       .recomputed = gamma.gamma,
       .low = gamma.gamma - half,
       .high = gamma.gamma + half,
       .verdict = kWeak,
       .reason = fmt::format("Phi-1.5 has 1.3B, not 1B; each score's standard error is taken as "
                             "{:.2f} points",
                             100 * kMc2StandardError)},
      FactorRow("by the line of row 3", on_ours(gamma.gamma), on_ours(gamma.gamma - half),
                on_ours(gamma.gamma + half),
                fmt::format("that γ lies at {:.1f}B on the line, against {:.1f}B; the interval is "
                            "of γ alone",
                            std::pow(10, gamma.log_parameters - 9) * on_ours(gamma.gamma),
                            std::pow(10, gamma.log_parameters - 9))),
      FactorRow("by the line the supplement prints", on_printed(gamma.gamma),
                on_printed(gamma.gamma - half), on_printed(gamma.gamma + half),
                "0.629·log10 N − 5.886; the interval is of γ alone"),
      EquivalenceRow("web size with the same γ", coupled),
      EquivalenceRow("web size with the same HellaSwag", reasoned)};
  rows.back().reason += "; the direction holds, the 10 is unsupported";
  return rows;
}

Claim QwenGenerations(const PublishedData& data, const ReproduceOptions&) {
  const InternalCoupling* small = FindInternal(data.levers, "Qwen2.5-1.5B", "A");
  const InternalCoupling* next = FindInternal(data.levers, "Qwen3-1.7B", "A");
  if (!small || !next || !small->cooperative_fraction || !small->units || !small->competing) {
    return Fail(ErrorKind::kInvalidData, "levers.json: the two Qwen models of row 13 are missing");
  }
  double largest = 0;
  int models = 0;
  for (const InternalCoupling& one : data.levers.internal) {
    if (!one.family.starts_with("Qwen") || one.protocol != "A" || !one.cooperative_fraction)
      continue;
    largest = std::max(largest, std::abs(one.net - next->net * *one.cooperative_fraction));
    ++models;
  }
  const auto base = CleanedPanel(data.base);
  const RecipeCoupling gamma =
      Between(TRY(Find(base, "Qwen2.5-0.5B")), TRY(Find(base, "Qwen2.5-1.5B")));
  const double half = NormalCritical(0.95) * gamma.standard_error;
  const std::string constant = fmt::format(
      "every net is {:.2f} times the cooperative share, to {:.4f} in all {} models of both "
      "generations and all sizes: a constant times a head count",
      next->net, largest, models);
  return std::vector<ReproducedRow>{
      {.quantity = "net of Qwen2.5-1.5B",
       .published = 0.025,
       .recomputed = next->net * *small->cooperative_fraction,
       .verdict = kArtefact,
       .reason = constant},
      {.quantity = "net of Qwen3-1.7B",
       .published = 0.830,
       .recomputed = next->net,
       .verdict = kArtefact,
       .reason = constant},
      {.quantity = "their ratio",
       .published = 33,
       .recomputed = next->net / small->net,
       .verdict = kArtefact,
       .reason = fmt::format(
           "{:.0f} of {:.0f} heads cooperate and {:.0f} compete: failed heads are "
           "the likely cause",
           *small->cooperative_fraction * *small->units, *small->units, *small->competing)},
      {.quantity = "γ12 from Qwen2.5-0.5B to 1.5B",
       .recomputed = gamma.gamma,
       .low = gamma.gamma - half,
       .high = gamma.gamma + half,
       .verdict = kArtefact,
       .reason = "the benchmarks show no dip at 1.5B"}};
}

Claim QwenSevenToEight(const PublishedData& data, const ReproduceOptions&) {
  const auto row = [&](const char* model, double published) -> Result<ReproducedRow> {
    const InternalCoupling* hidden = FindInternal(data.levers, model, "D");
    const InternalCoupling* heads = FindInternal(data.levers, model, "A");
    if (!hidden || !heads) {
      return Fail(ErrorKind::kInvalidData, fmt::format("levers.json: no {} twice", model));
    }
    return ReproducedRow{
        .quantity = fmt::format("hidden cosine of prompt sets, {}", model),
        .published = published,
        .recomputed = hidden->net,
        .verdict = kWeak,
        .reason = fmt::format("as stored; one pair of models, no interval; the same model reads "
                              "{:.3g} in row 13's file",
                              heads->net)};
  };
  std::vector<ReproducedRow> rows;
  rows.push_back(TRY(row("Qwen2.5-7B", 0.619)));
  rows.push_back(TRY(row("Qwen3-8B", 0.741)));
  return rows;
}

Claim GemmaEquivalence(const PublishedData& data, const ReproduceOptions&) {
  const InternalCoupling* four = FindInternal(data.levers, "Gemma-4-E4B (base)", "D");
  const InternalCoupling* three = FindInternal(data.levers, "Gemma-3-4B-pt", "D");
  if (!four || !three) {
    return Fail(ErrorKind::kInvalidData, "levers.json: the two Gemma models are missing");
  }
  std::string references;
  for (const auto& [model, protocol] :
       {std::pair("OPT-13B", "C"), std::pair("Llama-2-13B", "A"), std::pair("OLMo-2-13B", "B"),
        std::pair("OPT-30B", "B"), std::pair("Llama-2-70B", "B")}) {
    const InternalCoupling* one = FindInternal(data.levers, model, protocol);
    if (!one) continue;
    references += fmt::format("{}{} {:.3f}", references.empty() ? "" : ", ", model, one->net);
  }
  return std::vector<ReproducedRow>{
      {.quantity = "coupling of Gemma-4 4B",
       .published = 0.871,
       .recomputed = four->net,
       .verdict = kUncheckable,
       .reason = fmt::format("one stored number without a run file; references from 13B up are by "
                             "other protocols ({}); Gemma-3-4B, by its own, reads {:.3f}",
                             references, three->net)},
      {.quantity = "its factor in size, 13B over 4B",
       .published = 3,
       .recomputed = 13.0 / 4,
       .verdict = kUncheckable,
       .reason = "values of two protocols are not comparable"}};
}

Claim RecipeAsLever(const PublishedData& data, const ReproduceOptions& options) {
  const EquivalenceOptions draws{.replicates = options.replicates, .seed = options.seed};
  const auto row = [&](std::string quantity, bool tuned,
                       std::string reason) -> Result<ReproducedRow> {
    const auto models = Panel(data, tuned);
    const RecipeContrast found =
        TRY(ContrastAtEqualSize(SizedModels(models, false), SizedModels(models, true), draws));
    return ReproducedRow{.quantity = std::move(quantity),
                         .unit = "points",
                         .recomputed = 100 * found.difference,
                         .low = 100 * found.range.low,
                         .high = 100 * found.range.high,
                         .verdict = kUncheckable,
                         .reason = std::move(reason)};
  };
  std::vector<ReproducedRow> rows;
  rows.push_back(
      TRY(row("TruthfulQA of curated over web families at equal size", true,
              "curated families differ from web families in vendor, architecture and protocol at "
              "once: that the recipe acts on its own cannot be tested; families drawn anew")));
  rows.push_back(TRY(row("the same without the instruction-tuned Phi-3-mini", false,
                         "a good part of the lower end hangs on one instruction-tuned model")));
  return rows;
}

}  // namespace couplingd
