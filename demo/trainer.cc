#include "demo/trainer.h"

#include <ATen/Parallel.h>
#include <ATen/core/Reduction.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/tensor.h>
#include <torch/nn/utils/clip_grad.h>
#include <torch/optim/adamw.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>

#include "demo/checkpoint_writer.h"
#include "demo/tiny_llama.h"
#include "demo/vocabulary.h"

namespace couplingd {
namespace {

constexpr int kBatch = 64;
constexpr int kLongest = 8;  // <s>, six words, </s>
constexpr double kLearningRate = 3e-3;
constexpr int kWarmUp = 50;
constexpr double kClip = 1;

double LearningRate(int step, int steps) {
  if (step < kWarmUp) return kLearningRate * (step + 1) / kWarmUp;
  const double done = static_cast<double>(step - kWarmUp) / (steps - kWarmUp);
  return kLearningRate * (0.1 + 0.45 * (1 + std::cos(std::numbers::pi * done)));
}

// ids [kBatch, kLongest], padded on the right; `tokens` grows by what is no padding.
at::Tensor DrawBatch(const World& world, const Vocabulary& vocabulary, Mix mix,
                     std::mt19937_64& random, std::int64_t& tokens) {
  std::vector<std::int64_t> ids(kBatch * kLongest, vocabulary.pad_id());
  for (int row = 0; row < kBatch; ++row) {
    const std::vector<std::int64_t> sentence = vocabulary.Encode(world.Sentence(mix, random));
    std::copy(sentence.begin(), sentence.end(), ids.begin() + row * kLongest);
    tokens += static_cast<std::int64_t>(sentence.size());
  }
  return at::tensor(ids, at::kLong).view({kBatch, kLongest});
}

}  // namespace

Status Train(const TrainOptions& options,
             const std::function<void(std::int64_t step, double loss)>& on_saved) {
  at::set_num_threads(1);
  const World world(options.seed);
  const Vocabulary vocabulary(world);
  TinyLlama model({.vocabulary = vocabulary.size(), .width = options.width}, options.seed + 1);
  std::vector<at::Tensor> parameters;
  for (const auto& [name, weight] : model.weights()) parameters.push_back(weight);
  torch::optim::AdamW optimizer(
      parameters, torch::optim::AdamWOptions(kLearningRate).betas({0.9, 0.98}).weight_decay(0.01));
  std::mt19937_64 random(options.seed * 1000 + static_cast<std::uint64_t>(options.mix) + 17);
  std::int64_t tokens = 0;
  for (int step = 0; step < options.steps; ++step) {
    const at::Tensor ids = DrawBatch(world, vocabulary, options.mix, random, tokens);
    const at::Tensor logits = model.Forward(ids.narrow(1, 0, kLongest - 1));
    const at::Tensor loss = at::cross_entropy_loss(
        logits.reshape({-1, vocabulary.size()}), ids.narrow(1, 1, kLongest - 1).reshape({-1}),
        /*weight=*/{}, at::Reduction::Mean, vocabulary.pad_id());
    optimizer.zero_grad();
    loss.backward();
    torch::nn::utils::clip_grad_norm_(parameters, kClip);
    for (auto& group : optimizer.param_groups())
      group.options().set_lr(LearningRate(step, options.steps));
    optimizer.step();
    if (std::find(options.save_at.begin(), options.save_at.end(), step + 1) !=
        options.save_at.end()) {
      TRY(WriteCheckpoint(options.out, model, vocabulary, step + 1, tokens));
      on_saved(step + 1, loss.item<double>());
    }
  }
  return {};
}

}  // namespace couplingd
