#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "coupling/line_fit.h"
#include "coupling/reproduce/lever_claims.h"
#include "coupling/share_trend.h"

namespace couplingd {
namespace {

using enum ReproductionVerdict;

Result<double> NetOf(const LeverFacts& facts, std::string_view model, std::string_view protocol) {
  const InternalCoupling* found = FindInternal(facts, model, protocol);
  if (!found) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("levers.json: no {} by protocol {}", model, protocol));
  }
  return found->net;
}

}  // namespace

Claim CompetingHeads(const PublishedData& data, const ReproduceOptions&) {
  std::set<std::string> seen;
  int none = 0, some = 0;
  std::string counts, protocols_of_none;
  double smallest = INFINITY;
  for (const InternalCoupling& one : data.levers.internal) {
    if (!one.competing || one.protocol_is_inferred || !seen.insert(one.model).second) continue;
    if (*one.competing == 0) {
      ++none;
      continue;
    }
    ++some;
    smallest = std::min(smallest, one.parameters);
    counts += fmt::format("{}{:.0f}", counts.empty() ? "" : ", ", *one.competing);
  }
  const std::string reason = fmt::format(
      "the table of 40 models was never published; {} of {} models with counts have none, all by "
      "the statistic of rows 13 and 20 that cannot depend on the weights; by the other protocol {} "
      "of {} have some ({}), from {:.0f}B up",
      none, none + some, some, some, counts, smallest / 1e9);
  return std::vector<ReproducedRow>{
      {.quantity = "share of models without competing heads",
       .published = 38.0 / 40,
       .recomputed = static_cast<double>(none) / (none + some),
       .verdict = kUncheckable,
       .reason = reason},
      {.quantity = "models with counts and no competing head",
       .published = 38,
       .recomputed = static_cast<double>(none),
       .verdict = kUncheckable,
       .reason = "both \"exceptions\" of the original store 0 competing heads themselves"}};
}

Claim AttentionCoupling(const PublishedData& data, const ReproduceOptions&) {
  std::map<std::string, std::pair<double, double>> spans;  // family: lowest, highest
  std::map<std::string, int> models;
  for (const InternalCoupling& one : data.levers.internal) {
    if (one.protocol != "A" || one.protocol_is_inferred || !one.layer_low) continue;
    auto [span, is_new] = spans.try_emplace(one.family, *one.layer_low, *one.layer_high);
    span->second.first = std::min(span->second.first, *one.layer_low);
    span->second.second = std::max(span->second.second, *one.layer_high);
    ++models[one.family];
  }
  std::vector<ReproducedRow> rows;
  for (const auto& [family, span] : spans) {
    rows.push_back(
        {.quantity = "attention coupling, " + family,
         .published = 0.97,
         .recomputed = (span.first + span.second) / 2,
         .low = span.first,
         .high = span.second,
         .verdict = kArtefact,
         .reason = fmt::format("equal to {:.0e} over all layers of {} sizes (the interval is that "
                               "range): a softmax row averages to 1/length whatever the weights",
                               span.second - span.first, models[family])});
  }
  return rows;
}

Claim SecondTransition(const PublishedData& data, const ReproduceOptions&) {
  const LeverFacts& facts = data.levers;
  const double before = TRY(NetOf(facts, "OPT-13B", "C")),
               after = TRY(NetOf(facts, "OPT-30B", "B"));
  const double opt66 = TRY(NetOf(facts, "OPT-66B", "B"));
  const double olmo13 = TRY(NetOf(facts, "OLMo-2-13B", "B"));
  const double olmo32 = TRY(NetOf(facts, "OLMo-2-32B", "B"));
  const std::string change =
      "a change of protocol: per-head files exist only from 13B up, and no run file is behind OPT "
      "below 30B";
  return std::vector<ReproducedRow>{
      {.quantity = "internal coupling of OPT-13B",
       .published = 0.876,
       .recomputed = before,
       .verdict = kArtefact,
       .reason = "typed into a script, protocol not stated; " + change},
      {.quantity = "internal coupling of OPT-30B",
       .published = 0.356,
       .recomputed = after,
       .verdict = kArtefact,
       .reason = change},
      {.quantity = "from OPT-30B to OPT-66B, one protocol",
       .recomputed = opt66 - after,
       .verdict = kArtefact,
       .reason = "within the protocol size raises it"},
      {.quantity = "from OLMo-2-13B to 32B, one protocol",
       .recomputed = olmo32 - olmo13,
       .verdict = kArtefact,
       .reason = "within the protocol size raises it; Llama-2-13B's 0.965 looks like row 20"}};
}

Claim CouplingFixedPoint(const PublishedData& data, const ReproduceOptions&) {
  std::vector<double> size, net;
  for (const InternalCoupling& one : data.levers.internal) {
    if (one.family != "OPT" || one.protocol != "C" || one.parameters > 13e9) continue;
    size.push_back(std::log10(one.parameters));
    net.push_back(one.net);
  }
  if (size.size() < 4) {
    return Fail(ErrorKind::kInvalidData, "levers.json: fewer than four OPT models by protocol C");
  }
  Eigen::VectorXd middle(size.size() - 1), rate(size.size() - 1);
  for (std::size_t i = 1; i < size.size(); ++i) {
    middle[i - 1] = (net[i] + net[i - 1]) / 2;
    rate[i - 1] = (net[i] - net[i - 1]) / (size[i] - size[i - 1]);
  }
  const LineFit line = TRY(FitLine(middle, rate));
  const double half = line.SlopeHalfWidth(0.95), ends = line.InterceptHalfWidth(0.95);
  const std::string few = fmt::format("{} intervals of typed constants", middle.size());
  return std::vector<ReproducedRow>{
      {.quantity = "OPT, dγ/dlog10 N = aγ + b: a",
       .published = 1.49,
       .recomputed = line.slope,
       .low = line.slope - half,
       .high = line.slope + half,
       .verdict = kWrong,
       .reason = few + "; a above 0 means that γ leaves the fixed point"},
      {.quantity = "OPT, dγ/dlog10 N = aγ + b: b",
       .published = -0.79,
       .recomputed = line.intercept,
       .low = line.intercept - ends,
       .high = line.intercept + ends,
       .verdict = kWrong,
       .reason = few},
      {.quantity = "OPT, fixed point γ*",
       .published = 0.53,
       .recomputed = -line.intercept / line.slope,
       .verdict = kWrong,
       .reason = "misread: it repels, so that γ does not settle there"}};
}

Claim SteeringTrend(const PublishedData& data, const ReproduceOptions&) {
  std::vector<ShareCount> ladder;
  std::vector<ReproducedRow> rows;
  const std::map<std::string, double> printed = {
      {"pythia-410m", 0.6}, {"pythia-1b", 0.3}, {"pythia-2.8b", 0.2}};
  std::string others;
  for (const SteeringCount& one : data.levers.steering) {
    const auto found = printed.find(one.model);
    const double share = static_cast<double>(one.changed) / one.total;
    if (one.total == 10 && found != printed.end()) {
      ladder.push_back({one.changed, one.total});
      rows.push_back({.quantity = "outputs that steering changes, " + one.model,
                      .published = found->second,
                      .recomputed = share,
                      .verdict = kWeak,
                      .reason = fmt::format("{} of {}; a changed output is not a truer one, none "
                                            "was graded, and there is no control",
                                            one.changed, one.total)});
    } else if (one.flaws.empty()) {
      others += fmt::format("{}{} {} of {}", others.empty() ? "" : ", ", one.model, one.changed,
                            one.total);
    }
  }
  const ShareTrend trend = TRY(TestShareTrend(ladder));
  rows.push_back(
      {.quantity = "p that the three shares do not fall",
       .recomputed = trend.p,
       .verdict = kWeak,
       .reason = fmt::format("Cochran–Armitage, z {:.2f}; exact {:.2f}; the other counts "
                             "do not follow size: {}",
                             trend.z, trend.exact_p, others)});
  return rows;
}

}  // namespace couplingd
