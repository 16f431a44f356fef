#include "bench/simulated_runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/json.h"
#include "base/random.h"
#include "bench/item_draws.h"
#include "coupling/statistics.h"

namespace couplingd::simulated {
namespace {

using Eigen::Index;
using Eigen::VectorXd;

constexpr double kTaxBound = -0.1;
constexpr double kKnots = 4;  // of the slow wandering, per decade
constexpr int kWindow = 8, kFewest = 4;
constexpr double kDecades = 0.25;
constexpr std::size_t kWindows = 1 + std::size(kNestedWidths);

double WindowDecades(std::size_t window) {
  return window == 0 ? kDecades : kDecades * kNestedWidths[window - 1];
}

constexpr double kLeastScore = 0.02;

// As far as every item is all but certain, and finer where scores change.
void SetLevels(AxisPool& pool) {
  constexpr double kSteps = 4000, kLeastRise = 1e-6;
  double reach = 0;
  for (const Item& item : pool.items) {
    reach = std::max(reach, std::abs(item.margin) + 5 * std::hypot(item.slow, item.fast));
  }
  for (double step = -kSteps; step <= kSteps; ++step) {
    const double share = step / kSteps, level = reach * share * std::abs(share);
    double sum = 0;
    for (const Item& item : pool.items) {
      sum += NormalShare((item.margin + level) / std::hypot(item.slow, item.fast));
    }
    const double score = sum / static_cast<double>(pool.items.size());
    auto& [places, values] = pool.level_of_score;
    if (!places.empty() && score < places.back() + kLeastRise) continue;
    places.push_back(score);
    values.push_back(level);
  }
}

// One axis: its items, their scores so far, and the moments that the sampling error is made of.
class Axis {
 public:
  Axis(const AxisPool& pool, int items, std::uint64_t seed)
      : pool_(&pool), random_(seed), bits_(seed) {
    for (int i = 0; i < items; ++i) {
      items_.push_back(pool.items[random_.Index(pool.items.size())]);
    }
    from_.resize(items_.size());
    to_.resize(items_.size());
    DrawKnot(from_);
    DrawKnot(to_);
    for (auto& of_window : sums_) of_window.assign(items_.size(), 0);
    for (auto& of_window : moments_) of_window.assign(items_.size(), 0);
  }

  // Scores all items of the next checkpoint at `position`, whose expected score is `score`.
  double Draw(double position, double score) {
    const double place = position * kKnots;
    while (place >= knot_ + 1) {
      knot_ = knot_ == kNowhere ? std::floor(place) : knot_ + 1;
      std::swap(from_, to_);
      DrawKnot(to_);
    }
    const double after = place - knot_, before = 1 - after;
    const double level = pool_->level_of_score.At(score);
    std::vector<std::uint8_t>& drawn = scores_.emplace_back(items_.size());
    int right = 0;
    for (std::size_t i = 0; i < items_.size(); ++i) {
      const double slow = before * from_[i] + after * to_[i];
      const double margin = items_[i].margin + level + slow;
      drawn[i] = bits_.Uniform() < Share()(margin / items_[i].fast);
      right += drawn[i];
    }
    for (std::size_t w = 0; w < kWindows; ++w) Count(w, drawn, 1, position);
    if (scores_.size() >= 3) AddRough();
    return right / static_cast<double>(items_.size());
  }

  // Takes checkpoint k at `position` out of a window.
  void Drop(std::size_t window, std::size_t k, double position) {
    Count(window, scores_[k], -1, position);
  }

  // Variance of the mean of Σ scale (position − centre) score over a window.
  double ChangeVariance(std::size_t window, double scale, double centre) const {
    double sum = 0, squares = 0;
    for (std::size_t i = 0; i < items_.size(); ++i) {
      const double change = moments_[window][i] - centre * sums_[window][i];
      sum += change;
      squares += change * change;
    }
    const auto n = static_cast<double>(items_.size());
    return scale * scale * (squares - sum * sum / n) / (n * (n - 1));
  }

  // Mean over the checkpoints within [first, last] that have both neighbours there.
  double RoughVariance(std::size_t first, std::size_t last) const {
    return (rough_[last] - rough_[first + 1]) / static_cast<double>(last - first - 1);
  }

  std::vector<double> Items(std::size_t k) const { return {scores_[k].begin(), scores_[k].end()}; }

 private:
  static constexpr double kNowhere = -1e9;

  void Count(std::size_t window, const std::vector<std::uint8_t>& scores, double sign,
             double position) {
    const double moment = sign * position;
    for (std::size_t i = 0; i < items_.size(); ++i) {
      const double score = scores[i];
      sums_[window][i] += sign * score;
      moments_[window][i] += moment * score;
    }
  }

  void DrawKnot(std::vector<double>& knot) {
    for (std::size_t i = 0; i < items_.size(); ++i) knot[i] = items_[i].slow * random_.Normal();
  }

  // rough_[k] sums up the places before k; even spacing is near enough for the weights.
  void AddRough() {
    const std::size_t k = scores_.size() - 1;
    const auto &a = scores_[k - 2], &b = scores_[k - 1], &c = scores_[k];
    int sum = 0, squares = 0;  // of 2b − a − c
    for (std::size_t i = 0; i < items_.size(); ++i) {
      const int rough = 2 * b[i] - a[i] - c[i];
      sum += rough;
      squares += rough * rough;
    }
    const auto n = static_cast<double>(items_.size());
    rough_.resize(k, 0);
    rough_.push_back(rough_.back() + (squares - sum * sum / n) / (6 * n * (n - 1)));
  }

  const AxisPool* pool_;
  Random random_;
  FastBits bits_;
  std::vector<Item> items_;
  std::vector<double> from_, to_;  // slow wandering at the knots around the place
  double knot_ = kNowhere;
  std::vector<std::vector<std::uint8_t>> scores_;             // per checkpoint
  std::array<std::vector<double>, kWindows> sums_, moments_;  // per item, over each window
  std::vector<double> rough_;
};

}  // namespace

Result<ItemPool> ReadItems(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line) || line != "source,margin,slow,fast") {
    return Fail(ErrorKind::kInvalidData, fmt::format("{} has no items", path),
                "bench/oracle/item_fixture.py makes such a file");
  }
  ItemPool pool;
  for (int number = 2; std::getline(file, line); ++number) {
    Item item;
    char source[128];
    if (std::sscanf(line.c_str(), "%127[^,],%lf,%lf,%lf", source, &item.margin, &item.slow,
                    &item.fast) != 4 ||
        !(item.fast > 0)) {
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("{}:{}: not SOURCE,MARGIN,SLOW,FAST", path, number));
    }
    const bool is_reasoning = std::string_view(source).ends_with(":reasoning");
    (is_reasoning ? pool.reasoning : pool.truthfulness).items.push_back(item);
  }
  if (pool.reasoning.items.empty() || pool.truthfulness.items.empty()) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: items of reasoning and of truthfulness are needed", path));
  }
  SetLevels(pool.reasoning);
  SetLevels(pool.truthfulness);
  return pool;
}

double Curve::At(double place) const {
  const auto above = std::upper_bound(places.begin() + 1, places.end() - 1, place);
  const auto i = static_cast<std::size_t>(above - places.begin());
  const double share = std::clamp((place - places[i - 1]) / (places[i] - places[i - 1]), 0.0, 1.0);
  return values[i - 1] + share * (values[i] - values[i - 1]);
}

Result<std::vector<NamedCurve>> ReadNamedCurves(const std::string& directory, int& files) {
  std::error_code error;
  std::map<std::pair<std::string, std::string>, std::map<double, double>> scores;
  files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory, error)) {
    const std::string path = entry.path().string();
    const std::size_t mark = path.rfind("step");
    if (mark == std::string::npos || entry.path().extension() != ".json") continue;
    const JsonDocument document = TRY(ParseJsonFile(path));
    const JsonValue* results = FindMember(document, "results");
    if (!results) return Fail(ErrorKind::kInvalidData, fmt::format("{}: no results", path));
    ++files;
    const double step = std::stod(path.substr(mark + 4));
    for (const char* task : {"lambada_openai", "arc_easy", "piqa", "sciq", "winogrande"}) {
      const JsonValue* found = FindMember(*results, task);
      if (!found || step < 1) continue;
      scores[{entry.path().parent_path().filename().string(), task}][std::log10(step)] =
          TRY(GetDouble(*found, "acc", path));
    }
  }
  std::vector<NamedCurve> curves;
  for (const auto& [name, steps] : scores) {
    Curve raw;
    for (const auto& [position, score] : steps) {
      raw.places.push_back(position);
      raw.values.push_back(score);
    }
    Curve smooth = raw;
    for (std::size_t k = 1; k + 1 < raw.values.size(); ++k) {
      smooth.values[k] = (raw.values[k - 1] + raw.values[k] + raw.values[k + 1]) / 3;
    }
    if (smooth.values.size() < 4) continue;
    curves.push_back({.model = name.first, .task = name.second, .curve = std::move(smooth)});
  }
  if (!curves.empty()) return curves;
  return Fail(ErrorKind::kNotFound, fmt::format("no lm-eval results of Pythia in {}", directory),
              "name the folder with --trajectories");
}

Result<std::vector<Curve>> ReadCurves(const std::string& directory, int& files) {
  std::vector<Curve> curves;
  for (NamedCurve& one : TRY(ReadNamedCurves(directory, files))) {
    curves.push_back(std::move(one.curve));
  }
  return curves;
}

struct Run::State {
  Setting setting;
  Random random;
  Axis reasoning, truthfulness;
  Curve curve;
  Scenario scenario;
  int change = 0;
  double gamma_before = 0, gamma_after = 0, start = 0.5;
  double noise_r = 0, noise_t = 0;
  Index drawn = 0;
  std::array<Index, kWindows> first{};
  VectorXd positions, seen_r, seen_t, true_r, true_t;

  double TrueReasoning(Index k) const {
    if (scenario == Scenario::kNoChange) return curve.At(std::log10(setting.steps * 500));
    return std::clamp(curve.At(positions[k]), kLeastScore, 1 - kLeastScore);
  }
  // Along the reasoning of the same run, with the coupling that the scenario says.
  double TrueTruthfulness(Index k) const {
    const double begin = true_r[0], turn = true_r[std::min<Index>(change, k)];
    return start + gamma_before * (turn - begin) + gamma_after * (true_r[k] - turn);
  }
  // Lets go of the checkpoints that the window ending at k does not need.
  void Shorten(std::size_t window, Index k) {
    const double reach = positions[k] - WindowDecades(window);
    const Index newest = std::max<Index>(0, k + 1 - kWindow);
    Index& begin = first[window];
    while (begin < newest && positions[begin + 1] <= reach) {
      reasoning.Drop(window, static_cast<std::size_t>(begin), positions[begin]);
      truthfulness.Drop(window, static_cast<std::size_t>(begin), positions[begin]);
      ++begin;
    }
  }
  WindowLook At(std::size_t window, Index k) const;
  double NextNoise(double before) {
    const double rho = setting.autocorrelation;
    return rho * before + std::sqrt(1 - rho * rho) * setting.checkpoint_noise * random.Normal();
  }
};

WindowLook Run::State::At(std::size_t window, Index k) const {
  const Index begin = first[window], count = k + 1 - begin;
  const VectorXd x = positions.segment(begin, count);
  const VectorXd contrast = TrendContrast(x);
  const double scale = contrast[count - 1] / (x[count - 1] - x.mean());
  const auto from = static_cast<std::size_t>(begin), to = static_cast<std::size_t>(k);
  WindowLook look{.input = {.positions = positions.head(k + 1),
                            .reasoning = seen_r.head(k + 1),
                            .truthfulness = seen_t.head(k + 1),
                            .first = begin,
                            .change = {reasoning.ChangeVariance(window, scale, x.mean()),
                                       truthfulness.ChangeVariance(window, scale, x.mean()), 0},
                            .rough = {reasoning.RoughVariance(from, to),
                                      truthfulness.RoughVariance(from, to), 0},
                            .units = std::min(setting.reasoning_items, setting.truthfulness_items),
                            .reasoning_step = 0.5 / setting.reasoning_items,
                            .truthfulness_step = 0.5 / setting.truthfulness_items,
                            .reasoning_noise = 0.01,
                            .truthfulness_noise = 0.01}};
  const auto change = [&](const VectorXd& scores) {
    return contrast.dot(scores.segment(begin, count));
  };
  look.true_reasoning = change(true_r);
  look.true_contrast = change(true_t) - kTaxBound * look.true_reasoning;
  look.seen_reasoning = change(seen_r);
  look.seen_truthfulness = change(seen_t);
  return look;
}

Run::Run(const ItemPool& pool, const std::vector<Curve>& curves, Scenario scenario,
         const Setting& setting, std::uint64_t seed)
    : state_(std::make_unique<State>(State{
          .setting = setting,
          .random = Random(seed),
          .reasoning = Axis(pool.reasoning, setting.reasoning_items, 3 * seed + 1),
          .truthfulness = Axis(pool.truthfulness, setting.truthfulness_items, 3 * seed + 2)})) {
  State& s = *state_;
  s.scenario = scenario;
  s.curve = curves[s.random.Index(curves.size())];
  const auto uniform = [&] { return static_cast<double>(s.random.Index(10001)) / 10000; };
  s.change = setting.checkpoints;
  s.gamma_before = scenario == Scenario::kDrift ? -0.1 + 0.6 * uniform() : kTaxBound;
  if (scenario == Scenario::kSignChange) {
    s.change = static_cast<int>(setting.checkpoints * (0.05 + 0.15 * uniform()));
    s.gamma_before = 0.3;
    s.gamma_after = -0.8;
  }
  const auto n = static_cast<Index>(setting.checkpoints);
  s.positions.resize(n);
  for (Index k = 0; k < n; ++k) s.positions[k] = std::log10(Step(static_cast<int>(k)));
  s.seen_r = s.seen_t = s.true_r = s.true_t = VectorXd::Zero(n);
}

Run::~Run() = default;

int Run::change() const { return state_->change; }
double Run::Step(int k) const { return state_->setting.steps * (k + 1); }
std::vector<double> Run::ReasoningItems(int k) const { return state_->reasoning.Items(k); }
std::vector<double> Run::TruthfulnessItems(int k) const { return state_->truthfulness.Items(k); }

bool Run::Next(Look& look) {
  State& s = *state_;
  const Index k = s.drawn++;
  s.true_r[k] = s.TrueReasoning(k);
  s.true_t[k] = s.TrueTruthfulness(k);
  s.noise_r = s.NextNoise(s.noise_r);
  s.noise_t = s.NextNoise(s.noise_t);
  const auto seen = [](double score) { return std::clamp(score, 0.001, 0.999); };
  s.seen_r[k] = s.reasoning.Draw(s.positions[k], seen(s.true_r[k] + s.noise_r));
  s.seen_t[k] = s.truthfulness.Draw(s.positions[k], seen(s.true_t[k] + s.noise_t));

  look.windows.clear();
  for (std::size_t w = 0; w < kWindows; ++w) {
    s.Shorten(w, k);
    const double reach = s.positions[k] - WindowDecades(w);
    const Index first = s.first[w];
    const bool is_enough = k + 1 - first >= kFewest && s.positions[first] <= reach;
    if (is_enough && (w == 0 || first < s.first[w - 1])) look.windows.push_back(s.At(w, k));
    if (look.windows.empty()) return false;
  }
  return true;
}

}  // namespace couplingd::simulated
