// The estimators on the published evaluations of Pythia (lm-eval results, aggregates only).
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/json.h"
#include "coupling/critical_scale.h"
#include "coupling/local_coupling.h"

namespace couplingd {
namespace {

const std::string kData = std::string(COUPLINGD_SOURCE_DIR) + "/../shared/data/pythia/lm-eval";
constexpr double kTokensPerStep =
    2097152;  // 1,024 sequences of 2,048 tokens, as Pythia was trained

struct Metric {
  std::string task, name;
  bool is_complement = false;  // 1 − value
};

struct Value {
  double value = 0;
  double standard_error = 0;
};

Value Read(const JsonValue& results, const Metric& metric) {
  const JsonValue& task = results[metric.task.c_str()];
  const double value = task[metric.name.c_str()].GetDouble();
  return {metric.is_complement ? 1 - value : value,
          task[(metric.name + "_stderr").c_str()].GetDouble()};
}

std::vector<AxisObservation> ReadRun(const std::string& size, double parameters,
                                     const Metric& reasoning, const Metric& truthfulness) {
  std::vector<AxisObservation> run;
  for (const auto& entry : std::filesystem::directory_iterator(kData + "/pythia-" + size)) {
    const std::string path = entry.path().string();
    const std::size_t mark = path.rfind("step");
    if (mark == std::string::npos || entry.path().extension() != ".json") continue;
    const auto document = ParseJsonFile(path);
    EXPECT_TRUE(document) << document.error().Text();
    const JsonValue& results = (*document)["results"];
    const Value r = Read(results, reasoning), t = Read(results, truthfulness);
    const double step = std::stod(path.substr(mark + 4));
    run.push_back({.step = step,
                   .tokens = step * kTokensPerStep,
                   .parameters = parameters,
                   .reasoning = r.value,
                   .truthfulness = t.value,
                   .reasoning_stderr = r.standard_error,
                   .truthfulness_stderr = t.standard_error});
  }
  return run;
}

const std::vector<std::pair<std::string, double>> kSizes{
    {"70m", 70e6},   {"160m", 160e6}, {"410m", 410e6}, {"1b", 1e9},
    {"1.4b", 1.4e9}, {"2.8b", 2.8e9}, {"6.9b", 6.9e9}, {"12b", 12e9}};
const Metric kLambada{"lambada_openai", "acc"};
const Metric kUnstereotyped{"crows_pairs_english", "pct_stereotype", true};

AxisSeries Family(const Metric& reasoning, const Metric& truthfulness) {
  AxisSeries family{.family = "pythia"};
  for (const auto& [size, parameters] : kSizes) {
    for (AxisObservation& at : ReadRun(size, parameters, reasoning, truthfulness)) {
      if (at.step == 143000) family.observations.push_back(at);
    }
  }
  return family;
}

class Pythia : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::is_directory(kData)) {
      GTEST_SKIP() << "the published Pythia evaluations are not in " << kData;
    }
  }
};

TEST_F(Pythia, StereotypesRiseWithLambadaOverTheEarlySteps) {
  AxisSeries run{.family = "pythia",
                 .run = "pythia-1.4b",
                 .observations = ReadRun("1.4b", 1.4e9, kLambada, kUnstereotyped)};
  EXPECT_EQ(run.observations.size(), 27u);
  const auto history = CouplingHistory(run, {});
  ASSERT_TRUE(history) << history.error().Text();
  EXPECT_GE(history->size(), 20u);
  int tax = 0, bonus = 0;
  for (const LocalCoupling& local : *history) {
    EXPECT_EQ(local.estimate.method, "york+stderr");
    tax += local.estimate.phase == Phase::kTax;
    bonus += local.estimate.phase == Phase::kBonus;
  }
  EXPECT_GE(tax, 1);
  EXPECT_EQ(bonus, 0);
}

TEST_F(Pythia, StereotypesRiseWithLambadaOverTheEightSizes) {
  const auto coupling = CouplingOverScale(Family(kLambada, kUnstereotyped), {});
  ASSERT_TRUE(coupling) << coupling.error().Text();
  EXPECT_EQ(coupling->local.size(), 7u);
  const CouplingEstimate& population = coupling->population.estimate;
  EXPECT_EQ(population.n, 8);
  EXPECT_EQ(population.phase, Phase::kTax) << population.reason;
}

// The untrained start of a run, where both scores are chance and γ is noise, made "forecasts" of a
// few million tokens for runs of 300 billion.
TEST_F(Pythia, ARunsForecastsLieAheadAndItsEarlyStepsAreNoCrossing) {
  for (const auto& [size, parameters] : kSizes) {
    SCOPED_TRACE(size);
    AxisSeries run{
        .family = "pythia",
        .run = "pythia-" + size,
        .observations = ReadRun(size, parameters, {"arc_easy", "acc"}, {"winogrande", "acc"})};
    const auto forecasts = ForecastSignChange(run, CouplingOver::kSteps, {});
    ASSERT_TRUE(forecasts) << forecasts.error().Text();
    for (const Forecast& forecast : *forecasts) {
      SCOPED_TRACE(forecast.method);
      EXPECT_EQ(forecast.observed, 143000 * kTokensPerStep);
      EXPECT_GT(forecast.horizon_low, 64 * kTokensPerStep);
      EXPECT_LT(forecast.n, 26);
      if (forecast.method != "ode") continue;
      EXPECT_EQ(forecast.horizon_low, 143000 * kTokensPerStep);
      EXPECT_EQ(forecast.p_passed, 0);
      EXPECT_FALSE(forecast.HasPassed());
    }
  }
}

TEST_F(Pythia, EveryForecastHasAValueOrAReason) {
  const auto forecasts = ForecastSignChange(Family({"arc_easy", "acc"}, {"winogrande", "acc"}),
                                            CouplingOver::kScale, {});
  ASSERT_TRUE(forecasts) << forecasts.error().Text();
  for (const Forecast& forecast : *forecasts) {
    EXPECT_TRUE(forecast.value || !forecast.reason.empty()) << forecast.method;
  }
}

}  // namespace
}  // namespace couplingd
