#include "probes/cuda/token_scores.h"

#include <ATen/ops/_log_softmax.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "probes/model/row_scores.h"

namespace couplingd {
namespace {

std::vector<float> RandomLogits(unsigned seed, std::size_t count, float spread) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> logits(count);
  for (float& logit : logits) logit = normal(random);
  return logits;
}

// The row as the kernel goes over it: `threads` interleaved parts, merged pairwise.
RowSummary Summarise(const std::vector<float>& row, std::size_t threads) {
  std::vector<RowSummary> parts(threads);
  for (std::size_t i = 0; i < row.size(); ++i) {
    parts[i % threads].Add(row[i], static_cast<std::int64_t>(i));
  }
  for (std::size_t distance = threads / 2; distance > 0; distance /= 2) {
    for (std::size_t i = 0; i < distance; ++i) parts[i].Merge(parts[i + distance]);
  }
  return parts[0];
}

TEST(RowSummary, AgreesWithLogSoftmaxOfAten) {
  const TensorFactory factory(at::kCPU, at::kFloat);
  for (const float spread : {0.1f, 3.0f, 40.0f}) {
    for (const std::size_t vocab : {1u, 7u, 1000u, 50257u}) {
      const std::vector<float> row = RandomLogits(11, vocab, spread);
      const at::Tensor expected = at::_log_softmax(
          factory.Values(row, {1, static_cast<std::int64_t>(vocab)}, at::kFloat), -1, false);
      for (const std::size_t threads : {1u, 256u}) {
        if (threads == 1 && vocab > 1000) continue;  // one fp32 sum over a long row is no use
        const RowSummary summary = Summarise(row, threads);
        const auto largest = std::ranges::max_element(row) - row.begin();
        EXPECT_EQ(summary.argmax, largest);
        for (std::size_t i = 0; i < vocab; i += 1 + vocab / 50) {
          const float value = expected.const_data_ptr<float>()[i];
          EXPECT_NEAR(summary.LogProbability(row[i]), value, 1e-5f + 2e-6f * std::abs(value));
        }
      }
    }
  }
}

TEST(RowSummary, TakesTheFirstOfEqualMaxima) {
  const std::vector<float> row = {1, 5, 2, 5, 5};
  for (const std::size_t threads : {1u, 2u, 4u, 8u}) {
    EXPECT_EQ(Summarise(row, threads).argmax, 1) << threads;
  }
}

TEST(RowSummary, IgnoresMinusInfinityAndSpreadsNan) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> masked = {-kInfinity, 2, -kInfinity, 2, -kInfinity};
  for (const std::size_t threads : {1u, 4u, 8u}) {
    EXPECT_FLOAT_EQ(Summarise(masked, threads).LogProbability(2), -std::log(2.0f));
    for (std::size_t at = 0; at < 5; ++at) {
      std::vector<float> row = {1, 2, 3, 4, 5};
      row[at] = std::nanf("");
      EXPECT_TRUE(std::isnan(Summarise(row, threads).LogProbability(1))) << at;
      row[at] = kInfinity;
      EXPECT_FALSE(std::isfinite(Summarise(row, threads).LogProbability(1))) << at;
    }
  }
}

TEST(ScoreRows, LooksUpSeveralTargetsOfOneRow) {
  const TensorFactory factory(at::kCPU, at::kFloat);
  const std::vector<float> logits = {0, 1, 2, 9, 9, 3};
  const std::vector<TokenRead> reads = {{0, 0}, {0, 2}, {1, 0}, {1, 1}};
  const std::vector<std::int64_t> row_of = {0, 0, 1, 1};
  std::vector<TokenScore> scores(4);
  ASSERT_TRUE(
      ScoreRows(factory.Values(logits, {2, 3}, at::kFloat), reads, row_of, factory, {}, scores));
  for (std::size_t i = 0; i < reads.size(); ++i) {
    const std::size_t first = static_cast<std::size_t>(row_of[i]) * 3;
    const std::vector<float> row(logits.begin() + first, logits.begin() + first + 3);
    const RowSummary summary = Summarise(row, 1);
    EXPECT_NEAR(scores[i].log_probability, summary.LogProbability(row[reads[i].target]), 1e-6);
    EXPECT_EQ(scores[i].is_argmax, summary.argmax == reads[i].target) << i;
  }
}

}  // namespace
}  // namespace couplingd
