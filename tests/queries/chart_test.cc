#include "queries/chart.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <limits>

namespace couplingd {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::uint32_t BigEndian(const std::string& bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = at; i < at + 4; ++i) {
    value = value << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return value;
}

void ExpectPng(const std::string& png, std::uint32_t charts = 1) {
  ASSERT_GT(png.size(), 33u);
  EXPECT_EQ(png.substr(0, 8), "\x89PNG\r\n\x1a\n");
  EXPECT_EQ(BigEndian(png, 16), 1600u);
  EXPECT_EQ(BigEndian(png, 20), 900u * charts);
  EXPECT_LE(png.size(), 200u << 10);
}

Chart Wild() {
  Chart chart{.title = std::string(400, 'W') + " γ…", .x_label = "tokens", .y_label = "γ"};
  ChartSeries series{.name = "γ with its interval", .band = true};
  for (int i = 1; i <= 1000; ++i) {
    series.points.push_back({1e6 * i, std::sin(i / 30.0), std::sin(i / 30.0) - 1, kInfinity});
  }
  series.points[500].low = -1e30;
  series.points[501].y = NAN;
  chart.series = {series, {.name = std::string(100, 'x'), .points = {{0, 1}, {5e6, 1, 0.9, {}}}}};
  chart.lines = {{0, ""}, {0.1, "bonus"}, {-0.1, "tax", true}};
  chart.range = {3e9, 1e8, 1e14, "D_c = 3B"};
  chart.marks = {{9.99e8, 0.5, "fired at step 999"}, {1e9, 0.7, "resolved"}};
  return chart;
}

TEST(Chart, IsAPngOfItsSizeWhateverTheNumbers) {
  for (const bool log_x : {true, false}) {
    Chart chart = Wild();
    chart.log_x = log_x;
    const auto png = DrawPng({chart});
    ASSERT_TRUE(png) << png.error().Text();
    ExpectPng(*png);
  }
}

TEST(Chart, IsTheSameBytesEveryTime) {
  EXPECT_EQ(*DrawPng({Wild()}), *DrawPng({Wild()}));
  Chart other = Wild();
  other.marks[0].y = 0.6;
  EXPECT_NE(*DrawPng({other}), *DrawPng({Wild()}));
}

TEST(Chart, OfSeveralStandsOneBelowAnother) {
  const auto png = DrawPng({Wild(), Wild(), Wild()});
  ASSERT_TRUE(png);
  EXPECT_EQ(BigEndian(*png, 20), 2700u);
}

TEST(Chart, OfOnePointIsDrawnAndOfNoneRefused) {
  ExpectPng(*DrawPng({{.title = "t", .series = {{"s", {{1, 0.5, 0.4, 0.6}}}}}}));
  const auto none = DrawPng({{.title = "t", .if_empty = "no γ to draw"}});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message, "t: no γ to draw");
}

TEST(GammaChart, PutsRunsOverTokensAndFamiliesOverSizes) {
  CouplingEstimate estimate{.run = "a", .axes = "r.acc,t.acc", .at = 100, .tokens = 5e9};
  estimate.gamma = -0.3;
  estimate.low = -0.4;
  estimate.high = -0.2;
  estimate.n = 8;
  Chart chart = GammaChart("a", {estimate}, {});
  EXPECT_EQ(chart.x_label, "tokens");
  EXPECT_DOUBLE_EQ(chart.series.at(0).points.at(0).x, 5e9);
  estimate.tokens.reset();
  EXPECT_DOUBLE_EQ(GammaChart("a", {estimate}, {}).series[0].points[0].x, 100);
  estimate.over = CouplingOver::kScale;
  CouplingEstimate pair = estimate;
  pair.n = 2;
  chart = GammaChart("f", {pair, estimate}, {.tax = -0.2, .bonus = 0.3});
  EXPECT_EQ(chart.x_label, "parameters");
  ASSERT_EQ(chart.series.size(), 2u);
  EXPECT_DOUBLE_EQ(chart.lines.at(1).y, 0.3);
}

class AlertChartTest : public ::testing::Test {
 protected:
  AlertChartTest() {
    std::filesystem::remove_all(folder_);
    writer_ = *HistoryWriter::Open(folder_, clock_);
  }
  ~AlertChartTest() override { std::filesystem::remove_all(folder_); }

  void Record(double at, double gamma, CouplingOver over = CouplingOver::kSteps, int n = 8) {
    CouplingEstimate estimate;
    estimate.family = "web";
    estimate.run = over == CouplingOver::kSteps ? "web-1b" : "";
    estimate.axes = "r.acc,t.acc";
    estimate.over = over;
    estimate.at = at;
    if (over == CouplingOver::kSteps) estimate.tokens = 1e6 * at;
    estimate.gamma = gamma;
    estimate.low = gamma - 0.2;
    estimate.high = gamma + 0.2;
    estimate.n = n;
    clock_.Advance(std::chrono::seconds(10));
    ASSERT_TRUE(writer_->SaveCoupling(estimate));
  }

  Alert Fired(const std::string& kind) {
    Alert alert{.key = "k", .sequence = 1, .starts_at = clock_.Now()};
    alert.finding.kind = kind;
    alert.finding.run = "web-1b";
    alert.finding.labels = {
        {"run", "web-1b"}, {"family", "web"}, {"axes", "r.acc,t.acc"}, {"over", "steps"}};
    return alert;
  }

  const std::string folder_ = ::testing::TempDir() + "alert_chart_" + std::to_string(::getpid()) +
                              "_" + ::testing::UnitTest::GetInstance()->current_test_info()->name();
  ManualClock clock_{1000000};
  std::unique_ptr<HistoryWriter> writer_;
};

TEST_F(AlertChartTest, OfAPhaseShowsGammaUpToItsTransitionAndMarksTheFiringPoint) {
  for (int at = 100; at <= 800; at += 100) Record(at, -0.4 + 0.0002 * at);
  Alert alert = Fired("phase");
  alert.finding.values = {{"step", 800}, {"tokens", 8e8}, {"tax_bound", -0.15}};
  const auto chart = AlertChart(writer_->reader(), alert);
  ASSERT_TRUE(chart && *chart) << chart.error().Text();
  EXPECT_EQ((*chart)->title, "web-1b: t.acc over r.acc");
  EXPECT_EQ((*chart)->series.at(0).points.size(), 8u);
  EXPECT_DOUBLE_EQ((*chart)->lines.at(2).y, -0.15);
  ASSERT_EQ((*chart)->marks.size(), 1u);
  EXPECT_EQ((*chart)->marks[0].label, "fired at step 800");
  EXPECT_DOUBLE_EQ((*chart)->marks[0].x, 8e8);
  const std::string before = *AlertChartPng(writer_->reader(), alert);
  ExpectPng(before);
  // What is recorded later, be it new or a better estimate of the same place, changes nothing.
  Record(900, 0.3);
  Record(800, -0.9);
  EXPECT_EQ(*AlertChartPng(writer_->reader(), alert), before);

  alert.state = AlertState::kResolved;
  alert.ends_at = clock_.Now();
  const auto over = AlertChart(writer_->reader(), alert);
  ASSERT_EQ((*over)->marks.size(), 2u);
  EXPECT_EQ((*over)->marks[1].label, "resolved");
  EXPECT_EQ((*over)->series[0].points.size(), 9u);
}

TEST_F(AlertChartTest, OfAFamilyIsOverSizes) {
  Record(2e8, -0.3, CouplingOver::kScale, 2);
  Record(1e9, -0.4, CouplingOver::kScale, 5);
  Alert alert = Fired("phase");
  alert.finding.run = "web";
  alert.finding.labels = {{"family", "web"}, {"axes", "r.acc,t.acc"}, {"over", "scale"}};
  alert.finding.values = {{"parameters", 1e9}};
  const auto chart = AlertChart(writer_->reader(), alert);
  ASSERT_TRUE(chart && *chart);
  ASSERT_EQ((*chart)->series.size(), 2u);
  ASSERT_EQ((*chart)->marks.size(), 1u);
  EXPECT_DOUBLE_EQ((*chart)->marks[0].y, -0.4);
}

TEST_F(AlertChartTest, OfASignChangeShowsTheForecastWithItsInterval) {
  for (int at = 100; at <= 800; at += 100) Record(at, -0.4 + 0.0003 * at);
  Alert alert = Fired("sign_change");
  alert.finding.labels["quantity"] = "D_c";
  alert.finding.values = {{"value", 1.4e9}, {"low", 1e9}, {"high", 3e9}};
  const auto chart = AlertChart(writer_->reader(), alert);
  ASSERT_TRUE(chart && *chart);
  ASSERT_TRUE((*chart)->range);
  EXPECT_EQ((*chart)->range->label, "D_c = 1.4B [1B, 3B]");
  ExpectPng(*AlertChartPng(writer_->reader(), alert));
}

TEST_F(AlertChartTest, OfOtherKindsAndOfNothingIsEmpty) {
  EXPECT_EQ(*AlertChartPng(writer_->reader(), Fired("checkpoint_overdue")), "");
  EXPECT_EQ(*AlertChartPng(writer_->reader(), Fired("phase")), "");
  EXPECT_EQ(*AlertChartPng(writer_->reader(), Fired("score_regression")), "");
  Alert test = Fired("phase");
  Record(100, 1);
  test.is_test = true;
  EXPECT_EQ(*AlertChartPng(writer_->reader(), test), "");
}

}  // namespace
}  // namespace couplingd
