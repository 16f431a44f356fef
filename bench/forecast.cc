// Forecasts of scores that are known, against baselines: the next sizes of the panel's families,
// and the later steps of Pythia. bench/forecast runs it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>

#include "base/json.h"
#include "bench/forecast_data.h"
#include "bench/forecast_turns.h"
#include "coupling/score_forecast.h"

namespace couplingd {
namespace {

using Eigen::Index;
using Trajectories = std::vector<ScoreTrajectory>;

// Hits of the 80 and 95 % intervals.
struct Coverage {
  int total = 0, without = 0, in80 = 0, in95 = 0;

  void Add(const ScoreForecast& forecast, double truth) {
    if (!forecast.value) {
      ++without;
      return;
    }
    ++total;
    in80 += *forecast.low80 <= truth && truth <= *forecast.high80;
    in95 += *forecast.low <= truth && truth <= *forecast.high;
  }
  void Add(const Coverage& other) {
    total += other.total;
    without += other.without;
    in80 += other.in80;
    in95 += other.in95;
  }
  static std::string Share(int hits, int total, double nominal) {
    using Binomial = boost::math::binomial;
    const double low = Binomial::find_lower_bound_on_p(total, hits, 0.025);
    const double high = Binomial::find_upper_bound_on_p(total, hits, 0.025);
    return fmt::format("{:5.1f} % [{:.1f}, {:.1f}] {}", 100.0 * hits / total, 100 * low, 100 * high,
                       low <= nominal && nominal <= high ? "holds" : "does not hold");
  }
  void Print(std::string_view name) const {
    if (total == 0) return;
    fmt::print("  {:<26} {:>4}   80 %: {:<38} 95 %: {}\n", name, total, Share(in80, total, 0.8),
               Share(in95, total, 0.95));
  }
};

Trajectories Without(const Trajectories& all, std::size_t left_out) {
  Trajectories others;
  for (std::size_t k = 0; k < all.size(); ++k) {
    if (k != left_out) others.push_back(all[k]);
  }
  return others;
}

// When to leave the ensemble for a baseline: what each rule would have missed by.
struct Rules {
  static constexpr double kStandardErrors[] = {0, 1, 1.5, 2};
  static constexpr std::size_t kCount = std::size(kStandardErrors);
  std::vector<double> ensemble;
  std::vector<double> by_rule[kCount];
  int switched[kCount] = {};

  void Add(const ScoreForecast& forecast, double truth) {
    if (!forecast.value) return;
    ensemble.push_back(std::abs(forecast.candidates[0].value - truth));
    for (std::size_t rule = 0; rule < kCount; ++rule) {
      const ScoreCandidate* used = &forecast.candidates[0];
      for (const ScoreCandidate& candidate : forecast.candidates) {
        const double sure =
            candidate.over_ensemble + kStandardErrors[rule] * candidate.over_ensemble_error;
        if (sure < 0 && candidate.past_error < used->past_error) used = &candidate;
      }
      by_rule[rule].push_back(std::abs(used->value - truth));
      switched[rule] += used != &forecast.candidates[0];
    }
  }

  void Print() const {
    const auto n = static_cast<double>(ensemble.size());
    fmt::print(
        "\nA simple baseline instead of the ensemble where its past error was less, {:.0f} "
        "forecasts, "
        "points\n  {:<38} {:>6.3f}\n",
        n, "the ensemble always", Mean(ensemble));
    for (std::size_t rule = 0; rule < kCount; ++rule) {
      double mean = 0, square = 0;
      for (std::size_t k = 0; k < ensemble.size(); ++k) {
        const double over = 100 * (by_rule[rule][k] - ensemble[k]);
        mean += over / n;
        square += over * over / n;
      }
      const std::string name = rule == 0
                                   ? "by however little (what is used)"
                                   : fmt::format("by {:g} standard errors", kStandardErrors[rule]);
      fmt::print("  {:<38} {:>6.3f}   {:+.3f} ± {:.3f}   used in {:.0f} %\n", name,
                 Mean(by_rule[rule]), mean, std::sqrt((square - mean * mean) / n),
                 100 * switched[rule] / n);
    }
  }

 private:
  static double Mean(const std::vector<double>& errors) {
    double sum = 0;
    for (const double error : errors) sum += error;
    return 100 * sum / static_cast<double>(errors.size());
  }
};

// What is counted over all forecasts.
struct Tally {
  Coverage& coverage;
  Rules& rules;
  void Add(const ScoreForecast& forecast, double truth) {
    coverage.Add(forecast, truth);
    rules.Add(forecast, truth);
  }
};

ScoreTrajectory Head(const ScoreTrajectory& of, Index places) {
  return {of.name, of.positions.head(places), of.scores.topRows(places)};
}

// The errors of every method and of the forecast, case by case.
struct Errors {
  std::vector<double> ours;
  std::map<std::string, std::vector<double>> methods;
  int baselines = 0;  // forecasts that a baseline made

  void Add(const ScoreForecast& forecast, const ScoreQuestion& question, double truth) {
    ours.push_back(std::abs(*forecast.value - truth));
    baselines += forecast.method != "ensemble";
    for (const ScoreMethod& method : ScoreMethods()) {
      const auto guess = method.guess(question);
      if (guess) methods[std::string(method.name)].push_back(std::abs(*guess - truth));
    }
  }
  static double Mean(const std::vector<double>& errors) {
    double sum = 0;
    for (const double error : errors) sum += error;
    return 100 * sum / static_cast<double>(errors.size());
  }
};

constexpr double kPublished[][2] = {{6.43, 2.46}, {3.29, 2.72}, {4.84, 2.36}, {2.19, 2.23}};
constexpr const char* kPublishedMethods[] = {"last-value", "line", "line-all", "pooled-quadratic"};

int NextSizes(const Trajectories& families, const std::vector<std::string>& listed, Tally tally) {
  std::vector<std::string> cases;
  Errors errors[2];
  const Index axes = families[0].scores.cols();
  for (std::size_t f = 0; f < families.size(); ++f) {
    const ScoreTrajectory& family = families[f];
    const Trajectories pool = Without(families, f);
    for (Index seen = 2; seen < family.positions.size(); ++seen) {
      cases.push_back(fmt::format("{} {:.4g}", family.name, std::pow(10, family.positions[seen])));
      const ScoreTrajectory own = Head(family, seen);
      for (Index axis = 0; axis < axes; ++axis) {
        const double at = family.positions[seen], truth = family.scores(seen, axis);
        const ScoreForecast forecast = ForecastScore(pool, own, at, axis);
        tally.Add(forecast, truth);
        if (axis < 2) errors[axis].Add(forecast, {pool, own, seen, at, axis}, truth);
      }
    }
  }
  std::ranges::sort(cases);
  fmt::print("Next size of a family, from its smaller sizes and the other families: {} cases\n",
             cases.size());
  if (cases != listed) {
    fmt::print("  these are not the {} cases of bench/forecast_cases.txt\n", listed.size());
    return 1;
  }
  fmt::print("  mean absolute error, points   HellaSwag          TruthfulQA\n");
  for (const ScoreMethod& method : ScoreMethods()) {
    const auto* name = std::ranges::find(kPublishedMethods, method.name);
    std::string text = fmt::format("  {:<26}", method.name);
    for (int axis = 0; axis < 2; ++axis) {
      const auto& of = errors[axis].methods[std::string(method.name)];
      text += of.size() < cases.size() ? fmt::format("{:>10}", "—")
                                       : fmt::format("{:>8.2f}", Errors::Mean(of));
      text += name == std::end(kPublishedMethods)
                  ? std::string(11, ' ')
                  : fmt::format(" ({:.2f})   ", kPublished[name - kPublishedMethods][axis]);
    }
    fmt::print("{}\n", text);
  }
  fmt::print("  {:<26}{:>8} (3.33)   {:>8} (1.90)    regressors not published\n",
             "derivative regression", "", "");
  fmt::print("  {:<26}{:>8.2f} ({:+.0f} %) {:>8.2f} ({:+.0f} %)   against 2.19 and 1.90\n",
             "couplingd", Errors::Mean(errors[0].ours),
             100 * (Errors::Mean(errors[0].ours) / 2.19 - 1), Errors::Mean(errors[1].ours),
             100 * (Errors::Mean(errors[1].ours) / 1.90 - 1));
  return 0;
}

// The intervals of the panel's other benchmarks; HellaSwag has been counted.
void OtherBenchmarks(const Trajectories& families, Tally tally) {
  for (std::size_t f = 0; f < families.size(); ++f) {
    const ScoreTrajectory& family = families[f];
    const Trajectories pool = Without(families, f);
    for (Index seen = 2; seen < family.positions.size(); ++seen) {
      for (Index axis = 1; axis < family.scores.cols(); ++axis) {
        tally.Add(ForecastScore(pool, Head(family, seen), family.positions[seen], axis),
                  family.scores(seen, axis));
      }
    }
  }
}

void LaterSteps(const BenchRuns& runs, Tally tally) {
  fmt::print(
      "\nLast step of a run, from its first 25, 50, 75 % and the other 7 sizes: 8 runs each. "
      "simple: "
      "runs in\nwhich a simple baseline was used, because it had missed by less before; best: in "
      "hindsight\n"
      "  mean absolute error, points     last value       line  power law   couplingd  simple   "
      "best\n");
  int won = 0, lost = 0;
  double mean[4] = {};
  for (std::size_t task = 0; task < runs.tasks.size(); ++task) {
    Trajectories all = runs.OfTask(task);
    const Index axis = task == 0 ? 0 : 1;
    for (const double share : {0.25, 0.5, 0.75}) {
      Errors errors;
      for (std::size_t r = 0; r < all.size(); ++r) {
        const ScoreTrajectory& run = all[r];
        const Index last = run.positions.size() - 1;
        const double end = run.positions[last] + std::log10(share) + 1e-6;
        const auto seen = static_cast<Index>(
            std::ranges::count_if(run.positions, [&](double x) { return x <= end; }));
        const Trajectories pool = Without(all, r);
        const ScoreTrajectory own = Head(run, seen);
        for (const Index target : {seen, last}) {
          const double truth = run.scores(target, axis), at = run.positions[target];
          const ScoreForecast forecast = ForecastScore(pool, own, at, axis, {.next_place = false});
          tally.Add(forecast, truth);
          if (target == last) errors.Add(forecast, {pool, own, seen, at, axis}, truth);
        }
      }
      const double baselines[] = {Errors::Mean(errors.methods["last-value"]),
                                  Errors::Mean(errors.methods["line-decade"]),
                                  Errors::Mean(errors.methods["power-law"])};
      const double ours = Errors::Mean(errors.ours);
      for (int k = 0; k < 3; ++k) mean[k] += baselines[k];
      mean[3] += ours;
      const double* best = std::ranges::min_element(baselines);
      const bool wins = ours <= *best;
      ++(wins ? won : lost);
      constexpr const char* kNames[] = {"last value", "line", "power law"};
      fmt::print("  {:<25} {:>2.0f} % {:>10.2f} {:>10.2f} {:>10.2f} {:>11.2f} {:>5}/8   {}\n",
                 share == 0.25 ? runs.tasks[task].substr(0, 25) : "", 100 * share, baselines[0],
                 baselines[1], baselines[2], ours, errors.baselines,
                 wins ? "couplingd" : kNames[best - baselines]);
    }
  }
  const double rows = won + lost;
  fmt::print("  {:<32}{:>10.2f} {:>10.2f} {:>10.2f} {:>11.2f}\n", "mean of the rows",
             mean[0] / rows, mean[1] / rows, mean[2] / rows, mean[3] / rows);
  fmt::print("  couplingd is at least as good as the best of the three in {} of {} rows\n", won,
             won + lost);
}

int Main(int argc, char** argv) {
  CLI::App app("Forecasts of known scores against baselines");
  std::string pythia, cases;
  app.add_option("--pythia", pythia)->required();
  app.add_option("--cases", cases)->required();
  CLI11_PARSE(app, argc, argv);
  const auto families = PanelFamilies({&PanelModel::hellaswag, &PanelModel::truthfulqa});
  const auto runs = ReadRuns(pythia);
  const auto others = PanelFamilies({&PanelModel::hellaswag, &PanelModel::arc_challenge,
                                     &PanelModel::winogrande, &PanelModel::mmlu});
  const auto listed = ReadLines(cases);
  for (const auto* problem :
       {families ? nullptr : &families.error(), runs ? nullptr : &runs.error(),
        others ? nullptr : &others.error(), listed ? nullptr : &listed.error()}) {
    if (!problem) continue;
    fmt::print(stderr, "bench forecast: {}\n", problem->Text());
    return 65;
  }
  Coverage panel_coverage, steps_coverage;
  Rules rules;
  const Tally panel{panel_coverage, rules}, steps{steps_coverage, rules};
  const int status = NextSizes(*families, *listed, panel);
  const Status turns = PrintTurns();
  if (!turns) {
    fmt::print(stderr, "bench forecast: {}\n", turns.error().Text());
    return 65;
  }
  LaterSteps(*runs, steps);
  OtherBenchmarks(*others, panel);
  rules.Print();
  fmt::print(
      "\nCoverage of the intervals, with the binomial 95 % interval of the measured share\n");
  panel_coverage.Print("next size");
  steps_coverage.Print("later step");
  Coverage both = panel_coverage;
  both.Add(steps_coverage);
  both.Print("together");
  return status;
}

}  // namespace
}  // namespace couplingd

int main(int argc, char** argv) { return couplingd::Main(argc, argv); }
