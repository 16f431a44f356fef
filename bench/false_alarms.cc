// How often do phase rules cry wolf, and how late are they? Simulated runs with known truth,
// watched by the rule as it stands, by the naive rule (the point estimate of γ lies below the
// bound) and by the rule that looks at a 95 % interval at every checkpoint. Run by
// bench/false-alarms.
#include "alerts/false_alarms.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <boost/math/distributions/beta.hpp>
#include <iostream>
#include <numeric>
#include <thread>

#include "bench/simulated_families.h"
#include "bench/simulated_runs.h"
#include "config/config.h"
#include "coupling/local_coupling.h"
#include "coupling/statistics.h"

namespace couplingd::simulated {
namespace {

struct Options {
  std::vector<std::string> items = {"bench/data/items.csv", "bench/data/smollm2_items.csv"};
  std::string trajectories = "../shared/data/pythia/lm-eval";
  int runs = 2000;
  int threads = 2;
  int compared = 60;  // windows on which the closed form of the former rule is compared with it
  double rate = RuleConfig().false_alarm_rate;
  double margin = RuleConfig().margin;
  std::uint64_t seed = 1;
  Setting setting;
};

constexpr std::size_t kRules = 4;
constexpr const char* kRuleNames[kRules] = {"point estimate", "95 % interval", "narrowest window",
                                            "declared rate"};
constexpr double kNaiveBound = -0.1;
constexpr double kInIntervalLevel = 0.025;  // a 95 % interval lies on one side

// What one rule did in one run; checkpoints count from 1, 0 is never.
struct Outcome {
  int false_alarm = 0;  // first look that fired while the coupling was no tax
  int detection = 0;    // first look that fired while it was one, after the change
};

struct RunOutcome {
  std::array<Outcome, kRules> rules;
  int looks = 0;
  int first_tax = 0;  // first look behind the change whose window is a tax
  int change = 0;
};

// What a rule says at one look, and whether it is so in the window that it looked at.
struct Verdict {
  bool fires = false;
  bool is_tax = false;
};

double TaxEvidence(const PhaseEvidence& evidence) {
  return std::max(evidence.reasoning_rises, evidence.below_tax);
}

std::array<Verdict, kRules> Judge(const Look& look, int looks, const Options& options) {
  std::vector<PhaseEvidence> windows;
  for (const WindowLook& window : look.windows) {
    windows.push_back(MeasureEvidence(window.input, {}));
  }
  const double level = LevelBeyond(LookLevel(options.rate, looks), options.margin);
  std::size_t clearest = 0;
  for (std::size_t w = 1; w < windows.size(); ++w) {
    const auto weighed = [&](std::size_t window) {
      return TaxEvidence(windows[window]) / WindowShare(window, windows.size());
    };
    if (weighed(w) < weighed(clearest)) clearest = w;
  }
  const WindowLook& narrowest = look.windows[0];
  const bool is_tax = narrowest.IsTax();
  return {Verdict{narrowest.seen_truthfulness / narrowest.seen_reasoning < kNaiveBound, is_tax},
          Verdict{TaxEvidence(windows[0]) <= kInIntervalLevel, is_tax},
          Verdict{TaxEvidence(windows[0]) <= level, is_tax},
          Verdict{TaxEvidence(CombineEvidence(windows)) <= level, look.windows[clearest].IsTax()}};
}

RunOutcome Watch(Run& run, const Options& options) {
  RunOutcome outcome{.change = run.change()};
  Look look;
  for (int k = 1; k <= options.setting.checkpoints; ++k) {
    if (!run.Next(look)) continue;
    const std::array<Verdict, kRules> verdicts = Judge(look, ++outcome.looks, options);
    const bool is_after = k > outcome.change;
    if (look.windows[0].IsTax() && is_after && outcome.first_tax == 0) outcome.first_tax = k;
    for (std::size_t rule = 0; rule < kRules; ++rule) {
      if (!verdicts[rule].fires) continue;
      Outcome& done = outcome.rules[rule];
      const bool is_tax = verdicts[rule].is_tax;
      if (!is_tax && done.false_alarm == 0) done.false_alarm = k;
      if (is_tax && is_after && done.detection == 0) done.detection = k;
    }
  }
  return outcome;
}

// Work(i) for every run, on all threads.
template <typename Work>
void ForEachRun(const Options& options, Work work) {
  std::atomic<int> next{0};
  const auto loop = [&] {
    for (int i = next++; i < options.runs; i = next++) work(static_cast<std::size_t>(i));
  };
  std::vector<std::jthread> threads;
  for (int i = 1; i < options.threads; ++i) threads.emplace_back(loop);
  loop();
}

// Runs take the pools of items in turn.
std::vector<RunOutcome> WatchAll(const std::vector<ItemPool>& pools,
                                 const std::vector<Curve>& curves, Scenario scenario,
                                 const Options& options) {
  std::vector<RunOutcome> outcomes(static_cast<std::size_t>(options.runs));
  ForEachRun(options, [&](std::size_t i) {
    Run run(pools[i % pools.size()], curves, scenario, options.setting,
            options.seed * 1'000'003 + i);
    outcomes[i] = Watch(run, options);
  });
  return outcomes;
}

// Clopper and Pearson, 95 %.
Interval ShareInterval(int hits, int n) {
  using boost::math::beta_distribution, boost::math::quantile;
  const double low = hits == 0 ? 0 : quantile(beta_distribution<>(hits, n - hits + 1), 0.025);
  const double high = hits == n ? 1 : quantile(beta_distribution<>(hits + 1, n - hits), 0.975);
  return {low, high};
}

std::string SharesText(int hits, int n) {
  const Interval interval = ShareInterval(hits, n);
  return fmt::format("{:6.2f} % [{:.2f}, {:.2f}]", 100.0 * hits / n, 100 * interval.low,
                     100 * interval.high);
}

void PrintFalseAlarms(const char* title, const std::vector<RunOutcome>& outcomes,
                      const Options& options) {
  fmt::print("{}\n", title);
  const double declared = SpentRate(options.rate, outcomes.front().looks);
  for (std::size_t rule = 0; rule < kRules; ++rule) {
    std::vector<int> hits(options.items.size());
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      hits[i % hits.size()] += outcomes[i].rules[rule].false_alarm > 0;
    }
    const bool is_declared = rule + 1 == kRules;
    fmt::print("  {:<16} runs with a false alarm {}   of each item file {}{}\n", kRuleNames[rule],
               SharesText(std::accumulate(hits.begin(), hits.end(), 0), options.runs),
               fmt::join(hits, " + "),
               is_declared ? fmt::format("   declared {:g} %", 100 * declared) : "");
  }
}

void PrintDetections(const std::vector<RunOutcome>& outcomes) {
  std::vector<RunOutcome> possible;
  std::ranges::copy_if(outcomes, std::back_inserter(possible),
                       [](const RunOutcome& run) { return run.first_tax > 0; });
  if (possible.empty()) return;
  fmt::print(
      "  in {} runs the window becomes a tax, {:.0f} checkpoints after the change (median)\n",
      possible.size(), [&] {
        std::vector<double> waits;
        for (const RunOutcome& run : possible) waits.push_back(run.first_tax - run.change);
        return Quantile(waits, 0.5);
      }());
  for (std::size_t rule = 0; rule < kRules; ++rule) {
    std::vector<double> delays, factors;
    for (const RunOutcome& run : possible) {
      const int at = run.rules[rule].detection;
      if (at == 0) continue;
      delays.push_back(at - run.change);
      factors.push_back(static_cast<double>(at) / run.change);
    }
    const auto found = static_cast<int>(delays.size());
    fmt::print("  {:<16} found in {}", kRuleNames[rule],
               SharesText(found, static_cast<int>(possible.size())));
    if (found > 0) {
      fmt::print("   delay {:.0f}, 90 % {:.0f} checkpoints (tokens \u00d7{:.2f}, \u00d7{:.2f})",
                 Quantile(delays, 0.5), Quantile(delays, 0.9), Quantile(factors, 0.5),
                 Quantile(factors, 0.9));
    }
    fmt::print("\n");
  }
}

// Families have one window: all of their sizes.
constexpr const char* kFamilyRules[] = {"point estimate", "95 % interval", "declared rate"};

struct FamilyOutcome {
  std::array<int, std::size(kFamilyRules)> fired{};  // first look, 0: never
};

FamilyOutcome WatchFamily(Family& family, const FamilySetting& setting, const Options& options) {
  FamilyOutcome outcome;
  for (int k = 1; k <= setting.looks; ++k) {
    const WindowLook look = family.Next();
    const double p_value = TaxEvidence(MeasureEvidence(look.input, {}));
    const double level = LevelBeyond(LookLevel(options.rate, k), options.margin);
    const bool fires[] = {look.seen_truthfulness / look.seen_reasoning < kNaiveBound,
                          p_value <= kInIntervalLevel, p_value <= level};
    for (std::size_t rule = 0; rule < outcome.fired.size(); ++rule) {
      if (fires[rule] && outcome.fired[rule] == 0) outcome.fired[rule] = k;
    }
  }
  return outcome;
}

void PrintFamilies(const char* title, const std::vector<ItemPool>& pools,
                   const std::vector<Ladder>& ladders, const FamilySetting& setting,
                   const Options& options) {
  std::vector<FamilyOutcome> outcomes(static_cast<std::size_t>(options.runs));
  ForEachRun(options, [&](std::size_t i) {
    Family family(pools[i % pools.size()], ladders, setting, options.seed * 2'000'003 + i);
    outcomes[i] = WatchFamily(family, setting, options);
  });
  fmt::print("{}\n", title);
  for (std::size_t rule = 0; rule < std::size(kFamilyRules); ++rule) {
    const auto fired = std::ranges::count_if(
        outcomes, [&](const FamilyOutcome& outcome) { return outcome.fired[rule] > 0; });
    const bool is_declared = rule + 1 == std::size(kFamilyRules);
    fmt::print("  {:<16} families that it fires for {}{}\n", kFamilyRules[rule],
               SharesText(static_cast<int>(fired), options.runs),
               is_declared ? fmt::format("   declared {:.2g} %",
                                         100 * SpentRate(options.rate, setting.looks))
                           : "");
  }
}

// The former rule asked EstimateWindow: the whole interval in the phase, 95 % of the replicates
// there, reasoning moved. Its closed form above stands in for it on all runs.
Status CompareWithBootstrap(const ItemPool& pool, const std::vector<Curve>& curves,
                            const Options& options) {
  if (options.compared <= 0) return {};
  int agree = 0, windows = 0, bootstrap = 0, closed = 0;
  Setting setting = options.setting;
  setting.checkpoints = 60;
  setting.steps *= options.setting.checkpoints / 60.0;
  for (std::uint64_t seed = 1; windows < options.compared; ++seed) {
    Run run(pool, curves, Scenario::kSignChange, setting, seed);
    AxisSeries series{.run = "simulated", .axes = {"", {"r", "acc"}, {"t", "acc"}}};
    Look look;
    for (int k = 0; k < setting.checkpoints; ++k) {
      const bool is_look = run.Next(look);
      series.observations.push_back({.step = run.Step(k),
                                     .reasoning_items = run.ReasoningItems(k),
                                     .truthfulness_items = run.TruthfulnessItems(k)});
      if (!is_look || k % 10 != 9 || windows >= options.compared) continue;
      CouplingOptions coupling;
      coupling.replicates = 400;
      const CouplingEstimate estimate = TRY(CouplingOverSteps(series, coupling)).estimate;
      const bool by_bootstrap = estimate.phase == Phase::kTax && estimate.p_tax.value_or(0) >= 0.95;
      const bool by_evidence =
          TaxEvidence(MeasureEvidence(look.windows[0].input, {})) <= kInIntervalLevel;
      agree += by_bootstrap == by_evidence;
      bootstrap += by_bootstrap;
      closed += by_evidence;
      ++windows;
    }
  }
  fmt::print(
      "The 95 % interval rule here is a closed form; the bootstrap of every window says the same "
      "in {} of {} "
      "windows\n(tax in {} by bootstrap, in {} by the closed form).\n",
      agree, windows, bootstrap, closed);
  return {};
}

Status Bench(const Options& options) {
  int files = 0;
  const std::vector<Curve> curves = TRY(ReadCurves(options.trajectories, files));
  std::vector<ItemPool> pools;
  std::size_t items = 0;
  for (const std::string& path : options.items) {
    pools.push_back(TRY(ReadItems(path)));
    items += pools.back().reasoning.items.size() + pools.back().truthfulness.items.size();
  }
  const Setting& setting = options.setting;
  fmt::print(
      "{} runs of {} checkpoints for each scenario; {} + {} items drawn from {} in {} by "
      "turns;\nreasoning "
      "along {} curves of {} "
      "Pythia files; checkpoint noise {:g} points, autocorrelation {:g}; seed {}.\nIntervals: "
      "Clopper-Pearson, 95 %.\n\n",
      options.runs, setting.checkpoints, setting.reasoning_items, setting.truthfulness_items, items,
      fmt::join(options.items, " and "), curves.size(), files, 100 * setting.checkpoint_noise,
      setting.autocorrelation, options.seed);
  const std::pair<Scenario, const char*> quiet[] = {
      {Scenario::kNoChange, "No change"},
      {Scenario::kDrift, "Both axes drift, γ between -0.1 and 0.5"},
      {Scenario::kOnTheBound, "Both axes drift, γ on the bound of -0.1 (the worst case)"}};
  for (const auto& [scenario, title] : quiet) {
    PrintFalseAlarms(title, WatchAll(pools, curves, scenario, options), options);
  }
  const auto turned = WatchAll(pools, curves, Scenario::kSignChange, options);
  PrintFalseAlarms("γ turns from 0.3 to -0.8 after 5 to 20 % of the run", turned, options);
  PrintDetections(turned);
  const std::vector<Ladder> ladders = TRY(ReadLadders(options.trajectories));
  FamilySetting family;
  const std::string looks =
      fmt::format("4 to 8 sizes at {} numbers of tokens, training seeds {:g} points apart",
                  family.looks, 100 * family.size_noise);
  PrintFamilies(fmt::format("\nFamilies, {}, γ on the bound of -0.1", looks).c_str(), pools,
                ladders, family, options);
  family.gamma = -0.6;
  PrintFamilies("The same, γ of -0.6: families found", pools, ladders, family, options);
  return CompareWithBootstrap(pools[0], curves, options);
}

}  // namespace
}  // namespace couplingd::simulated

int main(int argc, char** argv) {
  using namespace couplingd::simulated;
  Options options;
  options.threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  CLI::App app("Measures false alarms and delays of phase rules on simulated runs");
  app.add_option("--items", options.items,
                 "Files of items (bench/oracle/item_fixture.py), taken in turn")
      ->capture_default_str();
  app.add_option("--trajectories", options.trajectories, "lm-eval results of Pythia")
      ->capture_default_str();
  app.add_option("--runs", options.runs, "Runs for each scenario")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--checkpoints", options.setting.checkpoints,
                 "Checkpoints of a run, over 143,000 steps")
      ->capture_default_str()
      ->check(CLI::Range(10, 100'000));
  app.add_option("--rate", options.rate, "Declared, per 1,000 checkpoints")->capture_default_str();
  app.add_option("--margin", options.margin, "Sigmas beyond it")->capture_default_str();
  app.add_option("--noise", options.setting.checkpoint_noise, "Checkpoint noise, a fraction")
      ->capture_default_str();
  app.add_option("--autocorrelation", options.setting.autocorrelation,
                 "Of that noise, between neighbouring checkpoints")
      ->capture_default_str();
  app.add_option("--items-per-axis", options.setting.reasoning_items, "Items of reasoning")
      ->capture_default_str();
  app.add_option("--compared", options.compared, "Windows compared with the bootstrap")
      ->capture_default_str();
  app.add_option("--threads", options.threads, "Threads")->capture_default_str();
  app.add_option("--seed", options.seed, "Of everything drawn")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  options.setting.steps = 143'000.0 / options.setting.checkpoints;
  const couplingd::Status done = Bench(options);
  if (done) return 0;
  std::cerr << "couplingd-bench-false-alarms: " << done.error().Text() << "\n";
  return 65;
}
