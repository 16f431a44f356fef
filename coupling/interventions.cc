#include "coupling/interventions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "coupling/intervention_text.h"

namespace couplingd {
namespace {

std::string DoseText(const std::optional<Forecast>& forecast, std::optional<double> parameters) {
  if (!IsScaleForecast(forecast) || !parameters) {
    return "no dose is given: it needs the model's size and a forecast of N_c";
  }
  const auto dose = CurationDose(*parameters, *forecast->value);
  if (!dose) {
    return fmt::format(
        "no dose is given: the heuristic was read off 70M to 100B below N_c, not at {} "
        "with {}",
        SizeText(*parameters), CriticalText(*forecast));
  }
  return fmt::format(
      "heuristic dose h_c = k·(N_c − N)^1.5: about {:.0f} % curated text at {} with {}; "
      "the formula is published and not validated",
      100 * *dose, SizeText(*parameters), CriticalText(*forecast));
}

// How large a web-trained model has this coupling, where γ is over scale and on the panel's axes.
std::optional<std::string> EquivalenceText(const CouplingEstimate& estimate,
                                           const InterventionContext& context) {
  if (!context.reference || !context.parameters || estimate.over != CouplingOver::kScale ||
      !ReferencePanel::HasAxes(estimate.axes)) {
    return std::nullopt;
  }
  if (*estimate.low <= 0 && *estimate.high >= 0) {
    return "scale equivalence against the web-trained families of the reference panel is "
           "undetermined: γ may be 0";
  }
  const double half = (*estimate.high - *estimate.low) / 2;
  if (!std::isfinite(half)) return std::nullopt;
  const auto found = EquateByCoupling(context.reference->web,
                                      {.gamma = *estimate.gamma,
                                       .standard_error = half / NormalCritical(estimate.level),
                                       .log_parameters = std::log10(*context.parameters)},
                                      context.reference->draws);
  if (!found) return std::nullopt;
  if (found->is_undetermined || !found->range) {
    return fmt::format(
        "scale equivalence against the web-trained families of the reference panel "
        "is undetermined: {}",
        found->reason);
  }
  return fmt::format(
      "on the line of {} web-trained families this γ is that of a model {:.2g} [{:.2g}, {:.2g}] "
      "times the size (families and γ drawn together)",
      found->families, *found->factor, found->range->low, found->range->high);
}

Intervention Curate(const CouplingEstimate& estimate, const std::optional<Forecast>& forecast,
                    const InterventionContext& context) {
  Intervention curate{
      .kind = "curate",
      .action =
          "Curate the training data: thin out text that repeats what the truthfulness items "
          "count as false, before more of it is learned.",
      .reason = fmt::format("{}: {}; {}.", GammaText(estimate), MovementText(context.diagnostics),
                            DoseText(forecast, context.parameters))};
  curate.expected = ExpectedEffect{
      .quantity = "truthfulness",
      .text = "γ rises out of the tax phase; how far is not known from a controlled comparison"};
  if (context.reference && ReferencePanel::HasAxes(estimate.axes)) {
    const RecipeContrast& contrast = context.reference->contrast;
    curate.expected->text = fmt::format(
        "γ rises out of the tax phase; at most, truthfulness gains what curated families have over "
        "web families of equal size in the reference panel: {:+.1f} points [{:+.1f}, {:+.1f}]",
        100 * contrast.difference, 100 * contrast.range.low, 100 * contrast.range.high);
    curate.expected->value = contrast.difference;
    curate.expected->low = contrast.range.low;
    curate.expected->high = contrast.range.high;
    curate.against.push_back(fmt::format(
        "the {} curated families of the panel differ from the web families in vendor, architecture "
        "and protocol as well, so that their lead is no measure of curation alone",
        contrast.families));
  }
  if (auto text = EquivalenceText(estimate, context)) curate.evidence.push_back(std::move(*text));
  curate.preconditions = {
      "tokens are still to come, or another run is planned: what was learned stays",
      "the truthfulness items cover what the curation is meant to change"};
  curate.against.push_back("the dose is a published heuristic that nobody validated");
  if (estimate.over == CouplingOver::kSteps && forecast && forecast->value) {
    curate.against.push_back(fmt::format("a change of sign is forecast without it: {} = {}",
                                         forecast->quantity, SizeText(*forecast->value)));
  }
  return curate;
}

// The best of the peers whose γ is higher beyond both intervals.
std::optional<Intervention> TakeRecipe(const CouplingEstimate& estimate,
                                       const InterventionContext& context) {
  const PeerRun own{
      .run = estimate.run, .gamma = *estimate.gamma, .low = *estimate.low, .high = *estimate.high};
  const PeerRun* best = nullptr;
  CouplingChange change;
  int settled = 0;
  for (const PeerRun& peer : context.peers) {
    const CouplingChange seen = ChangeOf(own, peer);
    if (!(seen.low > 0)) continue;
    ++settled;
    if (best && seen.low <= change.low) continue;
    best = &peer;
    change = seen;
  }
  if (!best) return std::nullopt;
  Intervention recipe{
      .kind = "recipe",
      .action =
          fmt::format("Compare with {} and take over what its recipe does differently.", best->run),
      .reason =
          fmt::format("{} of the same size has γ = {:+.2f} [{:+.2f}, {:+.2f}]{}: {:+.2f} "
                      "[{:+.2f}, {:+.2f}] above this run.",
                      best->run, best->gamma, best->low, best->high,
                      best->tokens ? fmt::format(" at {} tokens", SizeText(*best->tokens)) : "",
                      change.value, change.low, change.high)};
  recipe.evidence.push_back(
      fmt::format("{} of {} runs of this size lie above it beyond both intervals", settled,
                  context.peers.size()));
  recipe.expected = ExpectedEffect{.quantity = "gamma",
                                   .text = "γ comes to that of the other run",
                                   .value = change.value,
                                   .low = change.low,
                                   .high = change.high};
  recipe.preconditions = {
      "both runs are evaluated on the same items by the same protocol",
      fmt::format("the settings that differ are known: couplingctl compare {} {}", estimate.run,
                  best->run)};
  recipe.against = {"one run of each recipe: another seed may differ as much",
                    "the runs may differ in more than the recipe"};
  return recipe;
}

// Width at unchanged depth: parameters grow with its square. Rounded up to a multiple of 8 or 64.
int WidthFor(int d_model, double parameters, double wanted) {
  const double width = d_model * std::sqrt(wanted / parameters);
  const int multiple = width >= 512 ? 64 : 8;
  return static_cast<int>(std::ceil(width / multiple)) * multiple;
}

std::string WidthText(const ReferencePanel& panel, double parameters, std::optional<int> d_model) {
  const ReferenceWidth usual = WidthAt(panel, parameters);
  std::string text = fmt::format(
      "models of {} in the reference panel have d_model {:.0f} [{:.0f}, {:.0f}] ({} models)",
      SizeText(parameters), usual.width, usual.low, usual.high, usual.models);
  if (!d_model) return text;
  const char* place = *d_model < usual.low    ? "narrower than they are"
                      : *d_model > usual.high ? "wider than they are"
                                              : "within what is usual";
  return text + fmt::format("; this one has {}, {}", *d_model, place);
}

Intervention Widen(const CouplingEstimate& estimate, const Forecast& forecast,
                   const InterventionContext& context) {
  std::string action =
      fmt::format("Plan the next model beyond N_c ({} or more)", SizeText(*forecast.high));
  if (context.d_model) {
    action += fmt::format(
        ": at unchanged depth about d_model {} to reach N_c, {} for the interval's upper "
        "end (now {})",
        WidthFor(*context.d_model, *context.parameters, *forecast.value),
        WidthFor(*context.d_model, *context.parameters, *forecast.high), *context.d_model);
  }
  Intervention widen{
      .kind = "widen",
      .action = action + ".",
      .reason = fmt::format(
          "{} at {}; {}. That width is the cause is not shown: dividing both scores by the width "
          "turns "
          "the correlation positive with shuffled scores too, so that width normalisation alone "
          "proves nothing.",
          GammaText(estimate), SizeText(*context.parameters), CriticalText(forecast))};
  if (context.reference) {
    widen.evidence = {WidthText(*context.reference, *context.parameters, context.d_model),
                      WidthText(*context.reference, *forecast.value, std::nullopt)};
  }
  widen.expected = ExpectedEffect{
      .quantity = "gamma",
      .text =
          "γ is 0 at N_c and positive beyond, if the family follows its own line; what width "
          "alone does at a fixed size nobody has measured",
      .value = -*estimate.gamma};
  if (std::isfinite(*estimate.low) && std::isfinite(*estimate.high)) {
    widen.expected->low = -*estimate.high;
    widen.expected->high = -*estimate.low;
  }
  widen.preconditions = {"a larger model is planned and can be afforded",
                         "it is trained on the same data for as many tokens"};
  widen.against = {"width normalisation is an artefact: shuffled scores give the same correlations",
                   fmt::format("N_c lies anywhere in [{}, {}]", SizeText(*forecast.low),
                               SizeText(*forecast.high))};
  return widen;
}

std::optional<std::string> AxisProblem(const AxisMovement& movement) {
  if (movement.is_near_chance) return "within noise of chance";
  if (movement.is_at_ceiling) return "within noise of its ceiling";
  return std::nullopt;
}

std::string SignalText(const char* name, const AxisMovement& movement) {
  if (const auto problem = AxisProblem(movement)) return fmt::format("{} is {}", name, *problem);
  const double sigmas =
      movement.standard_error > 0 ? std::abs(movement.change) / movement.standard_error : 0;
  return fmt::format("{} moved by {:+.1f} points ({:.1f} standard errors)", name,
                     100 * movement.change, sigmas);
}

// Fills the suggestion with the tracked pair that has most signal left.
void RotateTo(const std::vector<TrackedPair>& pairs, double signal, Intervention& rotate) {
  const TrackedPair* best = nullptr;
  for (const TrackedPair& pair : pairs) {
    const double own = PairSignal(pair.diagnostics);
    rotate.evidence.push_back(
        fmt::format("{}: {}; {}", pair.axes, SignalText("reasoning", pair.diagnostics.reasoning),
                    SignalText("truthfulness", pair.diagnostics.truthfulness)));
    if (own > 1 && (!best || own > PairSignal(best->diagnostics))) best = &pair;
  }
  rotate.expected =
      ExpectedEffect{.quantity = "signal",
                     .text = "both axes move by more than chance, so that a phase can be told"};
  if (best) {
    rotate.action +=
        fmt::format(" Of the pairs tracked here {} has signal left: follow it.", best->axes);
    rotate.expected->value = PairSignal(best->diagnostics) - signal;
  } else if (!pairs.empty()) {
    rotate.action += " None of the other pairs tracked here has signal left.";
  }
  rotate.preconditions = {"the new benchmark is scored on the same checkpoints"};
  rotate.against = {
      "another pair answers another question: γ of two pairs is never one series",
      "a small spread among the best models is no reason by itself: to choose the best by a "
      "benchmark makes its spread small whatever they do"};
}

std::optional<Intervention> Rotate(const CouplingEstimate& estimate,
                                   const InterventionContext& context) {
  const CouplingDiagnostics& seen = context.diagnostics;
  const bool reasoning = AxisProblem(seen.reasoning).has_value();
  const bool truthfulness = AxisProblem(seen.truthfulness).has_value();
  if (!reasoning && !truthfulness) return std::nullopt;
  const std::size_t comma = estimate.axes.find(',');
  const std::string first = estimate.axes.substr(0, comma);
  const std::string second = comma == std::string::npos ? "" : estimate.axes.substr(comma + 1);
  const std::string which = reasoning && truthfulness ? "both " + first + " and " + second
                            : reasoning               ? first
                                                      : second;
  Intervention rotate{
      .kind = "rotate",
      .action = fmt::format("Replace {} by {} with signal left at this size.", which,
                            reasoning && truthfulness ? "benchmarks" : "a benchmark"),
      .reason = fmt::format("Over the window {}; {}.", SignalText("reasoning", seen.reasoning),
                            SignalText("truthfulness", seen.truthfulness))};
  RotateTo(context.pairs, PairSignal(seen), rotate);
  return rotate;
}

Intervention Investigate(const CouplingEstimate& estimate) {
  return {.kind = "investigate",
          .action = "Collect what would settle the phase before acting on it.",
          .reason = estimate.reason,
          .expected = ExpectedEffect{.quantity = "signal",
                                     .text = "the interval of γ comes to lie in one phase"}};
}

}  // namespace

std::optional<double> CurationDose(double parameters, double critical_parameters) {
  if (!(parameters >= 70e6 && parameters < critical_parameters && critical_parameters <= 100e9)) {
    return std::nullopt;
  }
  const double scale = 0.6 / std::pow(3.5e9 - 1e9, 1.5);
  return std::min(1.0, scale * std::pow(critical_parameters - parameters, 1.5));
}

double PairSignal(const CouplingDiagnostics& seen) {
  const auto of = [](const AxisMovement& movement) {
    const double threshold = movement.critical * movement.standard_error;
    return AxisProblem(movement) || !(threshold > 0) ? 0 : std::abs(movement.change) / threshold;
  };
  return std::min(of(seen.reasoning), of(seen.truthfulness));
}

CouplingChange ChangeOf(const PeerRun& before, const PeerRun& after) {
  const double value = after.gamma - before.gamma;
  return {.value = value,
          .low = value - std::hypot(after.gamma - after.low, before.high - before.gamma),
          .high = value + std::hypot(after.high - after.gamma, before.gamma - before.low)};
}

std::vector<Intervention> SuggestInterventions(const CouplingEstimate& estimate,
                                               const std::optional<Forecast>& forecast,
                                               const InterventionContext& context) {
  std::vector<Intervention> suggestions;
  if (auto rotate = Rotate(estimate, context)) suggestions.push_back(std::move(*rotate));
  if (estimate.phase == Phase::kTax && estimate.gamma && estimate.low && estimate.high) {
    suggestions.push_back(Curate(estimate, forecast, context));
    if (auto recipe = TakeRecipe(estimate, context)) suggestions.push_back(std::move(*recipe));
    if (IsScaleForecast(forecast) && context.parameters && *context.parameters < *forecast->value) {
      suggestions.push_back(Widen(estimate, *forecast, context));
    }
  }
  if (estimate.phase == Phase::kUndetermined && estimate.gamma && suggestions.empty()) {
    suggestions.push_back(Investigate(estimate));
  }
  return suggestions;
}

}  // namespace couplingd
