#include "bench/simulated_families.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/random.h"
#include "bench/item_draws.h"
#include "coupling/statistics.h"

namespace couplingd::simulated {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr double kTaxBound = -0.1, kSteps = 143'000;

// Variance of the mean over items of each item's weighted sum over sizes.
double VarianceOf(const MatrixXd& items, const VectorXd& weights) {
  const VectorXd sums = items * weights;
  const auto n = static_cast<double>(sums.size());
  return (sums.array() - sums.mean()).square().sum() / (n * (n - 1));
}

class FamilyAxis {
 public:
  FamilyAxis(const AxisPool& pool, int items, Index sizes, std::uint64_t seed)
      : pool_(&pool), bits_(seed), scores_(items, sizes) {
    Random random(seed);
    departures_.resize(items, sizes);
    for (Index i = 0; i < items; ++i) {
      items_.push_back(pool.items[random.Index(pool.items.size())]);
      for (Index k = 0; k < sizes; ++k) departures_(i, k) = items_.back().slow * random.Normal();
    }
  }

  // Scores every item of size k, whose expected score is `score`.
  void Draw(Index k, double score) {
    const double level = pool_->level_of_score.At(std::clamp(score, 0.001, 0.999));
    for (Index i = 0; i < scores_.rows(); ++i) {
      const Item& item = items_[static_cast<std::size_t>(i)];
      const double margin = item.margin + level + departures_(i, k);
      scores_(i, k) = bits_.Uniform() < Share()(margin / item.fast);
    }
  }

  const MatrixXd& Scores() const { return scores_; }
  VectorXd Means() const { return scores_.colwise().mean().transpose(); }
  double RoughVariance(const VectorXd& positions) const {
    double sum = 0;
    for (Index k = 1; k + 1 < positions.size(); ++k) {
      sum += VarianceOf(scores_.middleCols(k - 1, 3), RoughWeights(positions, k));
    }
    return sum / static_cast<double>(positions.size() - 2);
  }

 private:
  const AxisPool* pool_;
  FastBits bits_;
  std::vector<Item> items_;
  MatrixXd departures_, scores_;  // items × sizes
};

// "pythia-1.4b".
std::optional<double> ParametersOf(const std::string& name) {
  double number = 0;
  char unit = 0;
  if (std::sscanf(name.c_str(), "pythia-%lf%c", &number, &unit) != 2) return std::nullopt;
  return number * (unit == 'b' ? 1e9 : 1e6);
}

}  // namespace

Result<std::vector<Ladder>> ReadLadders(const std::string& directory) {
  int files = 0;
  std::map<std::string, std::map<double, Curve>> tasks;
  for (NamedCurve& one : TRY(ReadNamedCurves(directory, files))) {
    const auto parameters = ParametersOf(one.model);
    if (parameters) tasks[one.task][std::log10(*parameters)] = std::move(one.curve);
  }
  std::vector<Ladder> ladders;
  for (auto& [task, sizes] : tasks) {
    Ladder& ladder = ladders.emplace_back();
    for (auto& [size, curve] : sizes) {
      ladder.log_parameters.push_back(size);
      ladder.curves.push_back(std::move(curve));
    }
  }
  if (!ladders.empty()) return ladders;
  return Fail(ErrorKind::kNotFound, fmt::format("no sizes of Pythia in {}", directory));
}

struct Family::State {
  FamilySetting setting;
  Random random;
  const Ladder* ladder;
  Index first = 0, sizes = 0;  // of the ladder
  VectorXd positions;
  FamilyAxis reasoning, truthfulness;
  VectorXd seeds_r, seeds_t;
  int look = 0;

  VectorXd Noise(double deviation) {
    VectorXd noise(sizes);
    for (double& one : noise) one = deviation * random.Normal();
    return noise;
  }
};

namespace {

struct Choice {
  const Ladder* ladder;
  Index first, sizes;
};

Choice Choose(const std::vector<Ladder>& ladders, const FamilySetting& setting, Random& random) {
  const Ladder& ladder = ladders[random.Index(ladders.size())];
  const auto all = static_cast<Index>(ladder.curves.size());
  const auto spare = static_cast<std::size_t>(all - setting.least_sizes);
  const Index sizes = setting.least_sizes + static_cast<Index>(random.Index(spare + 1));
  return {&ladder, static_cast<Index>(random.Index(static_cast<std::size_t>(all - sizes + 1))),
          sizes};
}

}  // namespace

Family::Family(const ItemPool& pool, const std::vector<Ladder>& ladders,
               const FamilySetting& setting, std::uint64_t seed) {
  Random random(seed);
  const auto [ladder, first, sizes] = Choose(ladders, setting, random);
  state_ = std::make_unique<State>(
      State{.setting = setting,
            .random = random,
            .ladder = ladder,
            .first = first,
            .sizes = sizes,
            .reasoning = {pool.reasoning, setting.reasoning_items, sizes, 3 * seed + 1},
            .truthfulness = {pool.truthfulness, setting.truthfulness_items, sizes, 3 * seed + 2}});
  State& s = *state_;
  s.positions = Eigen::Map<const VectorXd>(ladder->log_parameters.data() + first, sizes);
  s.seeds_r = s.Noise(setting.size_noise);
  s.seeds_t = s.Noise(setting.size_noise);
}

Family::~Family() = default;

WindowLook Family::Next() {
  State& s = *state_;
  const double place = std::log10(kSteps * ++s.look / s.setting.looks);
  VectorXd true_r(s.sizes);
  for (Index k = 0; k < s.sizes; ++k) {
    true_r[k] = s.ladder->curves[static_cast<std::size_t>(s.first + k)].At(place);
  }
  const VectorXd true_t = (0.5 + s.setting.gamma * (true_r.array() - true_r[0])).matrix();
  const VectorXd seen_r = true_r + s.seeds_r + s.Noise(s.setting.checkpoint_noise);
  const VectorXd seen_t = true_t + s.seeds_t + s.Noise(s.setting.checkpoint_noise);
  for (Index k = 0; k < s.sizes; ++k) {
    s.reasoning.Draw(k, seen_r[k]);
    s.truthfulness.Draw(k, seen_t[k]);
  }
  const VectorXd contrast = TrendContrast(s.positions);
  WindowLook look{
      .input = {.positions = s.positions,
                .reasoning = s.reasoning.Means(),
                .truthfulness = s.truthfulness.Means(),
                .change = {VarianceOf(s.reasoning.Scores(), contrast),
                           VarianceOf(s.truthfulness.Scores(), contrast), 0},
                .rough = {s.reasoning.RoughVariance(s.positions),
                          s.truthfulness.RoughVariance(s.positions), 0},
                .units = std::min(s.setting.reasoning_items, s.setting.truthfulness_items),
                .reasoning_step = 0.5 / s.setting.reasoning_items,
                .truthfulness_step = 0.5 / s.setting.truthfulness_items,
                .reasoning_noise = 0.01,
                .truthfulness_noise = 0.01}};
  look.true_reasoning = contrast.dot(true_r);
  // On the bound it is 0 but for rounding.
  const double departure = s.setting.gamma - kTaxBound;
  look.true_contrast = departure * look.true_reasoning;
  look.seen_reasoning = contrast.dot(look.input.reasoning);
  look.seen_truthfulness = contrast.dot(look.input.truthfulness);
  return look;
}

}  // namespace couplingd::simulated
