#include "queries/audit_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/json.h"
#include "base/units.h"
#include "coupling/audit.h"
#include "coupling/item_statistics.h"
#include "coupling/statistics.h"
#include "queries/analysis.h"
#include "queries/parameters.h"

namespace couplingd {
namespace {

constexpr double kPower = 0.8;
constexpr double kSignificant = 0.05;
constexpr int kLabellings = 9999;
constexpr std::uint64_t kSeed = 1;

struct Check {
  std::string name;
  std::string result;
  std::string verdict;  // holds, weak, fails, not testable
  std::string advice;
};

Check NotTestable(std::string name, std::string why, std::string advice) {
  return {std::move(name), std::move(why), "not testable", std::move(advice)};
}

// One series with its estimate: a run over steps, or a family over scale.
struct Subject {
  AxisSeries series;
  CouplingOver over = CouplingOver::kSteps;
  LocalCoupling coupling;

  const CouplingEstimate& estimate() const { return coupling.estimate; }
  const char* noun() const { return over == CouplingOver::kSteps ? "checkpoint" : "size"; }
};

Result<LocalCoupling> Estimate(const AxisSeries& series, CouplingOver over,
                               const CouplingOptions& options) {
  if (over == CouplingOver::kSteps) return CouplingOverSteps(series, options);
  return TRY(CouplingOverScale(series, options)).population;
}

std::string PlaceText(const Subject& subject, double at) {
  return subject.over == CouplingOver::kSteps ? fmt::format("step {:.0f}", at) : FormatCount(at);
}

Check CheckRelabelling(const Subject& subject) {
  const bool over_steps = subject.over == CouplingOver::kSteps;
  const auto ordered = over_steps ? TrainedInOrder(subject.series) : SizesInOrder(subject.series);
  if (!ordered) return NotTestable("relabelling", ordered.error().message, "");
  const auto places = static_cast<Eigen::Index>(ordered->size());
  Eigen::VectorXd reasoning(places), truthfulness(places);
  for (Eigen::Index k = 0; k < places; ++k) {
    reasoning[k] = (*ordered)[static_cast<std::size_t>(k)].reasoning;
    truthfulness[k] = (*ordered)[static_cast<std::size_t>(k)].truthfulness;
  }
  const auto null = over_steps ? RelabelChanges(reasoning, truthfulness, kLabellings, kSeed)
                               : RelabelTruthfulness(reasoning, truthfulness, kLabellings, kSeed);
  const std::string advice = fmt::format("more {}s", subject.noun());
  if (!null) return NotTestable("relabelling", null.error().message, advice);
  Check check{.name = "relabelling"};
  check.result = fmt::format(
      "r {} = {:+.2f}; of {} {}labellings {:.2g} reach that (their r: {:+.2f} to {:+.2f})",
      over_steps ? "of changes" : "over sizes", null->observed, null->labellings,
      null->is_exact ? "" : "drawn ", null->p, null->null_low, null->null_high);
  // With so few places no labelling is rare.
  if (null->is_exact && 2.0 / null->labellings > kSignificant) {
    check.verdict = "not testable";
    check.advice = fmt::format("more {}s: {} allow no p below {:.2f}", subject.noun(),
                               over_steps ? places - 1 : places, 2.0 / null->labellings);
  } else if (null->p < kSignificant) {
    check.verdict = "holds";
  } else {
    check.verdict = over_steps ? "weak" : "fails";
    check.advice = over_steps ? "a shared drift explains it as well; do not read γ as a mechanism"
                              : "chance explains it as well; add sizes before acting on it";
  }
  return check;
}

Check CheckLeaveOneOut(const Subject& subject, const CouplingOptions& options) {
  const auto without = subject.over == CouplingOver::kSteps
                           ? DropEachCheckpoint(subject.series, options)
                           : DropEachSize(subject.series, options);
  if (!without) {
    return NotTestable("leave one out", without.error().message,
                       fmt::format("more {}s", subject.noun()));
  }
  double low = INFINITY, high = -INFINITY;
  std::string flips, loses;
  for (const WithoutPlace& one : *without) {
    if (one.gamma) low = std::min(low, *one.gamma), high = std::max(high, *one.gamma);
    if (one.phase == subject.estimate().phase) continue;
    std::string& list = one.phase == Phase::kUndetermined ? loses : flips;
    list += (list.empty() ? "" : ", ") + PlaceText(subject, one.at);
  }
  Check check{.name = "leave one out"};
  check.result = low <= high ? fmt::format("γ from {:+.2f} to {:+.2f}", low, high)
                             : std::string("no γ is left");
  if (subject.estimate().phase == Phase::kUndetermined) {
    check.verdict = flips.empty() ? "holds" : "weak";
    check.result += flips.empty() ? "; undetermined with any one left out"
                                  : "; a phase appears without " + flips;
    if (!flips.empty()) check.advice = "look at that " + std::string(subject.noun());
    return check;
  }
  const std::string phase(ToString(subject.estimate().phase));
  if (!flips.empty()) {
    check.verdict = "fails";
    check.result += fmt::format("; not {} without {}", phase, flips);
    check.advice = fmt::format("one {} carries the result: evaluate it again", subject.noun());
  } else if (!loses.empty()) {
    check.verdict = "weak";
    check.result += fmt::format("; undetermined without {}", loses);
    check.advice = fmt::format("more {}s", subject.noun());
  } else {
    check.verdict = "holds";
    check.result += fmt::format("; {} with any one left out", phase);
  }
  return check;
}

Check CheckPower(const Subject& subject, const PhaseBounds& bounds) {
  const CouplingEstimate& estimate = subject.estimate();
  if (!estimate.gamma) return NotTestable("power", estimate.reason, "");
  if (!std::isfinite(*estimate.low) || !std::isfinite(*estimate.high)) {
    return {"power", "the interval has no end: no γ could have been told from 0", "fails",
            "a longer window, or more items"};
  }
  const double error = (*estimate.high - *estimate.low) / 2 / NormalCritical(estimate.level);
  const double detectable = DetectionFactor(estimate.level, kPower) * error;
  Check check{.name = "power"};
  check.result = fmt::format("a γ of ±{:.2f} would be told from 0 in {:.0f} % of repetitions",
                             detectable, 100 * kPower);
  const double bound = std::max(-bounds.tax, bounds.bonus);
  if (detectable <= bound) {
    check.verdict = "holds";
  } else {
    check.verdict = detectable > 1 ? "fails" : "weak";
    check.advice =
        fmt::format("smaller couplings pass unseen; about {:.0f} times the data would show ±{:.1f}",
                    std::ceil(std::pow(detectable / bound, 2)), bound);
  }
  return check;
}

Check CheckEnds(const Subject& subject) {
  const CouplingDiagnostics& seen = subject.coupling.diagnostics;
  Check check{.name = "chance and ceiling"};
  if (!subject.estimate().gamma) {
    return NotTestable(check.name, subject.estimate().reason, "");
  }
  const AxisPair& axes = subject.series.axes;
  for (const auto& [axis, movement] :
       {std::pair{&axes.reasoning, &seen.reasoning}, {&axes.truthfulness, &seen.truthfulness}}) {
    const char* end = movement->is_near_chance  ? "within noise of guessing"
                      : movement->is_at_ceiling ? "within noise of its ceiling"
                                                : nullptr;
    if (!end) continue;
    check.result +=
        fmt::format("{}{} is {} throughout", check.result.empty() ? "" : "; ", axis->Text(), end);
  }
  if (!check.result.empty()) {
    check.verdict = "fails";
    check.advice = "rotate to a benchmark with signal left";
  } else if (subject.series.reasoning_chance && subject.series.truthfulness_chance) {
    check.result = "both axes are clear of guessing and of their ceiling";
    check.verdict = "holds";
  } else {
    check.result = "clear of the ceiling; the score of guessing is not known";
    check.verdict = "weak";
    check.advice = "chance is known for accuracies whose items are stored";
  }
  return check;
}

Check CheckSharedItems(const Subject& subject) {
  const AxisPair& axes = subject.series.axes;
  if (axes.reasoning.task == axes.truthfulness.task) {
    return {"shared items", "both axes are metrics of " + axes.reasoning.task, "fails",
            "one measurement cannot couple with itself: choose another task for an axis"};
  }
  if (subject.series.axes_share_items) {
    return {"shared items", "both axes are scored on the same items", "weak",
            "their errors go together; intervals account for it, r and relabelling do not"};
  }
  const bool is_known = !subject.series.observations.empty() &&
                        !subject.series.observations[0].reasoning_plan.empty() &&
                        !subject.series.observations[0].truthfulness_plan.empty();
  if (!is_known) {
    return NotTestable("shared items", "which items were scored is not known",
                       "import samples, or evaluate here");
  }
  return {"shared items", "the axes have different tasks and different items", "holds", ""};
}

// TruthfulQA's other form, and other metrics of the same tasks.
std::vector<AxisPair> OtherPairs(const AxisPair& pair, const std::vector<ScoreRow>& rows) {
  std::vector<AxisPair> others;
  const auto consider = [&](const TaskMetric& axis, bool is_truthfulness, const ScoreRow& row) {
    const TaskMetric other{row.score.task, row.score.metric};
    const bool is_sibling = other.task != axis.task && other.metric == axis.metric &&
                            other.task.starts_with("truthfulqa_mc") &&
                            axis.task.starts_with("truthfulqa_mc");
    if (other == axis || !(other.task == axis.task || is_sibling)) return;
    AxisPair changed = pair;
    (is_truthfulness ? changed.truthfulness : changed.reasoning) = other;
    changed.name = other.Text();
    if (changed.reasoning.task == changed.truthfulness.task) return;
    if (std::ranges::find(others, changed.name, &AxisPair::name) == others.end())
      others.push_back(std::move(changed));
  };
  for (const ScoreRow& row : rows) {
    consider(pair.truthfulness, true, row);
    consider(pair.reasoning, false, row);
  }
  return others;
}

int SignOf(const CouplingEstimate& estimate) {
  if (!estimate.gamma) return 0;
  return *estimate.low > 0 ? 1 : *estimate.high < 0 ? -1 : 0;
}

class Auditor {
 public:
  explicit Auditor(const QueryContext& context)
      : context_(context), options_(QuickOptionsOf(context.config.coupling)) {
    json_.BeginArray();
  }

  Status Family(const AxisPair& pair, const std::vector<AxisSeries>& runs,
                const HistoryFilter& filter) {
    for (const AxisSeries& run : runs) {
      TRY(Audit(pair, run, CouplingOver::kSteps, filter));
    }
    if (!HasSizes(runs) || !filter.run.empty()) return {};
    const auto sizes = FamilySeries(runs, context_.config.coupling.match);
    if (sizes) TRY(Audit(pair, sizes->series, CouplingOver::kScale, filter));
    return {};
  }

  std::string Text() { return json_.EndArray().Text(); }

 private:
  Status Audit(const AxisPair& pair, const AxisSeries& series, CouplingOver over,
               const HistoryFilter& filter) {
    Subject subject{series, over, TRY(Estimate(series, over, options_))};
    Write(subject, CheckRelabelling(subject));
    Write(subject, CheckLeaveOneOut(subject, options_));
    Write(subject, TRY(CheckOtherMetrics(pair, subject, filter)));
    Write(subject, CheckPower(subject, context_.config.coupling.bounds));
    Write(subject, CheckEnds(subject));
    Write(subject, CheckSharedItems(subject));
    return {};
  }

  Result<Check> CheckOtherMetrics(const AxisPair& pair, const Subject& subject,
                                  HistoryFilter filter) {
    filter.family = subject.series.family;
    if (subject.over == CouplingOver::kSteps) filter.run = subject.series.run;
    const int sign = SignOf(subject.estimate());
    std::string agree, open, contradict;
    for (const AxisPair& other : OtherPairs(pair, TRY(context_.history.Scores(filter)))) {
      const auto series = TRY(Collect(other, subject, filter));
      if (!series) continue;
      const auto coupling = Estimate(*series, subject.over, options_);
      if (!coupling || !coupling->estimate.gamma) continue;
      const int other_sign = SignOf(coupling->estimate);
      std::string& list = other_sign == sign ? agree : other_sign * sign < 0 ? contradict : open;
      list += fmt::format("{}{} {:+.2f}", list.empty() ? "" : ", ", other.name,
                          *coupling->estimate.gamma);
    }
    Check check{.name = "other metrics"};
    if (agree.empty() && open.empty() && contradict.empty()) {
      return NotTestable(check.name, "no other metric of these tasks is recorded",
                         "couplingctl rescore --record adds those that the raw scores hold");
    }
    const auto add = [&](const char* what, const std::string& list) {
      if (list.empty()) return;
      check.result += fmt::format("{}{}: {}", check.result.empty() ? "" : "; ", what, list);
    };
    add("the other sign", contradict);
    add(sign == 0 ? "a sign" : "no sign", open);
    add(sign == 0 ? "no sign either" : "the same sign", agree);
    check.verdict = !contradict.empty() ? "fails" : !open.empty() ? "weak" : "holds";
    if (check.verdict == "fails") check.advice = "the metric decides: do not act on one of them";
    if (check.verdict == "weak") check.advice = "say which metric the result is for";
    return check;
  }

  Result<std::optional<AxisSeries>> Collect(const AxisPair& pair, const Subject& subject,
                                            const HistoryFilter& filter) {
    std::vector<AxisSeries> runs = TRY(CollectSeries(context_.history, pair, filter));
    if (runs.empty()) return std::nullopt;
    if (subject.over == CouplingOver::kSteps) return std::move(runs.front());
    auto sizes = FamilySeries(runs, context_.config.coupling.match);
    if (!sizes) return std::nullopt;
    return std::move(sizes->series);
  }

  void Write(const Subject& subject, const Check& check) {
    json_.BeginObject().Field("family", subject.series.family).Key("run");
    subject.over == CouplingOver::kScale ? json_.Null() : json_.Value(subject.series.run);
    json_.Field("generation", subject.series.generation);
    json_.Field("over", ToString(subject.over)).Field("axes", subject.series.AxesText());
    json_.Field("gamma", subject.estimate().gamma).Field("low", subject.estimate().low);
    json_.Field("high", subject.estimate().high);
    json_.Field("phase", ToString(subject.estimate().phase)).Field("check", check.name);
    json_.Field("result", check.result).Field("verdict", check.verdict);
    json_.Field("advice", check.advice).EndObject();
  }

  const QueryContext& context_;
  CouplingOptions options_;
  JsonWriter json_;
};

}  // namespace

Result<std::string> AnswerAudit(const QueryContext& context) {
  HistoryFilter filter = TRY(ParseFilter(context.parameters, context.clock));
  const auto name = context.parameters.find("name");
  if (name != context.parameters.end() && !name->second.empty()) {
    const std::vector<Run> runs = TRY(context.history.Runs());
    const bool is_run = std::ranges::find(runs, name->second, &Run::name) != runs.end();
    if (!is_run && std::ranges::find(runs, name->second, &Run::family) == runs.end()) {
      return Fail(ErrorKind::kNotFound,
                  fmt::format("there is no run and no family \"{}\"", name->second),
                  "see couplingctl runs");
    }
    (is_run ? filter.run : filter.family) = name->second;
  }
  Auditor auditor(context);
  for (const AxisPair& pair : TRY(ParseAxes(context.parameters, context.config))) {
    std::map<std::string, std::vector<AxisSeries>> families;
    for (AxisSeries& series : TRY(CollectSeries(context.history, pair, filter))) {
      families[series.family].push_back(std::move(series));
    }
    for (const auto& [family, runs] : families) TRY(auditor.Family(pair, runs, filter));
  }
  return auditor.Text();
}

}  // namespace couplingd
