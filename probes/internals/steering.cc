#include "probes/internals/steering.h"

#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/quantiles.h"
#include "base/random.h"
#include "probes/device/factory.h"
#include "probes/internals/states.h"
#include "probes/model/rotary.h"
#include "probes/scoring/planner.h"
#include "probes/scoring/scorer.h"

namespace couplingd {
namespace {

constexpr std::int64_t kFewestLayers = 4;
constexpr int kReplicates = 2000;

class SteeringHook : public ForwardHook {
 public:
  SteeringHook(const Place& place, int layer, const Eigen::VectorXf& vector) : layer_(layer) {
    const TensorFactory factory(place);
    vector_ = factory.Values({vector.data(), static_cast<std::size_t>(vector.size())},
                             {vector.size()}, factory.dtype());
  }

  void OnResidual(std::int64_t layer, at::Tensor& residual) override {
    if (layer == layer_) residual.add_(vector_);
  }

 private:
  const std::int64_t layer_;
  at::Tensor vector_;
};

// The first maximum, or a draw from the softmax by the inverse of its distribution function.
TokenId NextToken(const std::vector<float>& logits, bool sample, double uniform) {
  const auto most = std::ranges::max_element(logits);
  if (!sample) return static_cast<TokenId>(most - logits.begin());
  std::vector<double> weights;
  for (const float logit : logits) weights.push_back(std::exp(double{logit} - double{*most}));
  double left = uniform * std::accumulate(weights.begin(), weights.end(), 0.0);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    left -= weights[i];
    if (left < 0) return static_cast<TokenId>(i);
  }
  return static_cast<TokenId>(weights.size() - 1);
}

double ShareRight(std::span<const double> margins) {
  return static_cast<double>(std::ranges::count_if(margins, [](double m) { return m > 0; })) /
         static_cast<double>(margins.size());
}

Result<std::vector<ContinuationScore>> ScoreAll(Decoder& decoder,
                                                const std::vector<ScoringRequest>& requests,
                                                int token_budget) {
  const ScoringPlan plan =
      TRY(PlanScoring(requests, token_budget, LongestShortText(decoder.config())));
  return ScoreRequests(decoder, plan, [](std::size_t, std::size_t) { return true; });
}

}  // namespace

double AdaptiveStrength(double coupling) {
  if (coupling < -0.1) return 3.0;
  if (coupling < 0.1) return 1.5;
  if (coupling < 0.3) return 0.5;
  return 0;
}

Result<int> SteeringLayer(std::int64_t layers, int asked) {
  if (asked > layers || asked < 0) {
    return Fail(ErrorKind::kUsage, fmt::format("there is no layer {}", asked),
                fmt::format("the model has the layers 1 to {}", layers));
  }
  if (asked > 0) return asked;
  if (layers < kFewestLayers) {
    return Fail(
        ErrorKind::kUnsupported,
        fmt::format("the model has {} layers, and steering takes a quarter of them", layers),
        "name the layer with --layer");
  }
  return static_cast<int>(layers / kFewestLayers);
}

Result<TruthDirection> FindTruthDirection(Decoder& decoder, const Place& place,
                                          std::span<const std::vector<TokenId>> true_ones,
                                          std::span<const std::vector<TokenId>> false_ones,
                                          int layer, int token_budget) {
  std::vector<std::vector<TokenId>> all(true_ones.begin(), true_ones.end());
  all.insert(all.end(), false_ones.begin(), false_ones.end());
  const PromptStates collected = TRY(CollectStates(
      decoder, place, all, {.token_budget = token_budget, .heads = false, .logits = false}));
  const Eigen::MatrixXd states = collected.residual[static_cast<std::size_t>(layer)].cast<double>();
  const auto trues = static_cast<Eigen::Index>(true_ones.size());
  const Eigen::VectorXd difference = (states.topRows(trues).colwise().mean() -
                                      states.bottomRows(states.rows() - trues).colwise().mean())
                                         .transpose();
  const double length = difference.norm();
  if (!std::isfinite(length) || length == 0) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("there is no truth direction behind layer {}: the states of true and "
                            "false statements {}",
                            layer, length == 0 ? "are the same" : "are NaN or infinite"),
                "the training run has probably diverged, or has not begun to learn");
  }
  return TruthDirection{layer, (difference / length).cast<float>(), states.rowwise().norm().mean()};
}

Eigen::VectorXf RandomDirection(Eigen::Index width, std::uint64_t seed) {
  Random draws(seed);
  Eigen::VectorXd direction(width);
  for (double& element : direction) element = draws.Normal();
  return direction.normalized().cast<float>();
}

std::unique_ptr<ForwardHook> MakeSteeringHook(const Place& place, int layer,
                                              const Eigen::VectorXf& vector) {
  return std::make_unique<SteeringHook>(place, layer, vector);
}

Result<std::vector<TokenId>> Generate(Decoder& decoder, std::span<const TokenId> prompt,
                                      const GenerationOptions& options) {
  std::vector<TokenId> text(prompt.begin(), prompt.end());
  const auto longest = std::min(text.size() + static_cast<std::size_t>(options.max_tokens),
                                static_cast<std::size_t>(decoder.config().max_positions));
  Random draws(options.seed);
  for (std::size_t known = 0; text.size() < longest;) {
    const std::vector<float> logits = TRY(decoder.NextLogits(text, known));
    known = text.size();
    const TokenId next = NextToken(logits, options.sample, draws.Uniform());
    if (std::ranges::find(options.stop, next) != options.stop.end()) break;
    text.push_back(next);
  }
  return std::vector<TokenId>(text.begin() + static_cast<std::ptrdiff_t>(prompt.size()),
                              text.end());
}

Result<std::vector<double>> ItemMargins(Decoder& decoder, const Pack& pack,
                                        std::span<const EncodedRequest> requests,
                                        int token_budget) {
  std::vector<ScoringRequest> asked;
  for (const EncodedRequest& request : requests) {
    asked.push_back({request.tokens, static_cast<int>(request.scored_from)});
  }
  const auto scores = TRY(ScoreAll(decoder, asked, token_budget));
  std::vector<double> margins(pack.items.size(), 0);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const PackItem& item = pack.items[requests[i].item];
    const double per_byte =
        scores[i].log_likelihood / static_cast<double>(item.choices[requests[i].choice].size());
    margins[requests[i].item] += item.labels[requests[i].choice] ? per_byte : -per_byte;
  }
  return margins;
}

Result<std::vector<bool>> StaysGreedy(Decoder& decoder,
                                      std::span<const std::vector<TokenId>> prompts,
                                      std::span<const std::vector<TokenId>> continuations,
                                      int token_budget) {
  std::vector<ScoringRequest> asked;
  std::vector<bool> stays(prompts.size(), true);
  std::vector<std::size_t> asked_of;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    if (continuations[i].empty()) continue;
    ScoringRequest& request = asked.emplace_back();
    request.tokens = prompts[i];
    request.scored_from = static_cast<int>(prompts[i].size());
    request.tokens.insert(request.tokens.end(), continuations[i].begin(), continuations[i].end());
    asked_of.push_back(i);
  }
  if (asked.empty()) return stays;
  const auto scores = TRY(ScoreAll(decoder, asked, token_budget));
  for (std::size_t i = 0; i < scores.size(); ++i) stays[asked_of[i]] = scores[i].is_greedy;
  return stays;
}

PairedGrade GradeMargins(std::span<const double> without, std::span<const double> with,
                         std::span<const std::vector<double>> random, std::uint64_t seed) {
  PairedGrade grade{.without = ShareRight(without), .with = ShareRight(with)};
  std::vector<double> differences, means;
  for (std::size_t i = 0; i < with.size(); ++i) {
    differences.push_back((with[i] > 0 ? 1.0 : 0.0) - (without[i] > 0 ? 1.0 : 0.0));
  }
  Random draws(seed);
  double squares = 0;
  const double value = grade.with - grade.without;
  for (int replicate = 0; replicate < kReplicates; ++replicate) {
    double sum = 0;
    for (std::size_t i = 0; i < differences.size(); ++i) {
      sum += differences[draws.Index(differences.size())];
    }
    means.push_back(sum / static_cast<double>(differences.size()));
    squares += (means.back() - value) * (means.back() - value);
  }
  const Interval range = CentralInterval(std::move(means), 0.95);
  grade.difference = {value, range.low, range.high, std::sqrt(squares / (kReplicates - 1))};
  double as_much = 0;
  for (const std::vector<double>& margins : random) {
    grade.random.push_back(ShareRight(margins) - grade.without);
    as_much += grade.random.back() >= value ? 1 : 0;
  }
  grade.p = (1 + as_much) / static_cast<double>(1 + random.size());
  return grade;
}

}  // namespace couplingd
