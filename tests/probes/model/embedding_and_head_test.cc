#include "probes/model/embedding_and_head.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <functional>

#include "probes/model/decoder.h"

namespace couplingd {
namespace {

// Sizes at which a product of libtorch 2.11 on several threads rounds otherwise than on one.
constexpr std::int64_t kRows = 7, kFrom = 12, kTo = 24;

void ExpectEqualOnAnyThreads(const std::function<at::Tensor()>& compute) {
  SetComputeThreads(1);
  const at::Tensor alone = compute();
  for (const int threads : {2, 3}) {
    SetComputeThreads(threads);
    EXPECT_TRUE(at::equal(alone, compute())) << threads;
  }
  SetComputeThreads(1);
}

TEST(EmbeddingAndHead, ProjectBitEqualOnAnyNumberOfThreads) {
  const TensorFactory factory(at::kCPU, at::kFloat);
  const at::Tensor rows = at::rand({kRows, kFrom});
  const at::Tensor ids = at::zeros({kRows}, at::kInt);
  Weights weights;
  weights.embedding = at::rand({1, kFrom});
  weights.project_in.weight = at::rand({kTo, kFrom});
  weights.project_out.weight = at::rand({kTo, kFrom});
  weights.layer_projection.weight = at::rand({kTo, kFrom});
  weights.layer_embedding = at::rand({1, kTo});
  ModelConfig config;
  config.hidden_size = kFrom;
  config.layer_inputs.size = kTo / 2;
  ExpectEqualOnAnyThreads([&] { return HeadInput(config, weights, rows); });
  ExpectEqualOnAnyThreads([&] { return Embed(config, weights, factory, ids, {}); });
  ExpectEqualOnAnyThreads([&] { return InputsOfLayers(config, weights, factory, ids, rows); });
}

}  // namespace
}  // namespace couplingd
