#include "bench/simulated_runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/json.h"
#include "coupling/random.h"
#include "coupling/statistics.h"

namespace couplingd::simulated {
namespace {

using Eigen::Index;
using Eigen::VectorXd;

constexpr double kTaxBound = -0.1;
constexpr double kKnots = 4;  // of the slow wandering, per decade
constexpr int kWindow = 8, kFewest = 4;
constexpr double kDecades = 0.25;
constexpr double kLeastScore = 0.02;

double NormalShare(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }

// NormalShare by table: it is asked for every item at every checkpoint.
class ShareTable {
 public:
  ShareTable() {
    for (std::size_t i = 0; i < shares_.size(); ++i) {
      shares_[i] = static_cast<float>(NormalShare(static_cast<double>(i) / kPerUnit - kReach));
    }
  }
  float operator()(double z) const {
    const double place = std::clamp((z + kReach) * kPerUnit, 0.0, 2 * kReach * kPerUnit);
    return shares_[static_cast<std::size_t>(place)];
  }

 private:
  static constexpr double kReach = 6, kPerUnit = 512;
  std::array<float, static_cast<std::size_t>(2 * kReach * kPerUnit) + 1> shares_;
};

const ShareTable& Share() {
  static const ShareTable table;
  return table;
}

void SetLevels(AxisPool& pool) {
  for (double level = -12; level <= 12; level += 0.05) {
    double sum = 0;
    for (const Item& item : pool.items) {
      sum += NormalShare((item.margin + level) / std::hypot(item.slow, item.fast));
    }
    pool.level_of_score.places.push_back(sum / static_cast<double>(pool.items.size()));
    pool.level_of_score.values.push_back(level);
  }
}

// SplitMix64: one draw per item and checkpoint has to be cheap.
class FastBits {
 public:
  explicit FastBits(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ull + 1) {}
  float Uniform() {
    state_ += 0x9e3779b97f4a7c15ull;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return static_cast<float>((z ^ (z >> 31)) >> 40) * 0x1p-24f;
  }

 private:
  std::uint64_t state_;
};

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
    sums_.assign(items_.size(), 0);
    moments_.assign(items_.size(), 0);
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
    for (std::size_t i = 0; i < items_.size(); ++i) {
      sums_[i] += drawn[i];
      moments_[i] += position * drawn[i];
    }
    if (scores_.size() >= 3) AddRough();
    return right / static_cast<double>(items_.size());
  }

  // Takes checkpoint k at `position` out of the window.
  void Drop(std::size_t k, double position) {
    for (std::size_t i = 0; i < items_.size(); ++i) {
      sums_[i] -= scores_[k][i];
      moments_[i] -= position * scores_[k][i];
    }
  }

  // Variance of the mean of Σ scale (position − centre) score.
  double ChangeVariance(double scale, double centre) const {
    double sum = 0, squares = 0;
    for (std::size_t i = 0; i < items_.size(); ++i) {
      const double change = moments_[i] - centre * sums_[i];
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
  std::vector<std::vector<std::uint8_t>> scores_;  // per checkpoint
  std::vector<double> sums_, moments_;             // per item, over the window
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

Result<std::vector<Curve>> ReadCurves(const std::string& directory, int& files) {
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
      scores[{entry.path().parent_path().string(), task}][std::log10(step)] =
          TRY(GetDouble(*found, "acc", path));
    }
  }
  std::vector<Curve> curves;
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
    if (smooth.values.size() >= 4) curves.push_back(std::move(smooth));
  }
  if (!curves.empty()) return curves;
  return Fail(ErrorKind::kNotFound, fmt::format("no lm-eval results of Pythia in {}", directory),
              "name the folder with --trajectories");
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
  Index drawn = 0, first = 0;
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
  double NextNoise(double before) {
    const double rho = setting.autocorrelation;
    return rho * before + std::sqrt(1 - rho * rho) * setting.checkpoint_noise * random.Normal();
  }
};

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

  const double reach = s.positions[k] - kDecades;
  const Index newest = std::max<Index>(0, k + 1 - kWindow);
  while (s.first < newest && s.positions[s.first + 1] <= reach) {
    s.reasoning.Drop(static_cast<std::size_t>(s.first), s.positions[s.first]);
    s.truthfulness.Drop(static_cast<std::size_t>(s.first), s.positions[s.first]);
    ++s.first;
  }
  const Index count = k + 1 - s.first;
  if (count < kFewest || s.positions[s.first] > reach) return false;

  const VectorXd x = s.positions.segment(s.first, count);
  const VectorXd contrast = TrendContrast(x);
  const double scale = contrast[count - 1] / (x[count - 1] - x.mean());
  const auto first = static_cast<std::size_t>(s.first), last = static_cast<std::size_t>(k);
  look.input = {.positions = s.positions.head(k + 1),
                .reasoning = s.seen_r.head(k + 1),
                .truthfulness = s.seen_t.head(k + 1),
                .first = s.first,
                .change = {s.reasoning.ChangeVariance(scale, x.mean()),
                           s.truthfulness.ChangeVariance(scale, x.mean()), 0},
                .rough = {s.reasoning.RoughVariance(first, last),
                          s.truthfulness.RoughVariance(first, last), 0},
                .units = std::min(s.setting.reasoning_items, s.setting.truthfulness_items),
                .reasoning_step = 0.5 / s.setting.reasoning_items,
                .truthfulness_step = 0.5 / s.setting.truthfulness_items,
                .reasoning_noise = 0.01,
                .truthfulness_noise = 0.01};
  const auto change = [&](const VectorXd& scores) {
    return contrast.dot(scores.segment(s.first, count));
  };
  look.true_reasoning = change(s.true_r);
  look.true_contrast = change(s.true_t) - kTaxBound * look.true_reasoning;
  look.seen_reasoning = change(s.seen_r);
  look.seen_truthfulness = change(s.seen_t);
  return true;
}

}  // namespace couplingd::simulated
