#include "coupling/frontier/predictions.h"

#include <fmt/format.h>

#include <algorithm>

namespace couplingd {
namespace {

using State = PredictionState;

State Side(bool passes, bool fails) {
  return passes ? State::kPasses : fails ? State::kFails : State::kBetween;
}

void JudgeSpread(const FrontierReport& report, PredictionStanding& standing) {
  if (report.saturation_with_later.empty()) return;
  const Saturation& top = report.saturation_with_later[0];
  standing.state = Side(top.spread < 0.02 && top.other_spread > 0.05, top.spread > 0.05);
  standing.evidence = fmt::format(
      "with the later models the top {} by SWE-bench spread over {:.1f} points, their GPQA over "
      "{:.1f}",
      top.top.size(), 100 * top.spread, 100 * top.other_spread);
}

void JudgeIfeval(const FrontierData& data, PredictionStanding& standing) {
  Eigen::VectorXd gpqa(data.ifeval.size()), ifeval(data.ifeval.size());
  for (std::size_t i = 0; i < data.ifeval.size(); ++i) {
    gpqa[i] = data.ifeval[i].y;
    ifeval[i] = data.ifeval[i].ifeval;
  }
  const auto found = PearsonCorrelation(gpqa, ifeval);
  if (!found) return;
  standing.state = Side(found->r > 0.6 && found->n >= 8, found->r < 0.3);
  standing.evidence = fmt::format(
      "r {:.2f} [{:.2f}, {:.2f}] on {} models; it passes with 8 or more and fails with fewer than "
      "5",
      found->r, found->interval.low, found->interval.high, found->n);
}

// The lab's later releases: `passes` and `fails` look at one h in points.
template <typename Passes, typename Fails>
void JudgeLab(const FrontierData& data, const FrontierReport& report, std::string_view lab,
              const Passes& passes, const Fails& fails, PredictionStanding& standing) {
  int seen = 0, passing = 0, failing = 0;
  std::string fields;
  for (std::size_t i = 0; i < data.table.models.size(); ++i) {
    const FrontierModel& model = data.table.models[i];
    if (!model.IsLater() || model.lab != lab) continue;
    const double h = 100 * report.models[i].h;
    ++seen;
    passing += passes(h);
    failing += fails(h);
    fields += fmt::format("{}{} h {:+.1f} ± {:.1f}", seen > 1 ? ", " : "", model.name, h,
                          100 * report.models[i].half_width);
  }
  if (seen == 0) {
    standing.evidence = fmt::format("no release of {} after the cutoff is at hand", lab);
    return;
  }
  standing.state = Side(seen >= 2 && passing == seen, failing > 0);
  standing.evidence = fmt::format("{} of 2 releases: {}", seen, fields);
}

void JudgeCooperation(const FrontierData& data, const FrontierReport& report,
                      PredictionStanding& standing) {
  if (!report.later || !report.later->r_all) return;
  const double r = *report.later->r_all;
  const std::size_t n = data.table.models.size();
  standing.state = Side(r > 0.5 && n >= 30, r < 0.3);
  standing.evidence = fmt::format("r {:.2f} on {} models", r, n);
  if (report.given_date) {
    standing.evidence +=
        fmt::format("; {:.2f} [{:.2f}, {:.2f}] with the release date held", report.given_date->r,
                    report.given_date->interval.low, report.given_date->interval.high);
  }
}

}  // namespace

std::string_view ToString(PredictionState state) {
  switch (state) {
    case State::kPasses:
      return "passes so far";
    case State::kFails:
      return "fails so far";
    case State::kBetween:
      return "between";
    case State::kNoData:
      return "no data";
  }
  return "";
}

Result<std::vector<PredictionStanding>> JudgePredictions(const FrontierData& data,
                                                         const FrontierReport& report) {
  std::vector<PredictionStanding> standings;
  for (const FrontierPrediction& prediction : data.predictions) {
    PredictionStanding standing{.prediction = prediction};
    switch (prediction.id) {
      case 1:
        JudgeSpread(report, standing);
        break;
      case 2:
        JudgeIfeval(data, standing);
        break;
      case 3:
        JudgeLab(
            data, report, "DeepSeek", [](double h) { return h < 0; },
            [](double h) { return h > 5; }, standing);
        break;
      case 4:
        JudgeLab(
            data, report, "Google", [](double h) { return h > 3; }, [](double h) { return h < 0; },
            standing);
        break;
      case 5:
        JudgeCooperation(data, report, standing);
        break;
      case 6:
      case 7:
        standing.evidence = "no HLE scores of these models were published with it";
        break;
      default:
        return Fail(
            ErrorKind::kInvalidData,
            fmt::format("frontier_predictions.csv: no rule judges prediction {}", prediction.id));
    }
    if (standing.evidence.empty()) standing.evidence = "the scores it is about are not at hand";
    standings.push_back(std::move(standing));
  }
  return standings;
}

}  // namespace couplingd
